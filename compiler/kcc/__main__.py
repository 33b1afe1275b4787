"""``python -m kcc``."""

import sys

from kcc.cli import process

sys.exit(process())
