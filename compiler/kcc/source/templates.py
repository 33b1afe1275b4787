"""Is this a configuration at all? Templates, scripts and documents get one message instead of hundreds.

A verdict is given only where the file cannot be meant as it stands: template syntax outside comments (and, where a
script may hold the same characters, outside quotes), or the unmistakable beginning of another language. Placeholders
that are ordinary words for keepalived (``<address>``, ``__ID__``, ``@VIP@``) are judged by the keywords they are given to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

__all__ = ["Verdict", "recognise"]

_RENDER = "render it first, and check what comes out"


class Verdict(msgspec.Struct, frozen=True):
    """``kind`` completes "this is not a keepalived configuration but …". Line and columns count from 1."""

    kind: str
    line: int
    column: int
    end_column: int
    label: str
    help: str


# Expressions as text: most files are no templates and need none of them compiled.
_JINJA = (
    r"\{%[-+]?\s*(?:if|elif|else|endif|for|endfor|set|endset|macro|endmacro|block|endblock|include|import|from|extends"
    r"|with|endwith|raw|endraw|filter|endfilter|call|endcall|do|load|comment|endcomment|assign|unless|case|when)\b"
)
_MUSTACHE = r"\{\{[-~#/^&>!{]?\s*[\w.$@\"'(|][^{}]*\}\}"
_GO = (
    r"\{\{-?\s*(?:\.|\$|/\*|(?:range|end|if|else|with|define|template|block|include|printf|getv|gets|getenv|key|ls|service"
    r"|env|index|toYaml|default|quote)\b(?!\s*\}\}))|\{\{-?\s*end\s*-?\}\}"
)
_HANDLEBARS = r"\{\{[#/^>]"
_ERB = r"<%[-=#]?[\s\S]*?(?:%>|$)"
_TT = r"\[%[-+~=]?\s*[A-Za-z_][\w.]*.*?(?:%\]|$)"
_PERCENT = r"(?<![\w%])%[A-Z][A-Z0-9_]*%(?![\w%])"
_SHELL_REFERENCE = r"\$\{([A-Za-z_][A-Za-z0-9_]*)(:?[-=?+][^{}]*|)\}"
_DEFINES = r"(?m)(?:^|[{}])[ \t]*(?:@\S+[ \t]+)?(?:\$[A-Za-z_][A-Za-z0-9_]*[ \t]*=|~SEQ|~LST)"
_INCLUDES = r"(?m)^[ \t]*(?:@\S+[ \t]+)?include[rmwba]?[ \t]"
_HEREDOC = r"<<-?\s*[\\\"']?[A-Za-z_]\w*"
_SCRIPT_LINE = (
    r"^\s*(?:(?:if|elif|while|until)\s+(?:\[|!|test\b|command\b|\w+\s*;|grep\b)|(?:fi|done|esac|then|else|do)\b\s*(?:;|$)"
    r"|for\s+\w+\s+in\b|case\s+\S+\s+in\b|(?:set\s+-[a-zA-Z]+|export\s+\w+=|echo\s+\S|exit\s+\d|return\b|function\s+\w+|local\s+\w+)"
    r"|[A-Za-z_]\w*=\S*\s*$|[A-Za-z_]\w*\(\)\s*\{|import\s+\w+|from\s+\w+\s+import\b|def\s+\w+\(|use\s+\w+;|cat\s+.*<<)"
)
_INTERPRETER = r"#![ \t]*/\S*?(?:/env[ \t]+(?:-S[ \t]+)?)?([A-Za-z]+)[\d.]*(?=\s|$)"
_KEY = r"[A-Za-z_][\w.-]*:(?:\s|$)"
_CODE = r'(?P<text>(?:"[^"\n]*"|\\.|[^#!\n])*)'


def recognise(data: bytes, text: str, *, alone: bool) -> Verdict | None:
    """What the file is instead of a configuration, or None. ``alone``: no definitions come from elsewhere."""
    return (
        _binary(data) or _document(text) or _script(text) or _template(text) or _references(text, alone=alone)
    )


def _binary(data: bytes) -> Verdict | None:
    head = data[:4096]
    kind = None
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        kind, advice = "text in UTF-16", "convert it to UTF-8: iconv -f UTF-16 -t UTF-8"
    elif head[:4] == b"\x7fELF":
        kind, advice = "a program", "give the configuration file, not the daemon"
    elif head[:2] == b"\x1f\x8b" or head[:4] == b"PK\x03\x04":
        kind, advice = "a compressed file", "unpack it first"
    elif len(head) >= 64:
        control = sum(head.count(bytes([c])) for c in range(32) if c not in b"\t\n\v\f\r\x1b")
        if control * 10 > len(head):
            kind, advice = "binary data", "give the path of a text file"
    if kind is None:
        return None
    return Verdict(kind, 1, 1, 2, "", advice)


def _significant(text: str, limit: int) -> Iterator[tuple[int, int, str]]:
    """``(line number, offset, line)`` of the first lines that are neither empty nor comment."""
    at, number = 0, 0
    while at < len(text) and limit:
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        number += 1
        line = text[at : min(end, at + 2000)]
        if (stripped := line.strip(" \t\r\v\f\ufeff")) and stripped[0] not in "#!":
            limit -= 1
            yield number, at, line.rstrip("\r")
        at = end + 1


def _statements(text: str) -> list[str]:
    """The first lines cut at braces, without what is empty or a comment then."""
    lines = _significant(text, 100)
    pieces = (piece.strip() for _number, _at, line in lines for piece in re.split("[{}]", line))
    return [piece for piece in pieces if piece and piece[0] not in "#!"]


def _document(text: str) -> Verdict | None:
    """JSON, XML, HTML, YAML: known by how they begin."""
    lines = list(_significant(text, 2))
    if not lines:
        return None
    number, _at, line = lines[0]
    first = line.strip(" \t\ufeff")
    column = len(line) - len(line.lstrip(" \t\ufeff")) + 1
    second = lines[1][2].strip() if len(lines) > 1 else ""
    kind, advice = None, "give the configuration itself"
    if first[0] in "{[" and (
        re.match(r"[{\[]\s*\"", first)
        or (
            re.fullmatch(r"\{|\[\s*\{?", first)
            and re.match(r"\"[^\"]*\"\s*:" if first == "{" else r"[\"{]", second)
        )
    ):
        kind = "JSON"
        if '"kir"' in text[:4096]:
            kind, advice = "an IR document", "name it with the suffix .json so that it is read as one"
    elif first[0] == "<" and re.match(r"<(?:\?xml|!DOCTYPE|!--|html\b)", first, re.IGNORECASE):
        kind = "HTML" if "html" in text[:500].lower() else "XML"
    elif first.startswith("<?php"):
        kind, advice = "PHP", _RENDER
    elif first == "---" or (":" in first and re.match(_KEY, first)):
        # Counted by statement, not by line: how the text is laid out must not change the verdict.
        keys = [piece for piece in _statements(text)[:40] if re.match(rf"(?:- +)?{_KEY}", piece)]
        if len(keys) >= 2:
            kind, advice = "YAML", "take the configuration out of it, or render it first"
    if kind is None:
        return None
    return Verdict(kind, number, column, column + max(1, min(len(first), 20)), "it begins like this", advice)


def _script(text: str) -> Verdict | None:
    """A shell script (or another) that would write a configuration."""
    interpreter = re.match(_INTERPRETER, text) if text.startswith("#!") else None
    if interpreter is None and "<<" not in text:
        return None
    evidence = None
    for number, _at, line in _significant(text, 60):
        if re.match(_SCRIPT_LINE, line) or (
            re.search(_HEREDOC, line) and not line.count('"') % 2 and '"' not in line
        ):
            evidence = number, line
            break
    if evidence is None or (interpreter is None and not re.search(_HEREDOC, evidence[1])):
        return None
    language = interpreter.group(1) if interpreter else "shell"
    kind = {"python": "a Python script", "perl": "a Perl script", "ruby": "a Ruby script"}.get(
        language, "a shell script"
    )
    advice = "run it, and check the configuration that it writes"
    if interpreter:
        return Verdict(kind, 1, 1, interpreter.end() + 1, "it starts with an interpreter", advice)
    number, line = evidence
    indent = len(line) - len(line.lstrip())
    return Verdict(kind, number, indent + 1, len(line.rstrip()) + 1, "a command of the shell", advice)


def _template(text: str) -> Verdict | None:
    """The first template construct that stands outside comments."""
    candidates: list[tuple[int, str, str, bool]] = []
    if "{%" in text:
        candidates.append((text.find("{%"), "a Jinja template", _JINJA, True))
    if "{{" in text:
        candidates.append((text.find("{{"), "a template", _MUSTACHE, False))
    if "<%" in text:
        candidates.append((text.find("<%"), "an ERB template", _ERB, True))
    if "[%" in text:
        candidates.append((text.find("[%"), "a Template Toolkit template", _TT, False))
    if not candidates:
        return None
    for kind, pattern, inside_quotes in [(k, p, q) for _f, k, p, q in sorted(candidates, key=lambda c: c[0])]:
        for match in re.finditer(pattern, text):
            # A quoted text may hold any characters; a construct in it begins and ends on its line.
            whole = pattern is not _ERB or re.fullmatch(r"<%[^\n]*%>", match.group()) is not None
            place = _in_code(text, match.start(), inside_quotes=inside_quotes and whole)
            if place is None:
                continue
            number, column = place
            written = match.group().split("\n", 1)[0]
            name = _brace_dialect(text) if kind == "a template" else kind
            return Verdict(
                name,
                number,
                column,
                column + max(2, min(len(written), 60)),
                "template syntax, first seen here",
                _RENDER,
            )
    return None


def _brace_dialect(text: str) -> str:
    if re.search(_JINJA, text):
        return "a Jinja template"
    if re.search(_GO, text):
        return "a Go template"
    if re.search(_HANDLEBARS, text):
        return "a Mustache or Handlebars template"
    return "a template (Jinja or alike)"


def _in_code(text: str, at: int, *, inside_quotes: bool) -> tuple[int, int] | None:
    """Line and column of ``at`` where it is neither in a comment nor (unless allowed) in double quotes."""
    start = text.rfind("\n", 0, at) + 1
    if at - start > 2000:
        return None
    before = text[start:at]
    code = re.match(_CODE, before)
    if code is None or code.end() != len(before):
        # Text remains behind what reads as code: a comment, or a quote that is still open.
        rest = before[code.end() if code else 0 :]
        if not rest.startswith('"') or not inside_quotes:
            return None
    elif before.count('"') % 2 and not inside_quotes:
        return None
    return text.count("\n", 0, start) + 1, at - start + 1


def _references(text: str, *, alone: bool) -> Verdict | None:
    """``${NAME}`` all over and not one definition: something else is to fill these in. ``%NAME%`` likewise."""
    found: dict[str, tuple[int, int, str]] = {}
    shell = False
    if alone and "${" in text and not re.search(_DEFINES, text) and not re.search(_INCLUDES, text):
        for match in re.finditer(_SHELL_REFERENCE, text):
            name = match.group(1)
            if name in found or (name.startswith("_") and not match.group(2)):
                continue
            place = _in_code(text, match.start(), inside_quotes=False)
            if place is not None:
                found[name] = (*place, match.group())
                shell = shell or bool(match.group(2))
            if len(found) >= 16:
                break
    if len(found) >= 2:
        number, column, written = next(iter(found.values()))
        names = ", ".join(f"${{{n}}}" for n in list(found)[:3])
        more = ", …" if len(found) > 3 else ""
        return Verdict(
            f"a template whose variables are filled in by {'a shell' if shell else 'envsubst or a shell'}",
            number,
            column,
            column + len(written),
            f"defined nowhere, as {len(found)}{'+' if len(found) >= 16 else ''} others: {names}{more}",
            f"{_RENDER}; or define them at the top of the file: `${next(iter(found))}=…`",
        )
    percent: dict[str, tuple[int, int]] = {}
    if text.count("%") >= 6:
        for match in re.finditer(_PERCENT, text):
            place = _in_code(text, match.start(), inside_quotes=False)
            if place is not None:
                percent.setdefault(match.group(), place)
            if len(percent) >= 3:
                name, (number, column) = next(iter(percent.items()))
                return Verdict(
                    "a template with placeholders like " + name,
                    number,
                    column,
                    column + len(name),
                    "placeholder, first seen here",
                    _RENDER,
                )
    return None
