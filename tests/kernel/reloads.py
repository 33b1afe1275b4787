"""Many reloads in a row, run inside the kernel lab: ``python -m kernel.reloads WALK --program krun|keepalived FOLDER``.

``FOLDER`` holds the steps, made on the host: ``NNN.conf`` and ``NNN.json`` (`support.reload_walks`). Figures are printed as
``figure NAME=VALUE`` lines; what may not be is an assertion for krun, and a figure for keepalived.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from kernel.traffic import traffic
from kernel.twin import twin

WALKS: dict[str, Callable[[str, Path], None]] = {"traffic": traffic, "twin": twin}


def main() -> int:
    """Play one walk; 0 when it holds, 1 with its assertion on stderr when it does not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("walk", choices=WALKS)
    parser.add_argument("--program", choices=("krun", "keepalived"), required=True)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    try:
        WALKS[options.walk](options.program, options.folder)
    except Exception:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
