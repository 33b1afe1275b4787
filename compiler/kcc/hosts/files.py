"""Files that are no scripts: keys, certificates, the folders of track files."""

from __future__ import annotations

from kcc.diagnostics.model import Severity
from kcc.hosts.case import HostCase
from kir.files import NamedFile, named_files

_EFFECT = {
    "track_file": "the file cannot be watched: keepalived removes it, and everything that tracks it",
    "hmac_key": "without the key the adverts of the other directors are refused: this one becomes master beside them",
    "tls": "no TLS check can be made: the real servers that have one get no connections",
}
_WORDS = {"track_file": "folder of a track file", "hmac_key": "HMAC key", "tls": "TLS file"}


def missing_files(case: HostCase) -> None:
    """What is read at the start, and the folders that are watched (inotify(7) needs one that is there); keys are for few eyes.

    Facts that say nothing of a file (they were written without this configuration) lead to no judgement.
    """
    known = {f.path: f for f in case.facts.files}
    for wanted in dict.fromkeys(named_files(case.config)):
        found = known.get(wanted.path)
        if found is None:
            continue
        if not found.exists:
            _say(
                case,
                wanted,
                f"`{wanted.path}` ({_WORDS[wanted.kind]}) is not on {case.host}: {found.error or 'it does not exist'}",
                _EFFECT[wanted.kind],
                "put it there before the configuration is loaded",
                None,
            )
        elif wanted.secret and found.components and found.components[-1].bits & 0o007:
            _say(
                case,
                wanted,
                f"everybody on {case.host} may read `{wanted.path}` ({_WORDS[wanted.kind]}, mode {found.components[-1].mode})",
                "whoever has an account there can send adverts that all directors believe"
                if wanted.kind == "hmac_key"
                else "whoever has an account there has the director's key",
                f"`chmod 0600 {wanted.path}`",
                Severity.WARNING,
            )


def _say(
    case: HostCase, wanted: NamedFile, message: str, effect: str, help: str, severity: Severity | None
) -> None:
    case.say(
        "KC1218",
        message,
        wanted.owner,
        wanted.field,
        consequence=effect,
        help=help,
        severity=severity,
    )
