"""``python -m krun``."""

import sys

from krun.cli import main

if __name__ == "__main__":
    sys.exit(main())
