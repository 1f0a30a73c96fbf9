"""Makes what tests share importable: `conditions_lint`, `pure.world`, `pure.samples`; prints time per file."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

pytest_plugins = ["time_per_file"]
