# _lextab.py. This file automatically created by PLY (version 3.11). Don't edit!
_tabversion   = '3.10'
_lextokens    = set(('CLOSE', 'COMMENT', 'OPEN', 'QUOTED', 'UNCLOSED', 'WORD'))
_lexreflags   = 64
_lexliterals  = ''
_lexstateinfo = {'INITIAL': 'inclusive', 'prepared': 'exclusive'}
_lexstatere   = {'INITIAL': [('(?P<t_INITIAL_WORD>[^ \\t\\r\\v\\f\\n"{}#!]+)|(?P<t_ANY_QUOTED>"[^"]*")|(?P<t_ANY_UNCLOSED>"[^"]*)|(?P<t_INITIAL_COMMENT>[#!].*)|(?P<t_ANY_CLOSE>\\})|(?P<t_ANY_OPEN>\\{)', [None, (None, 'WORD'), (None, 'QUOTED'), (None, 'UNCLOSED'), (None, 'COMMENT'), (None, 'CLOSE'), (None, 'OPEN')])], 'prepared': [('(?P<t_prepared_WORD>(?:\\$\\{(?:[^{}"]|\\$\\{[^{}"]*\\})*\\}|[^ \\t\\r\\v\\f\\n"{}])+)|(?P<t_ANY_QUOTED>"[^"]*")|(?P<t_ANY_UNCLOSED>"[^"]*)|(?P<t_ANY_CLOSE>\\})|(?P<t_ANY_OPEN>\\{)', [None, (None, 'WORD'), (None, 'QUOTED'), (None, 'UNCLOSED'), (None, 'CLOSE'), (None, 'OPEN')])]}
_lexstateignore = {'INITIAL': ' \t\r\x0b\x0c\n', 'prepared': ' \t\r\x0b\x0c\n'}
_lexstateerrorf = {'INITIAL': 't_ANY_error', 'prepared': 't_ANY_error'}
_lexstateeoff = {}
