# bash completion for kcc. Made by packaging/tools/make.py: do not edit.
_kcc() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            check|build|diff|explain|schema|fmt|expand|decompile|graph|genhash|lsp) command=${COMP_WORDS[i]}; break ;;
        esac
    done
    if [[ $cur == "=" ]]; then
        cur=
    elif [[ $prev == "=" ]]; then
        prev=${COMP_WORDS[COMP_CWORD-2]}
    fi
    case $command,$prev in
        check,--format) mapfile -t COMPREPLY < <(compgen -W "text json sarif github gitlab" -- "$cur"); return ;;
        check,--select) mapfile -t COMPREPLY < <(compgen -W "$(kcc explain 2>/dev/null | sed -n 's/^ *\(KC[0-9]\{4\}\).*/\1/p')" -- "$cur"); return ;;
        check,--ignore) mapfile -t COMPREPLY < <(compgen -W "$(kcc explain 2>/dev/null | sed -n 's/^ *\(KC[0-9]\{4\}\).*/\1/p')" -- "$cur"); return ;;
        check,-j|check,--jobs) return ;;
        check,--against) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        check,--max-impact) mapfile -t COMPREPLY < <(compgen -W "none hitless degraded failover outage" -- "$cur"); return ;;
        check,--host) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        check,--target) mapfile -t COMPREPLY < <(compgen -W "keepalived-2.2.7 keepalived-2.4.3 krun" -- "$cur"); return ;;
        check,--config-id) return ;;
        check,--define) return ;;
        build,-o|build,--output) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        build,--target) mapfile -t COMPREPLY < <(compgen -W "keepalived-2.2.7 keepalived-2.4.3 krun" -- "$cur"); return ;;
        build,--config-id) return ;;
        build,--define) return ;;
        diff,--format) mapfile -t COMPREPLY < <(compgen -W "text json markdown" -- "$cur"); return ;;
        diff,--drain) return ;;
        diff,--target) mapfile -t COMPREPLY < <(compgen -W "keepalived-2.2.7 keepalived-2.4.3 krun" -- "$cur"); return ;;
        diff,--config-id) return ;;
        diff,--define) return ;;
        expand,--target) mapfile -t COMPREPLY < <(compgen -W "keepalived-2.2.7 keepalived-2.4.3 krun" -- "$cur"); return ;;
        expand,--config-id) return ;;
        expand,--define) return ;;
        decompile,-o|decompile,--output) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        decompile,--target) mapfile -t COMPREPLY < <(compgen -W "keepalived-2.2.7 keepalived-2.4.3 krun" -- "$cur"); return ;;
        decompile,--config-id) return ;;
        decompile,--define) return ;;
        graph,--format) mapfile -t COMPREPLY < <(compgen -W "tree mermaid dot svg" -- "$cur"); return ;;
        graph,--max-servers) return ;;
        graph,--target) mapfile -t COMPREPLY < <(compgen -W "keepalived-2.2.7 keepalived-2.4.3 krun" -- "$cur"); return ;;
        graph,--config-id) return ;;
        graph,--define) return ;;
        lsp,--main) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        lsp,--target) mapfile -t COMPREPLY < <(compgen -W "keepalived-2.2.7 keepalived-2.4.3 krun" -- "$cur"); return ;;
        lsp,--config-id) return ;;
        lsp,--define) return ;;
    esac
    if [[ $cur == -* ]]; then
        case $command in
            check) mapfile -t COMPREPLY < <(compgen -W "--help --format --strict --select --ignore --fix --jobs --against --max-impact --cluster --host --target --config-id --define" -- "$cur") ;;
            build) mapfile -t COMPREPLY < <(compgen -W "--help --output --allow-errors --target --config-id --define" -- "$cur") ;;
            diff) mapfile -t COMPREPLY < <(compgen -W "--help --format --drain --cluster --allow-errors --target --config-id --define" -- "$cur") ;;
            explain) mapfile -t COMPREPLY < <(compgen -W "--help --coverage" -- "$cur") ;;
            schema) mapfile -t COMPREPLY < <(compgen -W "--help" -- "$cur") ;;
            fmt) mapfile -t COMPREPLY < <(compgen -W "--help --check --diff --fragment" -- "$cur") ;;
            expand) mapfile -t COMPREPLY < <(compgen -W "--help --no-origins --target --config-id --define" -- "$cur") ;;
            decompile) mapfile -t COMPREPLY < <(compgen -W "--help --output --target --config-id --define" -- "$cur") ;;
            graph) mapfile -t COMPREPLY < <(compgen -W "--help --format --max-servers --target --config-id --define" -- "$cur") ;;
            genhash) mapfile -t COMPREPLY < <(compgen -W "--help" -- "$cur") ;;
            lsp) mapfile -t COMPREPLY < <(compgen -W "--help --stdio --main --target --config-id --define" -- "$cur") ;;
            "") mapfile -t COMPREPLY < <(compgen -W "--help --version" -- "$cur") ;;
        esac
        return
    fi
    if [[ -z $command ]]; then
        mapfile -t COMPREPLY < <(compgen -W "check build diff explain schema fmt expand decompile graph genhash lsp" -- "$cur")
        return
    fi
    case $command in
        check) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); ;;
        build) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); ;;
        diff) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); ;;
        explain) mapfile -t COMPREPLY < <(compgen -W "$(kcc explain 2>/dev/null | sed -n 's/^ *\(KC[0-9]\{4\}\).*/\1/p')" -- "$cur"); ;;
        fmt) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); ;;
        expand) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); ;;
        decompile) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); ;;
        graph) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); ;;
        genhash) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); ;;
    esac
}
complete -F _kcc kcc
