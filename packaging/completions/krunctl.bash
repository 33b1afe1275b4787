# bash completion for krunctl. Made by packaging/tools/make.py: do not edit.
_krunctl() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            status|reload|plan|facts|stop) command=${COMP_WORDS[i]}; break ;;
        esac
    done
    if [[ $cur == "=" ]]; then
        cur=
    elif [[ $prev == "=" ]]; then
        prev=${COMP_WORDS[COMP_CWORD-2]}
    fi
    case $command,$prev in
        ,--run-dir) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        facts,--file) return ;;
    esac
    if [[ $cur == -* ]]; then
        case $command in
            status) mapfile -t COMPREPLY < <(compgen -W "--help --json" -- "$cur") ;;
            reload) mapfile -t COMPREPLY < <(compgen -W "--help --json" -- "$cur") ;;
            plan) mapfile -t COMPREPLY < <(compgen -W "--help --json" -- "$cur") ;;
            facts) mapfile -t COMPREPLY < <(compgen -W "--help --file" -- "$cur") ;;
            stop) mapfile -t COMPREPLY < <(compgen -W "--help" -- "$cur") ;;
            "") mapfile -t COMPREPLY < <(compgen -W "--help --run-dir --version" -- "$cur") ;;
        esac
        return
    fi
    if [[ -z $command ]]; then
        mapfile -t COMPREPLY < <(compgen -W "status reload plan facts stop" -- "$cur")
        return
    fi
    case $command in
        reload) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); ;;
        plan) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); ;;
        facts) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); ;;
    esac
}
complete -F _krunctl krunctl
