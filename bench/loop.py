"""What the scheduler of a child's event loop costs and saves: ``python bench/loop.py [OBJECTS]``.

The longest pause for garbage with so many living containers (600,000 unless given) while work makes more of it, as CPython does it and as
`krun.loop.garbage` does; and what a callback costs in asyncio's own loop and in `krun.loop.turns.Loop`. Each in a process of its own.
"""

from __future__ import annotations

import subprocess
import sys

PAUSES = """
import gc, sys, time
policy, count = sys.argv[1] == "krun", int(sys.argv[2])
heap = [[n] for n in range(count)]
took, began = [], [0]
def watch(phase, info):
    if phase == "start":
        began[0] = time.process_time()
    else:
        took.append(time.process_time() - began[0])
gc.collect()
gc.callbacks.append(watch)
if policy:
    from krun.loop.garbage import Garbage
    garbage = Garbage(20_000)
    garbage.begin()
    garbage.settle()
    took.clear()
kept = []
for turn in range(2_000):
    for _ in range(500):
        one = []
        one.append(one)
    kept += [[n] for n in range(100)]
    if policy:
        garbage.idle(10_000_000)
print(f"{max(took) * 1000:.2f} {sum(took) * 1000:.1f} {len(took)}")
"""

CALLBACKS = """
import asyncio, sys, time
if sys.argv[1] == "krun":
    from krun.loop.scheduler import Scheduler
    from krun.loop.turns import Loop
    loop = Loop(Scheduler("bench"))
else:
    loop = asyncio.SelectorEventLoop()
count = 200_000
left = [count]
def step():
    left[0] -= 1
    if left[0]:
        loop.call_soon(step)
    else:
        loop.stop()
loop.call_soon(step)
began = time.process_time()
loop.run_forever()
print(f"{(time.process_time() - began) / count * 1e6:.2f}")
"""


def run(script: str, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()


def main() -> int:
    count = sys.argv[1] if len(sys.argv) > 1 else "600000"
    for kind in ("CPython", "krun"):
        longest, total, times = run(PAUSES, kind, count).split()
        print(
            f"garbage, {int(count):,} objects, {kind:8} longest pause {longest} ms, {total} ms in {times} collections"
        )
    for kind in ("asyncio", "krun"):
        print(f"a callback and a turn, {kind:8} {run(CALLBACKS, kind)} us of CPU")
    return 0


if __name__ == "__main__":
    sys.exit(main())
