"""Reload a director thousands of times and see that it does not grow: ``python fuzz/soak.py [--reloads N] [--seed S] [VARIANT…]``.

Variants: ``debug`` and ``normal`` run VRRP, checks and services on the kernel in memory, with and without ``--memory-debug``; ``linux`` runs VRRP
against a peer on a real kernel, in network namespaces; ``ipvs`` has the kernel lab's IPVS (a tenth of the reloads). The exit status is 1 where
something grew.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support.soak import VARIANTS, campaign


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument(
        "--reloads",
        type=int,
        default=10_000,
        help="of each variant, after a warm-up of a tenth, 500 at least [10000]",
    )
    p.add_argument("--seed", type=int, default=int(time.time()), help="[the time]")
    p.add_argument(
        "variants", nargs="*", choices=[*VARIANTS, []], default=[], help=f"{', '.join(VARIANTS)} [all]"
    )
    options = p.parse_args()
    bad = False
    for name in options.variants or VARIANTS:
        print(f"{name}: {options.reloads} reloads, seed {options.seed}", flush=True)
        verdict = campaign(name, options.seed, options.reloads)
        print("\n".join(f"  {line}" for line in verdict.table))
        print(f"  {verdict.seconds:.0f} s; " + ("nothing grew" if not verdict.complaints else "GREW:"))
        for complaint in verdict.complaints:
            print(f"  {complaint}")
        bad = bad or bool(verdict.complaints)
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
