#compdef krun
# zsh completion for krun. Made by packaging/tools/make.py: do not edit.

_krun() {
    _arguments -s \
        '-h[show this help message and exit]' \
        '--help[show this help message and exit]' \
        '--kernel=[what is changed\: this machine, or a picture of one in memory (for trying things out) \[linux\]]:KERNEL:(linux memory)' \
        '--run-dir=[where sockets and the pid file live, one for each krun \[/run/krun\]]:DIR:_files -/' \
        '--log-format=[log lines on stderr \[text\]]:LOG_FORMAT:(text json)' \
        '--debug[log more, with tracebacks of internal errors]' \
        '--memory-debug[log each minute and after each reload which objects became more]' \
        '--version[show program'\''s version number and exit]' \
        '1:IR.json:_files'
}

_krun "$@"
