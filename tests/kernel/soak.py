"""The soak with a kernel that has IPVS: `run` on the host starts ``python -m kernel.soak SEED RELOADS WARM_UP`` inside the kernel lab.

As users run it: to read all objects at each reload takes the lab so long that processes are taken for stuck.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from lab import kernel_lab
from lab.netns import Segment
from support.soak import Soak, Verdict

TESTS = Path(__file__).parents[1]
MARK = "verdict "


def run(seed: int, reloads: int, warm_up: int) -> Verdict:
    """The verdict of a soak in the lab. Raises AssertionError where it did not come to one."""
    argv = [sys.executable, "-m", "kernel.soak", str(seed), str(reloads), str(warm_up)]
    done = kernel_lab.run(
        argv, timeout=120 + (reloads + warm_up) * 2, cwd=TESTS, env={"PYTHONPATH": str(TESTS)}
    )
    for line in done.stdout.splitlines():
        if line.startswith(MARK):
            return Verdict(**json.loads(line.removeprefix(MARK)))
    raise AssertionError(f"no verdict:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


def main() -> int:
    """Inside: one director with all of its processes, and the servers that it checks."""
    seed, reloads, warm_up = map(int, sys.argv[1:])
    with (
        Segment({"one": ["192.0.2.1/24", "2001:db8::1/64"]}, label="soak") as segment,
        segment.directors["one"],
        Soak(seed, kernel="linux", configurations=12, descriptors=16) as soak,
    ):
        try:
            verdict = soak.run(reloads, warm_up)
        except BaseException:
            print(soak.log.read_text()[-3000:])
            raise
    print(MARK + json.dumps(asdict(verdict)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
