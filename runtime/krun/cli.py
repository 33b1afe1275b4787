"""``krun IR.json``: run a director in the foreground."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kir import __version__
from krun.place import DEFAULT_RUN_DIR, run_dir_of
from krun.record.ring import DEFAULT_LIMIT

if TYPE_CHECKING:
    from kir.model import Config
    from krun.control.metrics.address import Where


OK, INTERNAL, UNUSABLE = 0, 1, 2


def parser() -> argparse.ArgumentParser:
    """The command line of ``krun``."""
    p = argparse.ArgumentParser(
        prog="krun",
        description="Run a director from the IR that `kcc build` wrote: VRRP, virtual addresses, health checks, IPVS.",
        epilog="SIGHUP reloads, SIGTERM stops in order, SIGUSR1 writes the state to RUN_DIR/krun-state.json, "
        "SIGUSR2 the counters to RUN_DIR/krun.stats, SIGRTMAX the account of memory to RUN_DIR/krun-memory.json. "
        "Exit status: 0 after an ordinary stop, 1 on an internal error, 2 on an unusable IR or arguments.",
    )
    p.add_argument("ir", metavar="IR.json", type=Path, help="the compiled configuration")
    p.add_argument(
        "--kernel",
        choices=("linux", "memory"),
        default="linux",
        help="what is changed: this machine, or a picture of one in memory (for trying things out) [linux]",
    )
    p.add_argument(
        "--run-dir",
        metavar="DIR",
        type=Path,
        help=f"where sockets and pid files live, one for each krun [{DEFAULT_RUN_DIR}, or {DEFAULT_RUN_DIR}-NAME with `instance NAME`]",
    )
    p.add_argument(
        "--pid",
        metavar="FILE",
        type=Path,
        help="write the pid of the parent into this file as well, as long as krun runs [only RUN_DIR/krun.pid]",
    )
    p.add_argument(
        "--core-dump",
        action="store_true",
        help="let krun's processes dump core when they crash (no limit to its size); where it goes is the kernel's core_pattern. Scripts dump none",
    )
    p.add_argument(
        "--log-format", choices=("text", "json"), default="text", help="log lines on stderr [text]"
    )
    p.add_argument(
        "--log",
        metavar="WHERE",
        type=_log,
        default="stderr",
        help="where log lines go: stderr (under systemd, to the journal in its own protocol), journal, or syslog[:FACILITY] [stderr]",
    )
    p.add_argument("--debug", action="store_true", help="log more, with tracebacks of internal errors")
    p.add_argument(
        "--memory-debug",
        action="store_true",
        help="log each minute and after each reload whose objects came, went, and were left behind",
    )
    p.add_argument(
        "--drain",
        metavar="T",
        type=_drain,
        default=0,
        help="real servers and services that a reload removes get no new connections from then on, and are deleted when they have none"
        " left or after this time (90s, 5m, 1h30m); `krunctl reload --drain` sets it for one reload [0: at once]",
    )
    p.add_argument(
        "--audit",
        metavar="T",
        type=_time,
        default=10_000_000,
        help="how often the kernel's IPVS table is compared with what krun put there [10s]",
    )
    p.add_argument(
        "--max-scripts",
        metavar="N",
        type=_scripts,
        default=64,
        help="how many track, check and notify scripts run at once; more wait, and a quarter of the places is kept for either kind [64]",
    )
    p.add_argument(
        "--record",
        metavar="N",
        type=_count,
        default=DEFAULT_LIMIT,
        help="how many messages each process remembers of what it was told and decided, for `krunctl record`; some 15 octets each,"
        f" 0: none [{DEFAULT_LIMIT}]",
    )
    p.add_argument(
        "--hello",
        metavar="T",
        type=_time,
        default=5_000_000,
        help="how often each process must show that its event loop turns, at most; the VRRP process is asked four times within its"
        " shortest master-down interval, where that is less [5s]",
    )
    p.add_argument(
        "--metrics",
        metavar="WHERE",
        type=_where,
        help="serve metrics for Prometheus: unix:/PATH, 127.0.0.1:9650 or [::1]:9650; nothing but a unix socket or the loopback [off]",
    )
    p.add_argument(
        "--control-group",
        metavar="GROUP",
        type=_group,
        help="members of this group may look: krunctl status, top, explain, events, overlays, metrics, plan; changing anything takes root [nobody]",
    )
    p.add_argument(
        "--budget",
        metavar="PROCESS=T",
        type=_budget,
        action="append",
        default=[],
        help="how long one piece of work may keep a process (vrrp, check, script, metrics) from everything else before it is reported, as in"
        " check=50ms; may be given several times [vrrp=20ms check=100ms, others 250ms]",
    )
    p.add_argument(
        "--check-start",
        action="store_true",
        help="say as one line of JSON whether this program could go on with what runs with this run directory, touch nothing, and end",
    )
    p.add_argument("--version", action="version", version=f"krun {__version__}")
    return p


def _budget(text: str) -> tuple[str, int]:
    from krun.loop.budget import parse

    try:
        return parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _log(text: str) -> str:
    from krun.logs.syslog import FACILITIES

    where, _, facility = text.partition(":")
    if text not in ("stderr", "journal", "syslog") and not (where == "syslog" and facility in FACILITIES):
        known = ", ".join(FACILITIES)
        raise argparse.ArgumentTypeError(
            f"{text!r} is none of stderr, journal, syslog and syslog:FACILITY, where FACILITY is one of {known}"
        )
    return text


def _drain(text: str) -> int:
    if text.strip() == "0":
        return 0
    return _time(text)


def _scripts(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 2 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 2 to 1024")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) > 50_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of messages, from 0 to 50000000")
    return int(text)


def _where(text: str) -> Where:
    from krun.control.metrics.address import parse

    try:
        return parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _group(text: str) -> int:
    from krun.control.access import find_group

    try:
        return find_group(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _time(text: str) -> int:
    from krun.control.duration import parse_us

    try:
        return parse_us(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    options = parser().parse_args(argv)
    # Process 1 of a container has no default action for a signal, so until the parent's loop turns a stop would do nothing; and a reload
    # that is asked for while the IR is being read must not be the end.
    signal.signal(signal.SIGTERM, _stop_early)
    signal.signal(signal.SIGINT, _stop_early)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        return _run(options)
    except Exception as error:
        _complain(f"internal error: {type(error).__name__}: {error}")
        logging.getLogger("krun").debug("traceback", exc_info=error)
        return INTERNAL


def _run(options: argparse.Namespace) -> int:
    from kir.codec import Document, IrError
    from krun.parent.beginning import begin, read
    from krun.parent.legacy import received
    from krun.parent.store import Store

    legacy = received()
    given: Document | IrError
    unreadable = ""
    try:
        given = read(options.ir)
    except IrError as error:
        given, unreadable = error, str(error)
    if options.run_dir is None:
        instance = given.config.global_defs.instance if isinstance(given, Document) else None
        options.run_dir = run_dir_of(instance)
    store = Store(options.run_dir.absolute())
    if options.check_start:
        from krun.parent import checkstart

        return checkstart.run(options.ir, given, store.folder, options.kernel)
    if unreadable and not store.file.exists():  # else an earlier krun may have left something to go on with
        _complain(unreadable)
        return UNUSABLE

    from krun import logs
    from krun.control.server import sun_path_problem
    from krun.kernel.namespaces import NamespaceError, enter
    from krun.notify.client import SOCKET_NAME
    from krun.parent.periods import Periods
    from krun.parent.pidfile import PidFile, PidFileError
    from krun.parent.rundir import RunDir, RunDirError
    from krun.parent.slot import Settings
    from krun.parent.supervise import Supervisor

    # The longest name of a socket there.
    too_long = sun_path_problem(options.run_dir.absolute() / SOCKET_NAME)
    if too_long:
        _complain(too_long)
        return UNUSABLE
    level = logging.DEBUG if options.debug else logging.INFO
    logs.setup("krun", options.log_format, level, options.log)
    logs.descriptors()  # opened now, so that who starts krun sees what is wrong
    if logs.problem():
        _complain(f"log lines wait: {logs.problem()}")
    if isinstance(given, Document) and not _may(given.config, options.kernel):
        return UNUSABLE
    try:
        run_dir = RunDir(options.run_dir.absolute(), options.control_group)
    except RunDirError as error:
        _complain(str(error))
        return INTERNAL
    pid_file = None
    try:
        if options.pid is not None:
            try:
                pid_file = PidFile(options.pid.absolute())
            except PidFileError as error:
                _complain(str(error))
                return INTERNAL
        try:
            begun = begin(options.ir, given, store)
        except IrError as error:
            _complain(str(error))
            return UNUSABLE
        if begun.document is not given and not _may(begun.document.config, options.kernel):
            return UNUSABLE
        ipvs = -1
        if options.kernel == "linux":
            try:
                ipvs = enter(begun.document.config.global_defs.namespaces, again=legacy is not None)
            except NamespaceError as error:
                store.update(stopped=True)  # nothing ran: the next start reads the file
                _complain(str(error))
                return UNUSABLE
        if options.core_dump:
            _dump_core()
        _give_up(begun.document.config)
        settings = Settings(
            run_dir,
            options.kernel,
            options.log_format,
            level,
            options.memory_debug,
            drain_us=options.drain,
            audit_us=options.audit,
            record=options.record,
            metrics=options.metrics,
            control_group=options.control_group,
            max_scripts=options.max_scripts,
            budgets_us=dict(options.budget),
            ipvs_namespace=ipvs,
            log_where=options.log,
        )
        supervisor = Supervisor(
            begun, settings, store, periods=Periods(hello=options.hello / 1e6), legacy=legacy
        )
        del begun, given  # the first IR is not kept for life
        return supervisor.run()
    finally:
        if pid_file is not None:
            pid_file.release()
        run_dir.release()


def _dump_core() -> None:
    """Whatever limit there is, up to the hard one."""
    import resource

    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


def _stop_early(_number: int, _frame: object) -> None:
    """Stopped before there are children: nothing was touched. Not by an exception, which may come up anywhere: msgspec does not survive one
    while it makes a decoder.
    """
    os._exit(OK)


def _give_up(config: Config) -> None:
    """The privileges that neither the parent nor any child of it ever needs."""
    import ctypes

    from krun.parent import privileges

    try:
        privileges.drop_in_parent(config, ctypes.CDLL(None, use_errno=True))
    except OSError as error:
        logging.getLogger("krun").warning("runs with all the privileges that it was started with: %s", error)


def _may(config: Config, kernel: str) -> bool:
    """Whether this process has the rights that ``config`` needs; what it lacks is said. A kernel in memory needs none."""
    if kernel != "linux":
        return True
    from krun.parent import preflight

    found = preflight.missing(config, preflight.Rights.here())
    for lack in found:
        if lack.fatal:
            _complain(str(lack))
        else:
            logging.getLogger("krun").warning("%s", lack)
    return not any(lack.fatal for lack in found)


def _complain(words: str) -> None:
    sys.stderr.write(f"krun: {words}\n")
