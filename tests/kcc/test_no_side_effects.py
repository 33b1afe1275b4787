"""``kcc check`` executes, creates, resolves and connects to nothing, whatever a configuration says: its system calls prove it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from kcc.diagnostics.pages import all_pages
from lab.needs import lacking
from support.diagnostic_pages import write
from support.syscalls import Deeds, judged, traced

ROOT = Path(__file__).resolve().parents[2]
FORMATS = ("json", "text")

# Reading one of these is the start of a name resolution or of an account lookup.
RESOLVING = {
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/group",
    "/etc/services",
}

HOSTILE = """\
$EVIL=$(touch {mark})
$TICKS=`touch {mark}`
global_defs {{
    config_save_dir "/tmp/x; touch {mark}"
    config_save_dir $(touch {mark})
    tmp_config_directory {folder}/made
    smtp_server mail.example.org 25
    smtp_helo_name $(hostname)
    notification_email {{
        root@mail.example.org
    }}
    notify_fifo {folder}/made-fifo root
    notify_fifo_script "/bin/sh -c 'touch {mark}'"
    startup_script "/bin/touch {mark}"
    shutdown_script "/bin/touch {mark}"
    script_user nobody nogroup
    enable_script_security
    state_dump_file {folder}/made-state
    reload_time_file {folder}/made-time
    use_symlink_paths
    net_namespace made
    linkbeat_use_polling
}}
include {folder}/fifo
include /dev/zero
include /dev/watchdog
include /proc/self/mem
include {folder}/executable
include {folder}/loop
includer $(touch {mark})
include `touch {mark}`
include ${{_ENV HOME}}/*{{a,b}}*
vrrp_script evil {{
    script "$(touch {mark})"
    script "/bin/sh -c 'touch {mark}'"
    user root root
}}
vrrp_script reads {{
    script "<{folder}/fifo"
}}
vrrp_track_process p {{
    process "/bin/touch {mark}"
}}
track_file f {{
    file {folder}/made-file
    init_file 1 overwrite
}}
vrrp_instance V {{
    state MASTER
    interface eth0
    virtual_router_id 51
    version 3
    auth_hmac {{
        key 1 file:{folder}/secret
        key 2 hex:file:{folder}/secret
    }}
    authentication {{
        auth_type PASS
        auth_pass $(touch {mark})
    }}
    unicast_peer {{
        peer.example.org
    }}
    track_script {{
        evil
    }}
    track_file {{
        f
    }}
    virtual_ipaddress {{
        vip.example.org
        203.0.113.10/24 dev eth0
    }}
    notify "/bin/touch {mark}"
    notify_master `touch {mark}` nobody
}}
virtual_server www.example.org http {{
    real_server backend.example.org https {{
        MISC_CHECK {{
            misc_path "/bin/touch {mark}"
            user nobody
        }}
    }}
}}
virtual_server 203.0.113.10 80 {{
    quorum_up "/bin/touch {mark}"
    sorry_server sorry.example.org 80
    real_server 10.0.0.1 80 {{
        notify_up "/bin/touch {mark}"
        SMTP_CHECK {{
            helo_name $(touch {mark})
        }}
        DNS_CHECK {{
            name example.org
        }}
    }}
    real_server 10.0.0.2 80 {{
        FILE_CHECK {{
            track_file f
        }}
    }}
}}
"""


@pytest.fixture(autouse=True)
def _strace() -> None:
    if shutil.which("strace") is None:
        lacking("strace is not installed: apt install strace")


def corpus() -> list[Path]:
    given = os.environ.get("KCC_CORPUS")
    folder = Path(given) if given else next(ROOT.parent.glob("*/corpus/configs"), None)
    if folder is None or not folder.is_dir():
        return []
    templates = folder.parent / "templates"
    return [*sorted(folder.iterdir()), *(sorted(templates.iterdir()) if templates.is_dir() else ())]


def check(form: str, files: list[Path], folder: Path, *more: str, cwd: Path | None = None) -> Deeds:
    forks = "2" in more
    deeds = traced(["-m", "kcc", "check", "--format", form, *more, *files], folder, forks=forks, cwd=cwd)
    assert deeds.status in (0, 1, 2)
    assert "Traceback" not in deeds.output
    return deeds


def innocent(deeds: Deeds) -> None:
    assert deeds.wrong == []
    assert not deeds.opened & RESOLVING


@pytest.mark.parametrize("form", FORMATS)
def test_examples_and_real_configurations(form: str, tmp_path: Path) -> None:
    files = [*sorted((ROOT / "examples").glob("*.conf")), *corpus()]
    innocent(check(form, files, tmp_path, "-j", "1"))


@pytest.mark.parametrize("form", FORMATS)
def test_the_examples_of_the_pages(form: str, tmp_path: Path) -> None:
    files = []
    for page in all_pages():
        for kind, examples in (("bad", page.bad()), ("good", page.good())):
            files += [write(example, tmp_path / page.code / kind) for example in examples]
    assert len(files) > 100
    innocent(check(form, files, tmp_path, "-j", "1"))


def test_several_processes_only_talk_to_each_other(tmp_path: Path) -> None:
    files = sorted((ROOT / "examples").glob("*.conf"))
    innocent(check("json", files, tmp_path, "-j", "2"))


@pytest.mark.parametrize("form", [*FORMATS, "sarif", "github", "gitlab"])
@pytest.mark.parametrize("target", ["keepalived-2.4.3", "krun"])
def test_a_hostile_configuration(form: str, target: str, tmp_path: Path) -> None:
    folder, mark = tmp_path / "hostile", tmp_path / "mark"
    folder.mkdir()
    os.mkfifo(folder / "fifo")
    (folder / "secret").write_text("s3cret-k3y\n")
    (folder / "executable").write_text(f"#!/bin/sh\ntouch {mark}\n")
    (folder / "executable").chmod(0o755)
    (folder / "loop").symlink_to("loop")
    conf = folder / "keepalived.conf"
    conf.write_text(HOSTILE.format(folder=folder, mark=mark))
    before = sorted(p.name for p in folder.iterdir())

    deeds = check(form, [conf], tmp_path, "--target", target, "--config-id", "$(touch x)", cwd=folder)
    innocent(deeds)
    assert deeds.status == 1
    assert not mark.exists()
    assert sorted(p.name for p in folder.iterdir()) == before
    # Devices and FIFOs are told from files without being opened: opening can already block, or start a watchdog.
    # (/proc/self/mem looks like a file; reading it at its beginning fails.)
    assert not deeds.opened & {"/dev/zero", "/dev/watchdog", f"{folder}/fifo", f"{folder}/secret"}
    assert "s3cret" not in deeds.output


@pytest.mark.parametrize(
    "crime",
    [
        "open({mark!r}, 'w')",
        "import os; os.mkdir({mark!r})",
        "import os; os.mkfifo({mark!r})",
        "import socket; socket.socket()",
        "import socket; socket.getaddrinfo('www.example.org', 80)",
        "import os; os.system('true')",
        "import subprocess; subprocess.run(['true'])",
        "import os; os.fork() or os._exit(0)",
        "import os; os.execv('/bin/true', ['true'])",
        "import os; os.kill(os.getpid(), 0)",
        "import os; os.utime('/tmp')",
        "import os; os.write(os.open('/dev/null', os.O_WRONLY), b'x')",
    ],
)
def test_the_trace_sees_what_it_is_there_for(crime: str, tmp_path: Path) -> None:
    deeds = traced(["-c", crime.format(mark=str(tmp_path / "mark"))], tmp_path)
    assert deeds.wrong, crime


def test_an_innocent_program_is_seen_as_one(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("1")
    deeds = traced(["-c", f"print(open({str(tmp_path / 'x')!r}).read())"], tmp_path)
    assert deeds.wrong == []
    assert str(tmp_path / "x") in deeds.opened
    assert deeds.calls > 20


def test_a_line_that_is_not_understood_counts_against_it() -> None:
    assert judged(["1 something else"]).wrong == ["1 something else"]
    halves = ['1 write(1</dev/pts/0>, "x", 1 <unfinished ...>', "1 <... write resumed>) = 1"]
    assert judged(halves).wrong == []
    halves[0] = halves[0].replace("1</dev/pts/0>", "3</etc/passwd>")
    assert judged(halves).wrong == halves[:1]
    assert judged(['1 execve("/a", ...) = 0', '1 execve("/b", ...) = 0']).wrong == ['1 execve("/b", ...) = 0']
