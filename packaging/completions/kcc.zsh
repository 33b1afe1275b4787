#compdef kcc
# zsh completion for kcc. Made by packaging/tools/make.py: do not edit.

_kcc_codes() {
    local -a codes
    codes=(${(f)"$(_call_program codes kcc explain 2>/dev/null | sed -n 's/^ *\(KC[0-9]\{4\}\)  */\1:/p')"})
    _describe code codes
}

_kcc() {
    local context state state_descr line
    typeset -A opt_args
    _arguments -C -s \
        '-h[show this help message and exit]' \
        '--help[show this help message and exit]' \
        '--version[print the version and exit]' \
        '1:command:->command' \
        '*::argument:->argument'
    case $state in
        command)
            local -a commands
            commands=(
                'check:explain every mistake of a configuration, at its line and column'
                'build:compile a configuration to the IR that krun runs'
                'diff:show what a deploy will change, which operations that means, and what it disrupts'
                'explain:print the page of a code or the reference entry of a keyword'
                'schema:print the JSON Schema of the IR'
                'fmt:lay a configuration out in the canonical way, meaning unchanged'
                'expand:print the text after includes, definitions, conditions and replication'
                'decompile:turn an IR back into a keepalived.conf of the same meaning'
                'graph:draw instances, groups, addresses, trackers, services and servers'
                'genhash:print the digest of a page as `digest` of HTTP_GET wants it'
                'lsp:serve an editor: findings while you write, completion, reference, formatting'
            )
            _describe command commands
            ;;
        argument)
            case $line[1] in
                check)
                    _arguments -s \
                        '-h[show this help message and exit]' \
                        '--help[show this help message and exit]' \
                        '--format=[how findings are printed]:FORMAT:(text json sarif github gitlab)' \
                        '--strict[exit 1 for warnings too]' \
                        '--select=[only these codes, or codes that begin so]:CODES:_kcc_codes' \
                        '--ignore=[not these codes]:CODES:_kcc_codes' \
                        '--fix[make the safe fixes in the files, and report what is left]' \
                        '-j[check several files in N processes (default\: the processors of this machine)]:N: ' \
                        '--jobs=[check several files in N processes (default\: the processors of this machine)]:N: ' \
                        '--against=[what runs now, a keepalived.conf or an ir.json\: print what FILE would change, after its findings]:OLD:_files' \
                        '--max-impact=[with --against\: a worse impact than none, hitless, degraded, failover or outage is an error]:IMPACT:(none hitless degraded failover outage)' \
                        '--cluster[the files are the directors of one cluster\: check them against each other too]' \
                        '--host=[facts of the host that `krunctl facts` wrote there; give it once for all files, or once for each, in their order]:FACTS:_files' \
                        '--target=[whose rules the configuration is judged by (default\: keepalived-2.4.3)]:TARGET:(keepalived-2.2.7 keepalived-2.4.3 krun)' \
                        '--config-id=[what `@ID` lines are compared with, as keepalived'\''s -i (default\: this host'\''s name up to its first dot)]:ID: ' \
                        '--define=[a definition `$NAME=VALUE` made before the first line; may be repeated]:NAME=VALUE: ' \
                        '*:FILE:_files'
                    ;;
                build)
                    _arguments -s \
                        '-h[show this help message and exit]' \
                        '--help[show this help message and exit]' \
                        '-o[where to write the IR, readable by you alone (default\: standard output)]:IR:_files' \
                        '--output=[where to write the IR, readable by you alone (default\: standard output)]:IR:_files' \
                        '--allow-errors[build what keepalived would have run, and list in the IR what was lost]' \
                        '--target=[whose rules the configuration is judged by (default\: krun)]:TARGET:(keepalived-2.2.7 keepalived-2.4.3 krun)' \
                        '--config-id=[what `@ID` lines are compared with, as keepalived'\''s -i (default\: this host'\''s name up to its first dot)]:ID: ' \
                        '--define=[a definition `$NAME=VALUE` made before the first line; may be repeated]:NAME=VALUE: ' \
                        '1:FILE:_files'
                    ;;
                diff)
                    _arguments -s \
                        '-h[show this help message and exit]' \
                        '--help[show this help message and exit]' \
                        '--format=[how the plan is printed]:FORMAT:(text json markdown)' \
                        '--drain=[servers that go lose their weight first, and are deleted when they have no connection left, or after T (300s, 5m)]:T: ' \
                        '--cluster[OLD and NEW are directories with a file for each director of a cluster\: print the plan of each, and in which order they must change]' \
                        '--allow-errors[compare what keepalived would run of a side that has errors]' \
                        '--target=[whose rules the configuration is judged by (default\: krun)]:TARGET:(keepalived-2.2.7 keepalived-2.4.3 krun)' \
                        '--config-id=[what `@ID` lines are compared with, as keepalived'\''s -i (default\: this host'\''s name up to its first dot)]:ID: ' \
                        '--define=[a definition `$NAME=VALUE` made before the first line; may be repeated]:NAME=VALUE: ' \
                        '1:OLD:_files' \
                        '2:NEW:_files'
                    ;;
                explain)
                    _arguments -s \
                        '-h[show this help message and exit]' \
                        '--help[show this help message and exit]' \
                        '--coverage[print how far krun takes each keyword]' \
                        '*:CODE|KEYWORD:_kcc_codes'
                    ;;
                schema)
                    _arguments -s \
                        '-h[show this help message and exit]' \
                        '--help[show this help message and exit]'
                    ;;
                fmt)
                    _arguments -s \
                        '-h[show this help message and exit]' \
                        '--help[show this help message and exit]' \
                        '--check[change nothing; exit 1 if a file would change]' \
                        '--diff[change nothing; print what would change]' \
                        '--fragment[the files are included by others, which define the `${NAME}`s that are used here]' \
                        '*:FILE:_files'
                    ;;
                expand)
                    _arguments -s \
                        '-h[show this help message and exit]' \
                        '--help[show this help message and exit]' \
                        '--no-origins[leave out the comments `# FILE\:LINE < FILE\:LINE …` that say where a line was written, and through which include, definition or replication it came]' \
                        '--target=[whose rules the configuration is judged by (default\: keepalived-2.4.3)]:TARGET:(keepalived-2.2.7 keepalived-2.4.3 krun)' \
                        '--config-id=[what `@ID` lines are compared with, as keepalived'\''s -i (default\: this host'\''s name up to its first dot)]:ID: ' \
                        '--define=[a definition `$NAME=VALUE` made before the first line; may be repeated]:NAME=VALUE: ' \
                        '1:FILE:_files'
                    ;;
                decompile)
                    _arguments -s \
                        '-h[show this help message and exit]' \
                        '--help[show this help message and exit]' \
                        '-o[where to write the configuration, readable by you alone (default\: standard output)]:CONF:_files' \
                        '--output=[where to write the configuration, readable by you alone (default\: standard output)]:CONF:_files' \
                        '--target=[whose rules the configuration is judged by (default\: krun)]:TARGET:(keepalived-2.2.7 keepalived-2.4.3 krun)' \
                        '--config-id=[what `@ID` lines are compared with, as keepalived'\''s -i (default\: this host'\''s name up to its first dot)]:ID: ' \
                        '--define=[a definition `$NAME=VALUE` made before the first line; may be repeated]:NAME=VALUE: ' \
                        '1:IR:_files'
                    ;;
                graph)
                    _arguments -s \
                        '-h[show this help message and exit]' \
                        '--help[show this help message and exit]' \
                        '--format=[a tree for the terminal (default), a Mermaid flowchart, a Graphviz digraph, or an SVG image]:FORMAT:(tree mermaid dot svg)' \
                        '--max-servers=[show at most N servers of a pool and count the rest; 0 shows all (default\: 12)]:N: ' \
                        '--target=[whose rules the configuration is judged by (default\: keepalived-2.4.3)]:TARGET:(keepalived-2.2.7 keepalived-2.4.3 krun)' \
                        '--config-id=[what `@ID` lines are compared with, as keepalived'\''s -i (default\: this host'\''s name up to its first dot)]:ID: ' \
                        '--define=[a definition `$NAME=VALUE` made before the first line; may be repeated]:NAME=VALUE: ' \
                        '1:FILE:_files'
                    ;;
                genhash)
                    _arguments -s \
                        '-h[show this help message and exit]' \
                        '--help[show this help message and exit]' \
                        '1:FILE:_files'
                    ;;
                lsp)
                    _arguments -s \
                        '-h[show this help message and exit]' \
                        '--help[show this help message and exit]' \
                        '--stdio[talk over standard input and output (always so)]' \
                        '--main=[the file that keepalived is started with, where the files you edit are included by it (default\: a keepalived.conf in the same folder or above that includes them)]:FILE:_files' \
                        '--target=[whose rules the configuration is judged by (default\: keepalived-2.4.3)]:TARGET:(keepalived-2.2.7 keepalived-2.4.3 krun)' \
                        '--config-id=[what `@ID` lines are compared with, as keepalived'\''s -i (default\: this host'\''s name up to its first dot)]:ID: ' \
                        '--define=[a definition `$NAME=VALUE` made before the first line; may be repeated]:NAME=VALUE: '
                    ;;
            esac
            ;;
    esac
}

_kcc "$@"
