#compdef krun
# zsh completion for krun. Made by packaging/tools/make.py: do not edit.

_krun() {
    _arguments -s \
        '-h[show this help message and exit]' \
        '--help[show this help message and exit]' \
        '--kernel=[what is changed\: this machine, or a picture of one in memory (for trying things out) \[linux\]]:KERNEL:(linux memory)' \
        '--run-dir=[where sockets and pid files live, one for each krun \[/run/krun, or /run/krun-NAME with `instance NAME`\]]:DIR:_files -/' \
        '--pid=[write the pid of the parent into this file as well, as long as krun runs \[only RUN_DIR/krun.pid\]]:FILE:_files' \
        '--core-dump[let krun'\''s processes dump core when they crash (no limit to its size); where it goes is the kernel'\''s core_pattern. Scripts dump none]' \
        '--log-format=[log lines on stderr \[text\]]:LOG_FORMAT:(text json)' \
        '--log=[where log lines go\: stderr (under systemd, to the journal in its own protocol), journal, or syslog\[\:FACILITY\] \[stderr\]]:WHERE: ' \
        '--debug[log more, with tracebacks of internal errors]' \
        '--memory-debug[log each minute and after each reload whose objects came, went, and were left behind]' \
        '--drain=[real servers and services that a reload removes get no new connections from then on, and are deleted when they have none left or after this time (90s, 5m, 1h30m); `krunctl reload --drain` sets it for one reload \[0\: at once\]]:T: ' \
        '--audit=[how often the kernel'\''s IPVS table is compared with what krun put there \[10s\]]:T: ' \
        '--max-scripts=[how many track, check and notify scripts run at once; more wait, and a quarter of the places is kept for either kind \[64\]]:N: ' \
        '--record=[how many messages each process remembers of what it was told and decided, for `krunctl record`; some 15 octets each, 0\: none \[200000\]]:N: ' \
        '--hello=[how often each process must show that its event loop turns, at most; the VRRP process is asked four times within its shortest master-down interval, where that is less \[5s\]]:T: ' \
        '--metrics=[serve metrics for Prometheus\: unix\:/PATH, 127.0.0.1\:9650 or \[\:\:1\]\:9650; nothing but a unix socket or the loopback \[off\]]:WHERE: ' \
        '--control-group=[members of this group may look\: krunctl status, top, explain, events, overlays, metrics, plan; changing anything takes root \[nobody\]]:GROUP: ' \
        '--budget=[how long one piece of work may keep a process (vrrp, check, script, metrics) from everything else before it is reported, as in check=50ms; may be given several times \[vrrp=20ms check=100ms, others 250ms\]]:PROCESS=T: ' \
        '--check-start[say as one line of JSON whether this program could go on with what runs with this run directory, touch nothing, and end]' \
        '--version[show program'\''s version number and exit]' \
        '1:IR.json:_files'
}

_krun "$@"
