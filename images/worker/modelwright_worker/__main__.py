"""`python -m modelwright_worker`."""

import sys

from modelwright_worker.main import main

sys.exit(main())
