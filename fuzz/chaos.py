"""Long stories of things that happen to a director, one seed after the other: ``python fuzz/chaos.py [--events N] [--seed S] [--stories K]``
(root).

The same as ``tests/wire/test_chaos.py``, as long as you like. A story that fails is printed with its seed, the last events and the log;
the exit status is 1 then.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from wire.chaos import play


def main() -> int:
    """The exit status: 0 when nothing was seen outside in any story."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stories", type=int, default=1, help="further ones with the seeds that follow")
    options = parser.parse_args()
    status = 0
    for seed in range(options.seed, options.seed + options.stories):
        report = play(seed, options.events)
        failures = report.failures()
        print(
            f"seed {seed}: {report.events.total()} events in {report.took:.0f} s, longest gap {report.longest_gap:.3f} s, "
            f"{report.masters} changes of master: {'; '.join(failures) or 'nothing seen'}",
            flush=True,
        )
        if failures:
            print(report.logs)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
