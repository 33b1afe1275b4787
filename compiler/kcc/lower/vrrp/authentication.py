"""Authentication of version 2 (RFC 2338 section 5.3.6). RFC 3768 took it out, and version 3 never had it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcc.diagnostics.model import Severity
from kcc.lower.scope import wrote
from kcc.syntax.tree import CutLine
from kir.model import Authentication, Secret

if TYPE_CHECKING:
    from kcc.language.parsed import Field
    from kcc.lower.vrrp.draft import Draft
    from kcc.syntax.tree import Statement

PASS_OCTETS = 8


def settle_authentication(draft: Draft) -> None:
    """The password, or none: keepalived drops the whole block for the first reason that it finds."""
    blocks = draft.node.children("authentication")
    fields: dict[str, Field] = {}
    for block in blocks:
        fields.update(block.fields)
    if "auth_pass" in fields:
        _judge_cut(draft, fields["auth_pass"].statement)
    kind = fields.get("auth_type")
    if kind is None:
        if "auth_pass" in fields:
            draft.say(
                "KC0514",
                f"`{draft.name}`: `auth_pass` without `auth_type`",
                fields["auth_pass"],
                consequence="adverts are sent and accepted without authentication",
                help="add `auth_type PASS`, or remove the block",
                severity=Severity.WARNING,
            )
        return
    password = fields.get("auth_pass")
    if draft.strict:
        why, help_ = (
            "strict mode does not allow authentication",
            "remove the block, or switch strict mode off",
        )
    elif draft.version == 3:
        why, help_ = (
            "VRRP version 3 has no authentication",
            "remove the block, or use `version 2` on all directors",
        )
    elif (password is None or not password.value) and any(wrote(block, "auth_pass") for block in blocks):
        return
    elif password is None or not password.value:
        why, help_ = "authentication without `auth_pass`", "add `auth_pass SECRET` (up to eight characters)"
    elif kind.value == "AH" and draft.family == "inet6":
        why, help_ = "AH does not exist for IPv6 here", "remove the block"
    else:
        _accept(draft, kind, password.value)
        return
    draft.say(
        "KC0514",
        f"`{draft.name}`: {why}",
        kind if password is not None else blocks[0],
        consequence="keepalived drops the authentication; a peer that still asks for it refuses the adverts, and both become master",
        help=help_,
        also=draft.strictly() if draft.strict else (),
    )


def _judge_cut(draft: Draft, said: Statement) -> None:
    """An unquoted ``#`` or ``!`` begins a comment, in the middle of a word too; what stands behind it is lost without a word."""
    kept = said.words[-1].text
    if not isinstance(said.line, CutLine) or said.words[-1].quoted or len(kept) >= PASS_OCTETS:
        return
    draft.scope.say(
        "KC0117",
        f"`{draft.name}`: a comment begins in the middle of `auth_pass`",
        said.end_span(),
        label="the password ends here",
        consequence=f"only its first {len(kept)} characters count: with a director that has all of it, both are master",
        help="put the password in double quotes; or, if a comment is meant, a blank before it",
    )


def _accept(draft: Draft, kind: Field, password: str) -> None:
    if kind.value == "AH" and draft.state == "MASTER" and not draft.owner:
        draft.say(
            "KC0514",
            f"`{draft.name}`: `state MASTER` does not work with AH authentication",
            draft.at("state"),
            consequence="keepalived starts it as BACKUP",
            help="write `state BACKUP`",
            also=((kind, "AH is asked for here"),),
        )
        draft.state = "BACKUP"
    octets = password.encode("utf-8", "surrogateescape")[:PASS_OCTETS]
    draft.authentication = Authentication(
        type="AH" if kind.value == "AH" else "PASS", password=Secret(secret=octets.decode("utf-8", "replace"))
    )
