#compdef krunctl
# zsh completion for krunctl. Made by packaging/tools/make.py: do not edit.

_krunctl() {
    local context state state_descr line
    typeset -A opt_args
    _arguments -C -s \
        '-h[show this help message and exit]' \
        '--help[show this help message and exit]' \
        '--run-dir=[that krun'\''s run directory \[/run/krun\]]:DIR:_files -/' \
        '--instance=[the krun whose configuration says `instance NAME`\: it is in /run/krun-NAME]:NAME: ' \
        '--version[show program'\''s version number and exit]' \
        '1:command:->command' \
        '*::argument:->argument'
    case $state in
        command)
            local -a commands
            commands=(
                'status:what runs, who is master, which servers are up'
                'reload:read the IR again, or another one, and apply what differs'
                'plan:say what a reload would do, as things stand, and do not do it'
                'confirm:keep what was reloaded with --confirm-within'
                'undo:back to the IR before the last reload, confirmed or not; one step'
                'facts:what is true of this host, for `kcc check --host`'
                'events:what happened lately in all processes'
                'top:the director, live: q or Ctrl-C ends'
                'explain:why is it what it is: an instance, a virtual server …'
                'metrics:print the metrics once, as `krun --metrics` serves them'
                'memory:where the memory of each process is'
                'record:save what the processes were told lately, and what they decided, into a file for `krunctl replay`'
                'replay:run a file of `krunctl record` again, and show what came in and what was decided'
                'set:give a real server another weight for a while'
                'unset:end what `krunctl set` began'
                'overlays:list what `krunctl set` began and has not ended'
                'upgrade:replace the running krun by the program that is installed now: nobody outside notices, state and deadlines stay'
                'stop:stop in order: priority-0 adverts, addresses and services removed'
            )
            _describe command commands
            ;;
        argument)
            case $line[1] in
                status)
                    _arguments -s \
                        '-h[show this help message and exit]' \
                        '--help[show this help message and exit]' \
                        '--json[the whole state document]'
                    ;;
                reload)
                    _arguments -s \
                        '-h[show this help message and exit]' \
                        '--help[show this help message and exit]' \
                        '--confirm-within=[go back to what runs now unless `krunctl confirm` comes in time (90s, 5m, 1h30m; a bare number is seconds)]:T: ' \
                        '--max-delete=[refuse where more would be deleted\: N services, real servers, VIPs, routes and rules in all, or N% of any kind]:N|N%: ' \
                        '--drain=[servers and services that go get no new connections from now on, and are deleted when they have none left or after this time; 0\: at once \[as krun was started\]]:T: ' \
                        '--dry-run[say what would be done, and do not do it\: as plan]' \
                        '--json[the result as one object]' \
                        '1::IR.json:_files'
                    ;;
                plan)
                    _arguments -s \
                        '-h[show this help message and exit]' \
                        '--help[show this help message and exit]' \
                        '--max-delete=[refuse where more would be deleted\: N services, real servers, VIPs, routes and rules in all, or N% of any kind]:N|N%: ' \
                        '--drain=[servers and services that go get no new connections from now on, and are deleted when they have none left or after this time; 0\: at once \[as krun was started\]]:T: ' \
                        '--format=[how it is printed \[text\]]:FORMAT:(text json markdown)' \
                        '--json[as --format json]' \
                        '1::IR.json:_files'
                    ;;
                confirm)
                    _arguments -s \
                        '-h[show this help message and exit]' \
                        '--help[show this help message and exit]'
                    ;;
                undo)
                    _arguments -s \
                        '-h[show this help message and exit]' \
                        '--help[show this help message and exit]' \
                        '--json[the result as one object]'
                    ;;
                facts)
                    _arguments -s \
                        '-h[show this help message and exit]' \
                        '--help[show this help message and exit]' \
                        '--file=[examine this file too; may be repeated]:PATH: ' \
                        '1::IR.json:_files'
                    ;;
                events)
                    _arguments -s \
                        '-h[show this help message and exit]' \
                        '--help[show this help message and exit]' \
                        '--follow[and what happens, until Ctrl-C]' \
                        '--format=[lines, or an object a line \[text\]]:FORMAT:(text json)' \
                        '--json[as --format json]'
                    ;;
                top)
                    _arguments -s \
                        '-h[show this help message and exit]' \
                        '--help[show this help message and exit]' \
                        '--interval=[how often\: 1s to 1h \[1s\]]:T: ' \
                        '--count=[end after so many pictures]:N: '
                    ;;
                explain)
                    _arguments -s \
                        '-h[show this help message and exit]' \
                        '--help[show this help message and exit]' \
                        '--all[all servers, also the many that are well]' \
                        '--json[what is known of it, as one object]' \
                        '1:NAME: '
                    ;;
                metrics)
                    _arguments -s \
                        '-h[show this help message and exit]' \
                        '--help[show this help message and exit]' \
                        '--or-down[where no krun answers print krun_up 0 and exit with 0, so that a collector sees it]'
                    ;;
                memory)
                    _arguments -s \
                        '-h[show this help message and exit]' \
                        '--help[show this help message and exit]' \
                        '--types[with --memory-debug\: all objects by type, too]' \
                        '--json[as an object]'
                    ;;
                record)
                    _arguments -s \
                        '-h[show this help message and exit]' \
                        '--help[show this help message and exit]' \
                        '-o[where to \[krun-HOST-TIME.krec in this directory\]]:FILE:_files' \
                        '--output=[where to \[krun-HOST-TIME.krec in this directory\]]:FILE:_files' \
                        '--with-secrets[leave passwords and keys in it as they are]'
                    ;;
                replay)
                    _arguments -s \
                        '-h[show this help message and exit]' \
                        '--help[show this help message and exit]' \
                        '--instance=[only what is about this instance, sync group, script, interface, virtual or real server]:NAME: ' \
                        '--subject=[only what is about this instance, sync group, script, interface, virtual or real server]:NAME: ' \
                        '--since=[from then on\: 90s, 5m, 1h30m before the end, or a local time 2026-11-30T21\:00\:00]:T: ' \
                        '--until=[up to then, likewise]:T: ' \
                        '--all[every advert and every timer, too]' \
                        '--differences[only what is decided otherwise now]' \
                        '--json[an object a line]' \
                        '1:FILE:_files'
                    ;;
                set)
                    _arguments -s \
                        '-h[show this help message and exit]' \
                        '--help[show this help message and exit]' \
                        '--weight=[0 to 65535]:N: ' \
                        '--for=[until it ends by itself\: 90s, 30m, 2h, at most 30d]:T: ' \
                        '--reason=[for those who wonder; it is in log and status]:TEXT: ' \
                        '--json[the result as one object]' \
                        '1:SERVICE: ' \
                        '2:SERVER: '
                    ;;
                unset)
                    _arguments -s \
                        '-h[show this help message and exit]' \
                        '--help[show this help message and exit]' \
                        '--json[the result as one object]' \
                        '1:SERVICE: ' \
                        '2::SERVER: '
                    ;;
                overlays)
                    _arguments -s \
                        '-h[show this help message and exit]' \
                        '--help[show this help message and exit]' \
                        '--json[the list as JSON]'
                    ;;
                upgrade)
                    _arguments -s \
                        '-h[show this help message and exit]' \
                        '--help[show this help message and exit]'
                    ;;
                stop)
                    _arguments -s \
                        '-h[show this help message and exit]' \
                        '--help[show this help message and exit]'
                    ;;
            esac
            ;;
    esac
}

_krunctl "$@"
