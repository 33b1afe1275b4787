"""One command inside a User-Mode Linux kernel that has IPVS, on the host's own files.

::

    python -m lab.kernel_lab [options] -- CMD [ARG...]

The guest sees the host's file tree (hostfs), so the command is the same binary, virtual environment and
test tree as on the host, running as root on a private kernel. Neither root nor anything of the host's
kernel but ptrace is needed. What the command writes stays in the guest's memory, except below
``$KERNEL_LAB`` (the run directory) and the directories named by ``--rw``. stdout, stderr and the exit
status are those of the command; the lab's own exit statuses are those of env, timeout and docker::

    124 timeout    125 the lab itself failed    126, 127 as a shell    128+N the command died of signal N

Debian packages: user-mode-linux ipvsadm iproute2 kmod busybox-static.

What to know when writing guest scripts: one CPU, HZ=100. User code runs at native speed, but a system
call costs 15 us, a fork 2 ms and an exec 8 ms, so start few programs. IPVS statistics are copied every
two seconds. nftables has no ``ip``, ``ip6`` and ``inet`` families. Timers below 100 ms are not exact.
A fresh namespace needs its loopback up before IPVS accepts a destination in it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from lab.processes import OWNER_VARIABLE, identity, sweep

__all__ = ["LAB_FAILED", "TIMED_OUT", "Outcome", "problem", "run"]

TIMED_OUT = 124
LAB_FAILED = 125

#: Loaded before the command; everything else is loaded when the guest's kernel asks for it.
MODULES = ("ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_lc", "ip_vs_wlc", "ip_vs_sh", "ip_vs_mh", "dummy", "veth")

#: Seconds between SIGTERM and SIGKILL in the guest, and after which the whole lab is killed.
TERM_GRACE, LAB_GRACE = 5, 20

_INHERITED = ("HOME", "LANG", "LC_ALL", "TERM", "PYTHONPATH", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE", "TZ")

# The guest's init. It runs on the host's tree itself, under busybox, whose sh prefers its own applets
# (its ip is not iproute2): absolute paths only. It makes a private root (an overlay of the host's tree
# and a tmpfs) and runs the command there. Modules that the kernel asks for are loaded from outside that
# root: request_module() runs its program in the kernel's own.
_INIT = r"""#!/bin/busybox sh
B=/bin/busybox
die() { echo "$*" > @RUN@/failed; $B poweroff -f; }
$B mount -t proc proc /proc
$B mount -t tmpfs -o mode=755 tmpfs /run
$B mkdir -p /run/modules/lib /run/layer /run/root
$B ln -s @MODULE_TREE@ /run/modules/lib/modules
$B printf '#!/bin/busybox sh\nexec /sbin/modprobe -d /run/modules "$@"\n' > /run/modprobe
$B chmod 755 /run/modprobe
echo /run/modprobe > /proc/sys/kernel/modprobe
/sbin/modprobe -d /run/modules -a overlay @MODULES@ || die "modprobe @MODULES@"
$B mount -t tmpfs -o mode=755 tmpfs /run/layer
$B mkdir -p /run/layer/upper /run/layer/work
$B mount -t overlay overlay -o lowerdir=/,upperdir=/run/layer/upper,workdir=/run/layer/work /run/root \
    || die overlay
N=/run/root
$B mount -t proc proc $N/proc
$B mount -t sysfs sys $N/sys
$B mount -t devtmpfs dev $N/dev
$B mkdir -p $N/dev/pts $N/dev/shm $N/lib/modules
$B mount -t devpts -o ptmxmode=666 devpts $N/dev/pts
$B mount -t tmpfs tmpfs $N/dev/shm
$B mount -t tmpfs -o mode=755 tmpfs $N/run
$B mkdir -p $N/run/netns $N/run/lock
$B mount -o bind @MODULE_TREE@ $N/lib/modules
for d in @RUN@ @SHARES@; do $B mkdir -p $N$d; $B mount -o bind $d $N$d || die "share $d"; done
$B ip link set lo up
$B hostname kernel-lab
echo 1 > @RUN@/started
/usr/sbin/chroot $N /usr/bin/timeout -k @TERM_GRACE@ @TIMEOUT@ /bin/sh @RUN@/command.sh \
    < @STDIN@ > @RUN@/stdout 2> @RUN@/stderr
echo $? > @RUN@/status.new
$B dmesg > @RUN@/dmesg 2>/dev/null
$B mv @RUN@/status.new @RUN@/status
$B poweroff -f
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command in the lab ended. ``lab_error`` is empty unless the lab itself failed (status 125) or
    had to be killed (124); ``wall`` and ``cpu`` are the host's seconds for the whole lab, boot included."""

    status: int
    stdout: str
    stderr: str
    lab_error: str
    wall: float
    cpu: float


@dataclass(slots=True)
class _Lab:
    """One run: its directory, what is to be run in it, and the kernel's process."""

    directory: Path
    argv: Sequence[str]
    timeout: float
    memory: str
    cwd: Path
    env: Mapping[str, str]
    writable: Sequence[Path]
    modules: Sequence[str]
    stdin: bytes
    pin: bool
    process: subprocess.Popen[bytes] | None = field(default=None)


def problem() -> str | None:
    """Why the lab cannot be used here, with what to install; None when it can."""
    if not sys.platform.startswith("linux"):
        return "User-Mode Linux runs on Linux only"
    if _find_kernel() is None:
        return "User-Mode Linux is not installed: apt install user-mode-linux"
    for path, package in (
        ("/bin/busybox", "busybox-static"),
        ("/sbin/modprobe", "kmod"),
        ("/sbin/ipvsadm", "ipvsadm"),
        ("/bin/ip", "iproute2"),
    ):
        if not os.access(path, os.X_OK):
            return f"{path} is not there: apt install {package}"
    return None


def run(
    argv: Sequence[str],
    *,
    timeout: float = 120.0,
    memory: str = "512M",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    writable: Sequence[Path] = (),
    modules: Sequence[str] = MODULES,
    stdin: bytes = b"",
    pin: bool = True,
    follow: tuple[IO[bytes], IO[bytes]] | None = None,
    keep: bool = False,
) -> Outcome:
    """Run ``argv`` in a kernel of its own and return how it ended; never raises for what the guest does.

    ``timeout`` is for the command, in seconds: SIGTERM in the guest, SIGKILL 5 s later, the whole lab
    killed after another 15 s. ``env`` is added to a small environment of the host's; ``writable`` are
    directories in which the guest's writes reach the host. ``follow`` gets stdout and stderr as they
    come. ``pin`` keeps the guest on one CPU: the kernel and its processes hand over to each other at
    every system call, and doing so across two CPUs makes each four times as expensive. ``keep`` leaves
    the run directory behind and names it on stderr.
    """
    sweep()
    lab = _Lab(
        directory=Path(tempfile.mkdtemp(prefix="kernel-lab.")),
        argv=argv,
        timeout=timeout,
        memory=memory,
        cwd=cwd or Path.cwd(),
        env=dict(env or {}),
        writable=[path.resolve() for path in writable],
        modules=modules,
        stdin=stdin,
        pin=pin,
    )
    started = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        error = _start(lab)
        if not error:
            error = _follow(lab, follow)
        status = TIMED_OUT if error else _status(lab)
        if status is None:
            status, error = LAB_FAILED, _why_it_failed(lab)
        elif error and lab.process is None:
            status = LAB_FAILED
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return Outcome(
            status=status,
            stdout=_text(lab, "stdout"),
            stderr=_text(lab, "stderr"),
            lab_error=error,
            wall=time.monotonic() - started,
            cpu=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        )
    finally:
        _kill(lab)
        if keep:
            print(f"kernel-lab: kept {lab.directory}", file=sys.stderr)
        else:
            shutil.rmtree(lab.directory, ignore_errors=True)


def _find_kernel() -> tuple[str, str] | None:
    """The kernel's binary and its tree of modules."""
    binary, modules = "/usr/bin/linux.uml", "/usr/lib/uml/modules"
    if os.access(binary, os.X_OK) and any(Path(modules).glob("*/modules.dep*")):
        return binary, modules
    return None


def _environment(lab: _Lab) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if name in _INHERITED}
    # Shims of a version manager are several slow execs each; the interpreter that runs us comes first.
    path = [part for part in os.environ.get("PATH", "").split(":") if part and not part.endswith("/shims")]
    own = [str(Path(sys.executable).parent)]
    env["PATH"] = ":".join([*own, *path, "/usr/sbin", "/usr/bin", "/sbin", "/bin"])
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    env["KERNEL_LAB"] = str(lab.directory)
    return env | dict(lab.env)


def _start(lab: _Lab) -> str:
    """Write the run directory and start the kernel; returns what is wrong, empty when it started."""
    found = _find_kernel()
    if found is None:
        return problem() or "no kernel"
    binary, module_tree = found
    directory = lab.directory
    lines = [f"cd {shlex.quote(str(lab.cwd))} || exit 126"]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in _environment(lab).items()]
    lines += ["ulimit -n 65536", "exec " + shlex.join(lab.argv)]
    (directory / "command.sh").write_text("\n".join(lines) + "\n")
    (directory / "stdin").write_bytes(lab.stdin)
    init = _INIT
    for name, value in {
        "@RUN@": str(directory),
        "@STDIN@": str(directory / "stdin"),
        "@MODULE_TREE@": module_tree,
        "@MODULES@": " ".join(lab.modules),
        "@SHARES@": " ".join(shlex.quote(str(path)) for path in lab.writable),
        "@TIMEOUT@": f"{lab.timeout:g}",
        "@TERM_GRACE@": str(TERM_GRACE),
    }.items():
        init = init.replace(name, value)
    (directory / "init").write_text(init)
    (directory / "init").chmod(0o755)
    for name in ("stdout", "stderr"):
        (directory / name).touch()
    argv = [binary, f"mem={lab.memory}", "root=/dev/root", "rootfstype=hostfs", "hostfs=/", "rw"]
    argv += [f"init={directory}/init", "con=null", "con0=null,fd:1", "quiet", "panic=-1", "noreboot"]
    argv += [f"uml_dir={directory}", "umid=lab"]  # else ~/.uml, where runs side by side would meet
    preload, wrong = _whole_registers(directory)
    if wrong:
        return wrong
    cpus = sorted(os.sched_getaffinity(0))
    home = {cpus[time.monotonic_ns() // 1000 % len(cpus)]} if lab.pin else set(cpus)
    # A child inherits the affinity of the thread that starts it.
    os.sched_setaffinity(0, home)
    try:
        with (directory / "console").open("wb") as console:
            lab.process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                env=os.environ | {OWNER_VARIABLE: identity()} | preload,
                start_new_session=True,
            )
    finally:
        os.sched_setaffinity(0, cpus)
    return ""


def _whole_registers(directory: Path) -> tuple[dict[str, str], str]:
    """What UML's environment needs on a processor with more registers than it knows (``wide_registers.c`` says why), and what is wrong."""
    try:
        wide = b" amx_tile " in Path("/proc/cpuinfo").read_bytes()
    except OSError:
        wide = False
    if not wide:
        return {}, ""
    library = directory / "wide_registers.so"
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return (
            {},
            "this processor has AMX: User-Mode Linux needs a C compiler for a remedy (apt-get install gcc libc6-dev)",
        )
    source = Path(__file__).with_name("wide_registers.c")
    built = subprocess.run(
        [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode:
        return {}, f"{source.name} cannot be compiled: {built.stderr.strip()}"
    return {"LD_PRELOAD": str(library)}, ""


def _follow(lab: _Lab, follow: tuple[IO[bytes], IO[bytes]] | None) -> str:
    """Wait for the end, passing on what is written; returns what is wrong when the lab had to be killed."""
    assert lab.process is not None
    deadline = time.monotonic() + lab.timeout + LAB_GRACE
    with (lab.directory / "stdout").open("rb") as out, (lab.directory / "stderr").open("rb") as err:

        def pump() -> None:
            if follow is not None:
                for source, target in ((out, follow[0]), (err, follow[1])):
                    while block := source.read(1 << 16):
                        target.write(block)
                        target.flush()

        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                lab.process.wait(0.05)
                break
            pump()
            if time.monotonic() > deadline:
                _kill(lab)
                pump()
                return f"the guest did not end {LAB_GRACE} s after its timeout of {lab.timeout:g} s; killed"
        _kill(lab)  # stray stubs of the guest's processes
        pump()
    return ""


def _kill(lab: _Lab) -> None:
    if lab.process is not None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(lab.process.pid, signal.SIGKILL)
        lab.process.wait()


def _status(lab: _Lab) -> int | None:
    try:
        return int((lab.directory / "status").read_text())
    except (OSError, ValueError):
        return None


def _why_it_failed(lab: _Lab) -> str:
    directory = lab.directory
    if (directory / "failed").exists():
        stage = "its init said: " + _text(lab, "failed").strip()
    elif (directory / "started").exists():
        stage = "it died while the command ran"
    else:
        stage = "it did not boot (a small or noexec /dev/shm? set TMPDIR to a roomy place)"
    return f"the guest gave no exit status: {stage}\n--- console\n{_text(lab, 'console')[-4000:]}"


def _text(lab: _Lab, name: str) -> str:
    try:
        return (lab.directory / name).read_text(errors="replace")
    except FileNotFoundError:
        return ""


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m lab.kernel_lab", usage="%(prog)s [options] -- CMD [ARG...]", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("-m", "--memory", default="512M", help="the guest's memory (default %(default)s)")
    parser.add_argument("-t", "--timeout", type=float, default=120, help="seconds (default %(default)g)")
    parser.add_argument("-e", "--env", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("-C", "--cwd", type=Path, default=None)
    parser.add_argument("--rw", action="append", type=Path, default=[], metavar="DIR")
    parser.add_argument("--modules", default=" ".join(MODULES), help="modules loaded before the command")
    parser.add_argument("--no-pin", action="store_true", help="do not keep the guest on one CPU (slower)")
    parser.add_argument("--stdin", action="store_true", help="give the command our stdin, read to its end")
    parser.add_argument("--keep", action="store_true", help="keep the run directory")
    parser.add_argument("--stats", action="store_true", help="print the lab's time on the host to stderr")
    parser.add_argument("--check", action="store_true", help="only say whether the lab can be used")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args(argv)
    if reason := problem():
        print(f"kernel-lab: {reason}", file=sys.stderr)
        return LAB_FAILED
    if options.check:
        return 0
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        parser.error("no command")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    try:
        outcome = run(
            command,
            timeout=options.timeout,
            memory=options.memory,
            cwd=options.cwd,
            env=dict(item.split("=", 1) for item in options.env),
            writable=options.rw,
            modules=options.modules.split(),
            stdin=sys.stdin.buffer.read() if options.stdin else b"",
            pin=not options.no_pin,
            follow=(sys.stdout.buffer, sys.stderr.buffer),
            keep=options.keep,
        )
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        return 128 + signal.SIGPIPE
    if outcome.lab_error:
        print(f"kernel-lab: {outcome.lab_error}", file=sys.stderr)
    if options.stats:
        print(f"kernel-lab: wall {outcome.wall:.2f} s, host CPU {outcome.cpu:.2f} s", file=sys.stderr)
    return outcome.status


if __name__ == "__main__":
    sys.exit(main())
