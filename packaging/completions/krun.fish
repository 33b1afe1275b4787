# fish completion for krun. Made by packaging/tools/make.py: do not edit.
complete -c krun -f
complete -c krun -s h -l help -d 'show this help message and exit'
complete -c krun -l kernel -x -a 'linux memory' -d 'what is changed: this machine, or a picture of one in memory (for trying things out) [linux]'
complete -c krun -l run-dir -x -a '(__fish_complete_directories)' -d 'where sockets and the pid file live, one for each krun [/run/krun]'
complete -c krun -l log-format -x -a 'text json' -d 'log lines on stderr [text]'
complete -c krun -l debug -d 'log more, with tracebacks of internal errors'
complete -c krun -l memory-debug -d 'log each minute and after each reload whose objects came, went, and were left behind'
complete -c krun -l drain -x -d 'real servers and services that a reload removes get no new connections from then on, and are deleted when they have none left or after this time (90s, 5m, 1h30m); `krunctl reload --drain` sets it for one reload [0: at once]'
complete -c krun -l audit -x -d 'how often the kernel\'s IPVS table is compared with what krun put there [10s]'
complete -c krun -l max-scripts -x -d 'how many track, check and notify scripts run at once; more wait, and a quarter of the places is kept for either kind [64]'
complete -c krun -l record -x -d 'how many messages each process remembers of what it was told and decided, for `krunctl record`; some 15 octets each, 0: none [200000]'
complete -c krun -l hello -x -d 'how often each process must show that its event loop turns, at most; the VRRP process is asked four times within its shortest master-down interval, where that is less [5s]'
complete -c krun -l metrics -x -d 'serve metrics for Prometheus: unix:/PATH, 127.0.0.1:9650 or [::1]:9650; nothing but a unix socket or the loopback [off]'
complete -c krun -l control-group -x -d 'members of this group may look: krunctl status, top, explain, events, overlays, metrics, plan; changing anything takes root [nobody]'
complete -c krun -l budget -x -d 'how long one piece of work may keep a process (vrrp, check, script, metrics) from everything else before it is reported, as in check=50ms; may be given several times [vrrp=20ms check=100ms, others 250ms]'
complete -c krun -l check-start -d 'say as one line of JSON whether this program could go on with what runs with this run directory, touch nothing, and end'
complete -c krun -l version -d 'show program\'s version number and exit'
complete -c krun -F
