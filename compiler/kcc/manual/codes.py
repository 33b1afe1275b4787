"""The codes: a list by area, a page for the terminal, and ``docs/diagnostics.md``."""

from __future__ import annotations

import textwrap

from kcc.diagnostics.areas import area
from kcc.diagnostics.codes import CODES
from kcc.diagnostics.pages import Example, Page, all_pages

WIDTH = 100

_INTRO = """\
# Diagnostics

<!-- Made by `python -m kcc.manual.make` from the table of codes and its pages: change those. -->

`kcc check` says what is wrong, where, what it leads to and what to do. Each kind of finding has a code that never changes its
meaning and is never used again for another. `kcc explain CODE` prints the page of a code.

- **error**: keepalived rejects it, ignores it or changes what it says, or the kernel will refuse it. The exit status is 1.
- **warning**: it works, and is very likely not what was wanted. With `--strict` the exit status is 1.
- **note**: style, deprecation, information.

`--select` and `--ignore` take codes or their beginnings: `--select KC05,KC0712`, `--ignore KC0401`.

In the file a comment does the same for one place. At the end of a line it is about that line, alone on a line about the next
one; `ignore-file` is about the whole file. A code is always named, so that nothing else is hidden:

```conf
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    nopreempt off          # kcc: ignore KC0209
    # kcc: ignore KC0507, KC0506
    virtual_ipaddress {
        203.0.113.10/24
    }
}
! kcc: ignore-file KC0401
```

What is hidden so does not count for the exit status of `kcc check`. `kcc build` does not look at these comments: what keepalived
would not run is not built because a comment says so. A comment that names an unknown code (KC0115) or hides nothing (KC0116) is a
note.

`--fix` makes the repairs that are safe: the meaning after them is what keepalived does today, or what was surely meant. Nothing
else in the file changes, byte for byte; files are replaced in one step, or not at all.

`--format text` is for people, `json` for programs, `sarif` (SARIF 2.1.0) for code scanning, `github` for GitHub Actions, `gitlab`
for GitLab Code Quality.

## Codes

"""


def listing() -> str:
    """All codes, by area, for the terminal."""
    lines: list[str] = []
    last = ""
    for code, entry in sorted(CODES.items()):
        if code[:4] != last:
            last = code[:4]
            lines += ([""] if lines else []) + [f"{last}xx  {area(code)}"]
        lines.append(f"  {code}  {entry.severity.word:<8} {entry.title}")
    return "\n".join(lines) + "\n"


def text(page: Page) -> str:
    """A page for the terminal."""
    parts = [
        f"{page.code}: {page.title} ({page.severity})",
        _wrapped(page.what),
        "Why it matters",
        _wrapped(page.why),
    ]
    for word, examples in (("Bad", page.bad()), ("Good", page.good())):
        parts += [word, *(_example(e, len(examples) > 1) for e in examples)]
    parts.append(
        f"To hide it at a line: `# kcc: ignore {page.code}`; everywhere: `kcc check --ignore {page.code}`."
    )
    return "\n\n".join(parts) + "\n"


def _wrapped(paragraphs: str) -> str:
    return "\n\n".join(
        textwrap.fill(" ".join(p.split()), WIDTH, break_long_words=False, break_on_hyphens=False)
        for p in paragraphs.split("\n\n")
    )


def _example(example: Example, named: bool) -> str:
    head = f"    {example.file}:\n" if named else ""
    return head + textwrap.indent(example.text.rstrip("\n"), "      " if named else "    ")


def manual() -> str:
    """``docs/diagnostics.md``."""
    parts = [_INTRO, "| code | severity | finding |\n|---|---|---|\n"]
    for code, entry in sorted(CODES.items()):
        parts.append(f"| [{code}](#{_anchor(code, entry.title)}) | {entry.severity.word} | {entry.title} |\n")
    last = ""
    for page in all_pages():
        if page.code[:4] != last:
            last = page.code[:4]
            parts.append(f"\n## {last}xx: {area(page.code)}\n")
        parts.append("\n" + page.markdown(3))
    return "".join(parts)


def _anchor(code: str, title: str) -> str:
    """The anchor that Markdown renderers make of a page's heading."""
    kept = "".join(c for c in f"{code}: {title}".lower() if c.isalnum() or c in " -_")
    return kept.replace(" ", "-")
