"""What runs in a forked child around the protocol process: loop, signals, control socket, the clock that says it is alive.

Signals, decided once for all children: they stay in the parent's process group, and SIGTERM, SIGINT and SIGHUP from the
terminal, the service manager or ``kill -- -PGID`` do nothing in them. A child ends in order when the parent says ``stop`` on
its control socket, and without a word when the parent is gone. So a signal to the whole group is one event, the parent's, and
there is no race between "told to stop" and "died".
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import os
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from kir.model import Config
from krun import logs
from krun.control.events import Ring, after, remember
from krun.control.framing import Message
from krun.control.server import Answer, ControlServer
from krun.control.state import pss_kb
from krun.kernel.door import KernelUnavailable
from krun.loop import descriptors
from krun.loop.books import Books, Entry
from krun.loop.clock import now_us
from krun.loop.memory import trim
from krun.loop.scheduler import Scheduler
from krun.loop.turns import Loop
from krun.parent import alive, blackbox, handover, privileges, promises
from krun.parent.accounting import Accounting
from krun.parent.child import Child
from krun.parent.context import ChildContext
from krun.parent.lateness import Lateness
from krun.parent.own import Own
from krun.parent.recorder import Recorder

log = logging.getLogger("krun.shell")

ALIVE_EVERY_S = 0.1
PARENT_GONE = signal.SIGUSR2
STUCK_END_S = 1.0
"""How long a child whose parent is gone may take to end by itself; then SIGALRM's default action ends it, loop or no loop."""

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PARENTS = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGRTMIN + 2,
    signal.SIGRTMAX,
)
"""What means the parent, and does nothing in a child."""

_HANDLED = (*_PARENTS, PARENT_GONE, signal.SIGCHLD)

Make = Callable[[ChildContext], Child]


@dataclass(frozen=True, slots=True)
class Birth:
    """What the shell is told beside the context: the parent's pid, how to log, whether to account for memory, and how long a callback
    may keep the event loop (None: what is usual for this process)."""

    parent_pid: int
    log_format: str = "text"
    log_level: int = logging.INFO
    memory_debug: bool = False
    budget_us: int | None = None
    log_where: str = logs.WHERE


def blocked_signals() -> set[int]:
    """Block what the shell handles; the parent calls this before the fork, and gives the result back to the mask after it."""
    old = signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
    return {int(number) for number in old}


def run(make: Make, context: ChildContext, birth: Birth, mask: Iterable[int]) -> NoReturn:
    """Be the child, from right after the fork to its end. Never returns and never unwinds into the parent's frames."""
    code = 1
    try:
        logs.setup(f"krun-{context.name}", birth.log_format, birth.log_level, birth.log_where)
        ring = remember(f"krun-{context.name}")
        own = _settle(context, birth)
        context.config = handover.read(context.config)
        scheduler = Scheduler(context.name, birth.budget_us)
        code = Shell(make, context, frozenset(mask), ring, scheduler, birth.memory_debug, own).run()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException as error:  # noqa: BLE001 - the last frame of this process
        say(error)
    finally:
        logs.finish()
        logging.shutdown()
        os._exit(code)


def say(error: BaseException) -> None:
    """One line about an unexpected error, and the traceback at debug level."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f" at {place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place is not None else ""
    log.critical("internal error, this process ends: %s: %s%s", type(error).__name__, error, where)
    log.debug("traceback", exc_info=error)


def _settle(context: ChildContext, birth: Birth) -> Own:
    """Make this process its own: signals off the parent's wake-up socket, descriptors closed, tied to the parent's life."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # The handler counts only once it stands; until then the signal is blocked.
    signal.signal(PARENT_GONE, partial(_parent_gone, birth.parent_pid))
    libc = ctypes.CDLL(None, use_errno=True)
    elsewhere: tuple[int, ...] = ()
    if context.ipvs_namespace >= 0:
        from krun.kernel import ipvs

        elsewhere = ipvs.reach(context.ipvs_namespace)
    own = Own(context.name, libc)
    own.adopt(context.config)
    for problem in own.problems:
        log.warning("%s", problem)
    if context.name in ("vrrp", "check"):  # what scripts inherit stays what the administrator gave krun
        descriptors.open_up()
    try:
        privileges.drop(context.name, privileges.keeps(context.name, context.config), libc)
    except OSError as error:
        log.warning("runs with all of the parent's privileges: %s", _words(error))
    libc.prctl(_PR_SET_PDEATHSIG, PARENT_GONE.value, 0, 0, 0)
    if os.getppid() != birth.parent_pid:  # it died between fork and prctl
        os._exit(0)
    needed = (
        0,
        1,
        2,
        context.listener.fileno(),
        context.channel.fileno(),
        context.region,
        handover.inherited(context.config),
        *logs.descriptors(),
    )
    close_all_but(fd for fd in (*needed, *elsewhere) if fd >= 0)
    gc.freeze()  # what came with the fork is never garbage; do not touch its pages
    return own


def _recall(context: ChildContext) -> None:
    """What the predecessor left in the memory that this process goes on with."""
    if context.region >= 0:
        context.keeper = promises.PromiseWriter(context.region)
        left = context.keeper.left
        context.promises, context.renewed, context.promised_at_us = left.values, left.renewed, left.alive_us


def _let_go() -> None:
    """In a fork of a child that writes something down and ends: it is nobody's child, listens nowhere and hears no signal of ours."""
    for number in _HANDLED:
        signal.signal(number, signal.SIG_IGN)
    signal.set_wakeup_fd(-1)
    close_all_but((0, 1, 2))


def close_all_but(keep: Iterable[int]) -> None:
    """Close every descriptor that is not in ``keep``."""
    low = 0
    for fd in sorted(set(keep)):
        if low < fd:  # os.closerange(0, 0) would close everything: it asks the kernel for 0 to -1
            os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, max(os.sysconf("SC_OPEN_MAX"), 65536))


def _parent_gone(parent: int, _number: int, _frame: object) -> None:
    """The channel's end of file lets the child end cleanly; this is for a child whose loop does not turn.

    While ``parent`` lives the signal comes from somebody who means the parent (`krun.parent.accounting`) and tells the whole group.
    """
    if os.getppid() == parent:
        return
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, STUCK_END_S)


class Shell:
    """One child's life in its event loop."""

    def __init__(
        self,
        make: Make,
        context: ChildContext,
        mask: frozenset[int],
        ring: Ring,
        scheduler: Scheduler,
        memory_debug: bool = False,
        own: Own | None = None,
    ) -> None:
        self._own = own
        self._lateness = Lateness(context.channel, context.config.global_defs.min_auto_priority_delay_us)
        self._due = 0
        self._make = make
        self._context = context
        self._mask = mask
        self._ring = ring
        self._scheduler = scheduler
        self._loop = Loop(scheduler)
        self._exit: asyncio.Future[int] = self._loop.create_future()
        self._child: Child | None = None
        self._starting: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._digest = context.digest
        self._config = context.config
        self._prepared: tuple[str, Config] | None = None
        self._debug = memory_debug
        self._server: ControlServer | None = None
        self._accounting = Accounting(context.name, self._loop, self._books, debug=memory_debug)
        self._recorder = Recorder()

    def run(self) -> int:
        """Returns the exit status."""
        asyncio.set_event_loop(self._loop)
        self._loop.set_exception_handler(self._unexpected)
        for number in _PARENTS:
            self._loop.add_signal_handler(number, self._ignored, number)
        self._lateness.watch_limit()
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        self._scheduler.garbage.begin()
        # Long work that breathes does not turn the loop, and is not stuck either: the parent must not kill it in a takeover.
        self._scheduler.lived = lambda: alive.write(self._context.alive, now_us())
        context = self._context
        context.channel.setblocking(False)
        self._loop.add_reader(context.channel.fileno(), self._channel_readable)
        server = self._server = ControlServer(self._loop, context.listener, self._request)
        _recall(context)
        self._tick(context)
        self._child = self._make(context)
        self._starting = self._loop.create_task(self._start(self._child))
        code = self._loop.run_until_complete(self._exit)
        server.close()
        return code

    def _end(self, code: int) -> None:
        if not self._exit.done():
            self._exit.set_result(code)

    def _tick(self, context: ChildContext) -> None:
        now = now_us()
        alive.write(context.alive, now)
        if context.keeper is not None:
            context.keeper.alive(now)
        self._lateness.turned(now - self._due if self._due else 0)
        self._due = now + int(ALIVE_EVERY_S * 1_000_000)
        logs.tick()
        self._loop.call_later(ALIVE_EVERY_S, self._tick, context)

    def _ignored(self, number: int) -> None:
        try:
            name = signal.Signals(number).name
        except ValueError:  # one of the real-time signals between the first and the last
            name = f"signal {number}"
        log.debug("%s does nothing here: krun's parent process takes it", name)

    # -- beginning and end

    async def _start(self, child: Child) -> None:
        try:
            await child.start(self._loop)
        except KernelUnavailable as error:
            log.error("cannot start: %s", error)
            self._end(1)
            return
        except OSError as error:
            log.error("cannot start: %s", _words(error))
            self._end(1)
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends this process with one line
            say(error)
            self._end(1)
            return
        try:
            promises.ready(self._context.channel)
        except OSError:
            return  # the parent is gone; the channel's reader ends us
        log.debug("ready")
        # What only the beginning needed: a predecessor's word for 30,000 servers is not kept for life.
        self._context.promises, self._context.renewed = {}, {}
        self._scheduler.settle(freeze=not self._debug)
        trim()
        self._loop.call_soon(self._accounting.start)

    async def _stop(self, answer: Answer, budget_s: float) -> None:
        assert self._child is not None
        if self._starting is not None and not self._starting.done():
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        code = 0
        try:
            await asyncio.wait_for(self._child.stop(), budget_s)
        except TimeoutError:
            log.error("the orderly stop was not done within %.1f s", budget_s)
            code = 1
        except Exception as error:  # noqa: BLE001 - it must end all the same
            say(error)
            code = 1
        answer({"ok": code == 0})
        self._end(code)

    def _channel_readable(self) -> None:
        try:
            data = self._context.channel.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            return
        self._loop.remove_reader(self._context.channel.fileno())
        if self._exit.done():
            return
        log.warning("krun's parent process is gone: this one ends too and leaves everything as it is")
        try:
            if self._child is not None:
                self._child.abandon()
        except Exception as error:  # noqa: BLE001 - it must end all the same
            say(error)
        self._end(0)

    def _unexpected(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, Exception):
            self._broke(error)
            self._end(1)
        else:
            log.warning("event loop: %s", context.get("message", "?"))

    def _books(self) -> Books:
        """All that this process owns."""
        yield Entry("configuration", "that runs", self._config)
        yield Entry("configuration", "that it was born with", self._context.config)
        if self._prepared is not None:
            yield Entry("configuration", "prepared", self._prepared[1])
        if self._server is not None:
            yield from self._server.books()
        if self._child is not None and self._starting is not None and self._starting.done():
            yield from self._child.books()

    def _broke(self, error: BaseException) -> None:
        say(error)
        blackbox.save(self._child, self._context, error, _let_go)

    # -- requests

    def _request(self, request: Message, answer: Answer) -> None:
        operation = request.get("op")
        child = self._child
        self._scheduler.doing(f"the request {operation!r}")
        if operation == "hello":
            answer(
                {"ok": True, "nonce": request.get("nonce"), "name": self._context.name, "pid": os.getpid()}
            )
        elif operation == "events":
            answer({"ok": True, "events": after(self._ring, request.get("since"))})
        elif operation == "memory":
            self._accounting.answer(request, answer)
        elif child is None:
            answer({"ok": False, "error": "not started yet"})
        elif operation == "status":
            outlook = getattr(child, "outlook", None) if request.get("for") == "plan" else None
            try:
                status = child.status() if outlook is None else outlook()
                said = {"digest": self._digest, "status": status, "loop": self._scheduler.document()}
                if request.get("memory"):
                    said["pss_kb"] = pss_kb(os.getpid())
                own = self._own.problems if self._own is not None else []
                answer({"ok": True, **said, "unfulfilled": own, "log": logs.counts()})
            except Exception as error:
                log.error("no status: %s: %s", type(error).__name__, error)
                log.debug("traceback", exc_info=error)
                answer({"ok": False, "error": f"{type(error).__name__}: {error}"})
        elif operation == "summary":
            answer({"ok": True, "summary": self._summary(child)})
        elif operation in ("prepare", "commit") and self._stopping is not None:
            answer({"ok": False, "error": "it is stopping"})
        elif operation == "prepare":
            if "drain_us" in request:
                self._context.drain_us = int(request["drain_us"])
            self._prepare(child, request, answer)
        elif operation == "commit":
            self._commit(child, answer)
        elif operation == "abort":
            self._prepared = None
            child.abort()
            answer({"ok": True})
        elif operation == "stop":
            if self._stopping is None:
                self._stopping = self._loop.create_task(
                    self._stop(answer, float(request.get("budget_s", 5.0)))
                )
        elif operation == "overlays":
            self._order(child, request, answer)
        elif operation == "record":
            self._recorder.answer(child, request, answer)
        else:
            answer({"ok": False, "error": f"unknown request {operation!r}"})

    def _summary(self, child: Child) -> dict[str, Any]:
        """Numbers for one line (`krun.parent.service`), where the child counts anything."""
        try:
            summary: dict[str, Any] = getattr(child, "summary", dict)()
        except Exception as error:
            log.error("no summary: %s: %s", type(error).__name__, error)
            log.debug("traceback", exc_info=error)
            return {}
        return summary

    def _order(self, child: Child, request: Message, answer: Answer) -> None:
        """What one kind of child does beyond the contract of all (`krun.check.process.CheckChild.order`)."""
        if self._starting is not None and not self._starting.done():
            self._starting.add_done_callback(lambda _task: self._order(child, request, answer))
            return
        order = getattr(child, "order", None)
        if order is None:
            answer({"ok": False, "error": f"this process knows no request {request.get('op')!r}"})
            return
        try:
            answer({"ok": True, "done": order(request)})
        except ValueError as error:
            answer({"ok": False, "error": _words(error)})

    def _prepare(self, child: Child, request: Message, answer: Answer) -> None:
        if self._starting is not None and not self._starting.done():
            self._starting.add_done_callback(lambda _task: self._prepare(child, request, answer))
            return
        digest = str(request.get("digest"))
        try:
            if request.get("has") != self._digest:
                raise ValueError(f"this process runs {self._digest[:19]}, and the parent thinks otherwise")
            config = handover.unpack(Path(str(request.get("path"))).read_bytes(), self._config)
            operations = child.prepare(config, digest)
        except (ValueError, OSError, msgspec.MsgspecError) as error:
            child.abort()
            answer({"ok": False, "error": _words(error)})
            return
        except Exception as error:
            log.error("reload refused: %s: %s", type(error).__name__, error)
            log.debug("traceback", exc_info=error)
            child.abort()
            answer({"ok": False, "error": f"internal error: {type(error).__name__}: {error}"})
            return
        self._prepared = (digest, config)
        answer({"ok": True, "operations": operations})

    def _commit(self, child: Child, answer: Answer) -> None:
        if self._prepared is None:
            answer({"ok": False, "error": "nothing was prepared"})
            return
        (digest, config), self._prepared = self._prepared, None
        try:
            result = child.commit()
        except Exception as error:  # noqa: BLE001 - said in one line
            # Half applied: the successor reads the kernel and brings the rest about.
            self._broke(error)
            answer({"ok": False, "error": f"{type(error).__name__}: {error}"})
            self._end(1)
            return
        self._digest, self._config = digest, config
        self._context.config, self._context.digest = config, digest  # the first one is let go of
        self._lateness.delay_us = config.global_defs.min_auto_priority_delay_us
        if self._own is not None:
            self._own.adopt(config)
        answer({"ok": True, **result})
        self._accounting.reloaded()
        self._loop.call_soon(self._settle)

    def _settle(self) -> None:
        """When nothing of the reload is on the stack any more: the new configuration lives as long as the process."""
        self._scheduler.settle(freeze=not self._debug)
        trim()


def _words(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__


__all__ = ["Birth", "Make", "Shell", "blocked_signals", "close_all_but", "run", "say"]
