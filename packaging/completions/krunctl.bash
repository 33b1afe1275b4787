# bash completion for krunctl. Made by packaging/tools/make.py: do not edit.
_krunctl() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            status|reload|plan|confirm|undo|facts|events|top|explain|metrics|memory|record|replay|set|unset|overlays|upgrade|stop) command=${COMP_WORDS[i]}; break ;;
        esac
    done
    if [[ $cur == "=" ]]; then
        cur=
    elif [[ $prev == "=" ]]; then
        prev=${COMP_WORDS[COMP_CWORD-2]}
    fi
    case $command,$prev in
        ,--run-dir) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        ,--instance) return ;;
        reload,--confirm-within) return ;;
        reload,--max-delete) return ;;
        reload,--drain) return ;;
        plan,--max-delete) return ;;
        plan,--drain) return ;;
        plan,--format) mapfile -t COMPREPLY < <(compgen -W "text json markdown" -- "$cur"); return ;;
        facts,--file) return ;;
        events,--format) mapfile -t COMPREPLY < <(compgen -W "text json" -- "$cur"); return ;;
        top,--interval) return ;;
        top,--count) return ;;
        record,-o|record,--output) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        replay,--instance|replay,--subject) return ;;
        replay,--since) return ;;
        replay,--until) return ;;
        set,--weight) return ;;
        set,--for) return ;;
        set,--reason) return ;;
    esac
    if [[ $cur == -* ]]; then
        case $command in
            status) mapfile -t COMPREPLY < <(compgen -W "--help --json" -- "$cur") ;;
            reload) mapfile -t COMPREPLY < <(compgen -W "--help --confirm-within --max-delete --drain --dry-run --json" -- "$cur") ;;
            plan) mapfile -t COMPREPLY < <(compgen -W "--help --max-delete --drain --format --json" -- "$cur") ;;
            confirm) mapfile -t COMPREPLY < <(compgen -W "--help" -- "$cur") ;;
            undo) mapfile -t COMPREPLY < <(compgen -W "--help --json" -- "$cur") ;;
            facts) mapfile -t COMPREPLY < <(compgen -W "--help --file" -- "$cur") ;;
            events) mapfile -t COMPREPLY < <(compgen -W "--help --follow --format --json" -- "$cur") ;;
            top) mapfile -t COMPREPLY < <(compgen -W "--help --interval --count" -- "$cur") ;;
            explain) mapfile -t COMPREPLY < <(compgen -W "--help --all --json" -- "$cur") ;;
            metrics) mapfile -t COMPREPLY < <(compgen -W "--help --or-down" -- "$cur") ;;
            memory) mapfile -t COMPREPLY < <(compgen -W "--help --types --json" -- "$cur") ;;
            record) mapfile -t COMPREPLY < <(compgen -W "--help --output --with-secrets" -- "$cur") ;;
            replay) mapfile -t COMPREPLY < <(compgen -W "--help --instance --subject --since --until --all --differences --json" -- "$cur") ;;
            set) mapfile -t COMPREPLY < <(compgen -W "--help --weight --for --reason --json" -- "$cur") ;;
            unset) mapfile -t COMPREPLY < <(compgen -W "--help --json" -- "$cur") ;;
            overlays) mapfile -t COMPREPLY < <(compgen -W "--help --json" -- "$cur") ;;
            upgrade) mapfile -t COMPREPLY < <(compgen -W "--help" -- "$cur") ;;
            stop) mapfile -t COMPREPLY < <(compgen -W "--help" -- "$cur") ;;
            "") mapfile -t COMPREPLY < <(compgen -W "--help --run-dir --instance --version" -- "$cur") ;;
        esac
        return
    fi
    if [[ -z $command ]]; then
        mapfile -t COMPREPLY < <(compgen -W "status reload plan confirm undo facts events top explain metrics memory record replay set unset overlays upgrade stop" -- "$cur")
        return
    fi
    case $command in
        reload) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); ;;
        plan) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); ;;
        facts) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); ;;
        explain) ;;
        replay) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); ;;
        set) ;;
        unset) ;;
    esac
}
complete -F _krunctl krunctl
