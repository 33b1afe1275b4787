#!/bin/sh
# Debian packages that the tests and the demo use: real peers, real kernels, an independent dissector.
set -eu
want="keepalived user-mode-linux ipvsadm busybox-static kmod tshark tcpdump iproute2 iputils-ping openssl procps setpriv"
# A tracer for what kcc must not do; shells and a formatter for the completions and manual pages.
want="$want strace zsh fish groff-base"
# A service manager to run packaging/krun.service under, in namespaces of its own.
want="$want systemd"
# A container runtime to run krun under.
want="$want crun"
# User-Mode Linux needs a remedy on processors with AMX, and that a compiler (tests/lab/wide_registers.c).
grep -qs ' amx_tile ' /proc/cpuinfo && want="$want gcc libc6-dev"
missing=""
for p in $want; do
    case $p in
    setpriv) command -v setpriv >/dev/null 2>&1 || missing="$missing util-linux" ;;
    *) dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p" ;;
    esac
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
    echo "not root, so these Debian packages are not installed:$missing (tests that need them skip)" >&2
    exit 0
fi
command -v apt-get >/dev/null 2>&1 || { echo "no apt-get: install by hand:$missing" >&2; exit 0; }
export DEBIAN_FRONTEND=noninteractive
echo "installing$missing" >&2
apt-get update -qq
# shellcheck disable=SC2086  # a list of words
apt-get install -y -qq --no-install-recommends $missing >/dev/null
