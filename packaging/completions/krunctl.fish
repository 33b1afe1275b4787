# fish completion for krunctl. Made by packaging/tools/make.py: do not edit.
complete -c krunctl -f
complete -c krunctl -n '__fish_use_subcommand' -s h -l help -d 'show this help message and exit'
complete -c krunctl -n '__fish_use_subcommand' -l run-dir -x -a '(__fish_complete_directories)' -d 'that krun\'s run directory [/run/krun]'
complete -c krunctl -n '__fish_use_subcommand' -l version -d 'show program\'s version number and exit'
complete -c krunctl -n __fish_use_subcommand -a status -d 'what runs, who is master, which servers are up'
complete -c krunctl -n '__fish_seen_subcommand_from status' -s h -l help -d 'show this help message and exit'
complete -c krunctl -n '__fish_seen_subcommand_from status' -l json -d 'the whole state document'
complete -c krunctl -n __fish_use_subcommand -a reload -d 'read the IR again, or another one, and apply what differs'
complete -c krunctl -n '__fish_seen_subcommand_from reload' -s h -l help -d 'show this help message and exit'
complete -c krunctl -n '__fish_seen_subcommand_from reload' -l json -d 'the result as one object'
complete -c krunctl -n '__fish_seen_subcommand_from reload' -F
complete -c krunctl -n __fish_use_subcommand -a plan -d 'ask what a reload would do, and do not do it'
complete -c krunctl -n '__fish_seen_subcommand_from plan' -s h -l help -d 'show this help message and exit'
complete -c krunctl -n '__fish_seen_subcommand_from plan' -l json -d 'the result as one object'
complete -c krunctl -n '__fish_seen_subcommand_from plan' -F
complete -c krunctl -n __fish_use_subcommand -a facts -d 'what is true of this host, for `kcc check --host`'
complete -c krunctl -n '__fish_seen_subcommand_from facts' -s h -l help -d 'show this help message and exit'
complete -c krunctl -n '__fish_seen_subcommand_from facts' -l file -x -d 'examine this file too; may be repeated'
complete -c krunctl -n '__fish_seen_subcommand_from facts' -F
complete -c krunctl -n __fish_use_subcommand -a stop -d 'stop in order: priority-0 adverts, addresses and services removed'
complete -c krunctl -n '__fish_seen_subcommand_from stop' -s h -l help -d 'show this help message and exit'
