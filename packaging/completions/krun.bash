# bash completion for krun. Made by packaging/tools/make.py: do not edit.
_krun() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= i
    COMPREPLY=()
    if [[ $cur == "=" ]]; then
        cur=
    elif [[ $prev == "=" ]]; then
        prev=${COMP_WORDS[COMP_CWORD-2]}
    fi
    case $command,$prev in
        ,--kernel) mapfile -t COMPREPLY < <(compgen -W "linux memory" -- "$cur"); return ;;
        ,--run-dir) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        ,--pid) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        ,--log-format) mapfile -t COMPREPLY < <(compgen -W "text json" -- "$cur"); return ;;
        ,--log) return ;;
        ,--drain) return ;;
        ,--audit) return ;;
        ,--max-scripts) return ;;
        ,--record) return ;;
        ,--hello) return ;;
        ,--metrics) return ;;
        ,--control-group) return ;;
        ,--budget) return ;;
    esac
    if [[ $cur == -* ]]; then
        case $command in
            "") mapfile -t COMPREPLY < <(compgen -W "--help --kernel --run-dir --pid --core-dump --log-format --log --debug --memory-debug --drain --audit --max-scripts --record --hello --metrics --control-group --budget --check-start --version" -- "$cur") ;;
        esac
        return
    fi
    case $command in
        "") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); ;;
    esac
}
complete -F _krun krun
