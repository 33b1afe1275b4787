"""``python -m kcc``."""

import sys

from kcc.cli import main

sys.exit(main())
