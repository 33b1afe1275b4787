"""Run the fuzz targets for some seconds each: ``python fuzz/run.py [--seconds N] [TARGET…]``.

A target is a module in ``fuzz/targets`` with ``one_input(data: bytes) -> None``, which raises where it found a defect. Inputs
are the crashes and seeds in ``fuzz/crashes/<target>`` and ``fuzz/seeds/<target>``, mutated; with atheris installed and
``--atheris`` the mutation is guided by coverage. An input that raises, or takes longer than ``--slow`` seconds, is written to
``fuzz/crashes/<target>``, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import random
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent
WORDS = (
    b"{",
    b"}",
    b'"',
    b"$",
    b"${",
    b"=",
    b"@",
    b"~SEQ(",
    b"~LST(",
    b"include ",
    b"#",
    b"!",
    b"\\",
    b"\n",
    b"\r\n",
    b"\0",
    b"\xff",
    b"\xc3\xa9",
    b" ",
    b"\t",
    b"-1",
    b"0",
    b"255",
    b"256",
    b"4294967296",
    b"[]",
    b"null",
    b'"kir"',
)


def targets() -> dict[str, ModuleType]:
    """Name → module of every target."""
    found = {}
    for path in sorted((HERE / "targets").glob("fuzz_*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None or spec.loader is None:
            raise ImportError(str(path))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found[path.stem.removeprefix("fuzz_")] = module
    return found


def corpus(name: str) -> list[bytes]:
    """Crashes of the past and seeds of one target."""
    files = sorted((HERE / "crashes" / name).glob("*")) + sorted((HERE / "seeds" / name).glob("*"))
    return [f.read_bytes() for f in files if f.is_file() and f.name != ".gitkeep"]


def mutations(seeds: list[bytes], rng: random.Random) -> Iterator[bytes]:
    """Endless inputs: seeds cut, joined, overwritten and sprinkled with words that parsers dislike."""
    pool = seeds or [b""]
    while True:
        data = bytearray(rng.choice(pool))
        for _ in range(rng.choice((1, 1, 2, 4, 16))):
            at = rng.randrange(len(data) + 1)
            match rng.randrange(6):
                case 0:
                    data[at:at] = rng.choice(WORDS)
                case 1:
                    del data[at : at + rng.choice((1, 2, 8, 64))]
                case 2 if data:
                    data[rng.randrange(len(data))] = rng.randrange(256)
                case 3:
                    other = rng.choice(pool)
                    cut = rng.randrange(len(other) + 1)
                    data[at:] = other[cut:]
                case 4:
                    piece = bytes(data[at : at + rng.choice((1, 8, 64))])
                    data[at:at] = piece * rng.choice((1, 2, 50))
                case _:
                    data[at:at] = rng.randbytes(rng.choice((1, 4, 20)))
        yield bytes(data[: 1 << 16])


def campaign(name: str, one_input: Callable[[bytes], None], seconds: float, slow: float, seed: int) -> int:
    """Fuzz one target; the number of distinct failures."""
    rng = random.Random(seed)
    end = time.monotonic() + seconds
    failures: set[str] = set()
    runs = 0
    for data in mutations(corpus(name), rng):
        started = time.monotonic()
        if started > end:
            break
        runs += 1
        try:
            one_input(data)
        except Exception:
            where = traceback.extract_tb(sys.exc_info()[2])[-1]
            problem = f"{where.filename}:{where.lineno}"
            if problem not in failures:
                failures.add(problem)
                print(f"{name}: {_keep(name, data)}\n{traceback.format_exc()}", file=sys.stderr)
        took = time.monotonic() - started
        if took > slow and "slow" not in failures:
            failures.add("slow")
            print(f"{name}: {_keep(name, data)}: took {took:.1f} s", file=sys.stderr)
    print(f"{name}: {runs:,} inputs, {len(failures)} failures")
    return len(failures)


def _keep(name: str, data: bytes) -> Path:
    folder = HERE / "crashes" / name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(data).hexdigest()[:16]
    path.write_bytes(data)
    return path


def guided(name: str, one_input: Callable[[bytes], None], seconds: float) -> int:
    """The same with atheris (coverage-guided). It ends the process itself, so it runs in a child."""
    import os

    import atheris  # type: ignore[import-not-found]

    pid = os.fork()
    if pid == 0:
        atheris.instrument_all()
        folder = HERE / "crashes" / name
        folder.mkdir(parents=True, exist_ok=True)
        atheris.Setup(
            [sys.argv[0], f"-max_total_time={int(seconds)}", f"-artifact_prefix={folder}/", str(folder)],
            one_input,
        )
        atheris.Fuzz()
        os._exit(0)
    return int(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0)


def main() -> int:
    known = targets()
    ap = argparse.ArgumentParser(description="fuzz kcc and krun")
    ap.add_argument(
        "targets", nargs="*", choices=[*known, []], help=f"which (default: all): {', '.join(known)}"
    )
    ap.add_argument("--seconds", type=float, default=60, help="in all (default 60)")
    ap.add_argument(
        "--slow", type=float, default=5, help="an input that takes longer is a failure (default 5 s)"
    )
    ap.add_argument("--seed", type=int, default=None, help="for a run that can be repeated")
    ap.add_argument("--atheris", action="store_true", help="guided by coverage (needs atheris)")
    args = ap.parse_args()
    chosen = args.targets or list(known)
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    share = args.seconds / len(chosen)
    run = (
        (lambda n: guided(n, known[n].one_input, share))
        if args.atheris
        else (lambda n: campaign(n, known[n].one_input, share, args.slow, seed))
    )
    return 1 if sum(run(n) for n in chosen) else 0


if __name__ == "__main__":
    sys.exit(main())
