"""What `kcc check` knows beyond a single file: the facts of hosts (``--host``), and the other directors (``--cluster``)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from kcc.compile import Compiled
    from kcc.source.options import Options
    from kir.facts import Facts


class UsageError(Exception):
    """The words of the command line do not fit together, or facts cannot be read; the text says what to do."""


def add_beyond(parser: argparse.ArgumentParser) -> None:
    """The arguments of this module."""
    parser.add_argument(
        "--cluster",
        action="store_true",
        help="the files are the directors of one cluster: check them against each other too",
    )
    parser.add_argument(
        "--host",
        metavar="FACTS",
        action="append",
        default=[],
        help="facts of the host that `krunctl facts` wrote there; give it once for all files, or once for each, in their order",
    )


class Beyond(msgspec.Struct, frozen=True):
    """``facts``: of the host of each file, in the order of the files, None where there are none."""

    cluster: bool
    facts: tuple[Facts | None, ...]

    @property
    def active(self) -> bool:
        """Whether anything is judged beyond the single file: the compiled inputs are needed then, not only what was found."""
        return self.cluster or any(f is not None for f in self.facts)

    def options(self, number: int, options: Options) -> Options:
        """Reading options for file ``number``: `@ID` lines are those of its host, where nothing else was said."""
        facts = self.facts[number]
        if facts is None or options.config_id is not None:
            return options
        return msgspec.structs.replace(options, config_id=facts.hostname.partition(".")[0])

    def judge(self, results: Sequence[Compiled], target: str) -> None:
        """Add what follows from facts and from the other directors to the findings of ``results``."""
        for result, facts in zip(results, self.facts, strict=True):
            if facts is not None and result.lowered is not None:
                from kcc.hosts import judge_host

                judge_host(result.lowered, facts, result.findings, target)
        if self.cluster:
            from kcc.cluster import Director, judge_cluster

            shared = len({r.name for r in results}) < len(results)
            directors = [
                Director(facts.hostname if shared and facts else r.name, r.lowered, r.findings, facts)
                for r, facts in zip(results, self.facts, strict=True)
                if r.lowered is not None
            ]
            judge_cluster(directors, target)


def beyond(args: argparse.Namespace) -> Beyond:
    """Read what the command line names. Raises `UsageError`."""
    files, named = args.files, args.host
    if args.cluster and len(files) < 2:
        raise UsageError("--cluster compares directors with each other: give the file of each, at least two")
    if args.cluster and len(set(files)) < len(files) and not named:
        raise UsageError(
            "--cluster got the same file twice; where all directors share one file, give the facts of each with --host"
        )
    if not named:
        return Beyond(args.cluster, (None,) * len(files))
    if len(named) not in (1, len(files)) or (args.cluster and len(named) == 1):
        raise UsageError(
            f"--host was given {len(named)} time{'s' * (len(named) != 1)} for {len(files)} files: "
            + ("give it once for each director" if args.cluster else "give it once, or once for each file")
            + ", in the order of the files"
        )
    from kir.facts import FactsError, load_path

    try:
        read = [load_path(name) for name in named]
    except FactsError as e:
        raise UsageError(str(e)) from None
    return Beyond(args.cluster, tuple(read) if len(read) == len(files) else tuple(read) * len(files))
