"""Inside the kernel lab: krun with a virtual server, ``ipvsadm`` as the witness, a reload of one weight."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

BIN = Path(sys.executable).parent


def sh(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def krunctl(*argv: str) -> str:
    return sh(str(BIN / "krunctl"), "--run-dir", "/run/krun", *argv)


def main() -> int:
    folder = Path(sys.argv[1])
    sh("ip", "link", "add", "eth0", "type", "dummy")
    sh("ip", "addr", "add", "203.0.113.1/24", "dev", "eth0")
    sh("ip", "link", "set", "eth0", "up")
    listeners = [socket.create_server(("127.0.0.1", port)) for port in (8081, 8082)]
    ir = Path("/run/ir.json")
    ir.write_bytes((folder / "edge1.json").read_bytes())
    with subprocess.Popen(
        [str(BIN / "krun"), str(ir), "--run-dir", "/run/krun"], stderr=subprocess.PIPE, text=True
    ) as krun:
        deadline = time.monotonic() + 60
        before = ""
        while before.count("\n") < 3 and time.monotonic() < deadline:
            time.sleep(0.25)
            before = sh("ipvsadm", "-Sn")
        print("$ ipvsadm -Sn")
        print(before.rstrip())
        ir.write_bytes((folder / "edge1-weight.json").read_bytes())
        print("$ krunctl reload        # one weight: 1 → 7")
        print(krunctl("reload").rstrip())
        print("$ ipvsadm -Sn")
        after = sh("ipvsadm", "-Sn")
        print(after.rstrip())
        krunctl("stop")
        krun.wait(10)
        print(f"$ ipvsadm -Sn           # after the stop\n{sh('ipvsadm', '-Sn').rstrip() or '(empty)'}")
    del listeners
    return 0 if "-w 7" in after and "-w 7" not in before else 1


if __name__ == "__main__":
    sys.exit(main())
