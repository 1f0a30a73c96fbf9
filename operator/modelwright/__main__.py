"""`python -m modelwright`."""

from modelwright.main import main

main()
