#compdef krunctl
# zsh completion for krunctl. Made by packaging/tools/make.py: do not edit.

_krunctl() {
    local context state state_descr line
    typeset -A opt_args
    _arguments -C -s \
        '-h[show this help message and exit]' \
        '--help[show this help message and exit]' \
        '--run-dir=[that krun'\''s run directory \[/run/krun\]]:DIR:_files -/' \
        '--version[show program'\''s version number and exit]' \
        '1:command:->command' \
        '*::argument:->argument'
    case $state in
        command)
            local -a commands
            commands=(
                'status:what runs, who is master, which servers are up'
                'reload:read the IR again, or another one, and apply what differs'
                'plan:ask what a reload would do, and do not do it'
                'facts:what is true of this host, for `kcc check --host`'
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
                        '--json[the result as one object]' \
                        '1::IR.json:_files'
                    ;;
                plan)
                    _arguments -s \
                        '-h[show this help message and exit]' \
                        '--help[show this help message and exit]' \
                        '--json[the result as one object]' \
                        '1::IR.json:_files'
                    ;;
                facts)
                    _arguments -s \
                        '-h[show this help message and exit]' \
                        '--help[show this help message and exit]' \
                        '--file=[examine this file too; may be repeated]:PATH: ' \
                        '1::IR.json:_files'
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
