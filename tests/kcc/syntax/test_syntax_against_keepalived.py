"""The lexical rules are keepalived's: each text is read by both, and both see the same keywords.

Every line of a case is an unknown keyword for keepalived, which names it in a message; so its messages are the list of
statements that it read. Run without privileges in an empty folder: its test mode may start programs.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kcc.syntax import Block
from lab.needs import find_tool, require_keepalived
from support.syntax_tools import parse

pytestmark = pytest.mark.keepalived

CASES = {
    "words": "q1 a\n\tq2\tb\nq3\x0b1\n\x0cq4\nq5\rx\n",
    "comments": "q1#x\nq2!y\n#q3\nq4\\#5\nq6\\!7\nq8\\\\#9\n",
    "quotes": '"q1 x" y\nq2"z w"\nq3 "#" # c\n"q4#5"\n',
    "single quotes": "q1' a\nq2'#'\n",
    "crlf": "q1\r\nq2 a\r\n",
    "no last newline": "q1\nq2",
    "non-breaking space": "\u00a0q1\n",
    "definition": "$A=q1\n$A\n$A x\n${A}y\n$B=\nq2${B}\n",
    "references": "$A=x\nq$A,$A)${A}b$A\nq1$A.5\nq2$A/5\n",
    "late binding": "$B=q1\n$A=${B}\n$B=q2\n$A\n",
    "nested": "$A1=q1\n$B=1\n${A${B}}\n",
    "no escape": "$A=q1\n$$A\n\\$A\n",
    "comment from a definition": "q1${_HASH}2\nq3 ${_BANG} x\n",
    "instance": "q${_INSTANCE}\n",
    "several lines": "$A=q1 x \\\n  q2 y \\\nq3\n$A\nq4\n",
    "several lines, first empty": "$A=\\\nq2\n$A\nq4\n",
    "several lines and a comment": "$A=q1 \\\n# c \\\nq2\n$A\nq3\n",
    "several lines and a last comment": "$A=q1 \\\n# c\nq2\n$A\nq3\n",
    "several lines ended by an empty one": "$A=q1 \\\n\nq2\n$A\nq3\n",
    "several lines, backslash in a comment": "$A=q1 \\\nq2 # c \\\nq3\n$A\nq4\n",
    "several lines nested": "$I=q1 \\\nq2\n$A=q3 \\\n$I \\\nq4\n$A\n",
    "conditions in a definition": "$A=q1 \\\n@me q2 \\\n@^me q3\n$A\n",
    "conditions": "@me q1\n@no q2\n@^me q3\n@^no q4\n@ q5\n@^ q6\n@me\n@me @me q7\n@a|me q8\n@ME q9\n",
    "sequence": "~SEQ(X,3) q$X\n~SEQ(X,0) q$X\n~SEQ(X,-2) q$X\n~SEQ(X,5,3) q$X\n~SEQ(X,1,2,4) q$X\n",
    "sequence bases": "~SEQ(X,0x2,010) q$X\n~SEQx(X,9,11) q$X\n",
    "sequence nested": "~SEQ(X,2) ~SEQ(Y,2) q${X}${Y}\n",
    "sequence with a definition": "$N=2\n~SEQ(X, $N) q$X\n",
    "sequence, afterwards": "~SEQ(X,2) q1\nq2${X}\n",
    "sequence, no blank": "~SEQ(X,2)q${X}\n",
    "list": "~LST(X, a, b) q${X}\n~LST({X,Y}, {a,b},{c,d}) q${X}${Y}\n",
    "bad sequences": "~SEQ(X,1,0,3) q1\n~SEQ(X) q2\nq3\n",
    "no include": "includex a\ninclude\n",
    "behind braces": "global_defs { q1\n q2 } q3\n",
    "brace on the next line": "global_defs\n{\n q1\n}\n",
    "brace without blank": "global_defs{\nq1}\nq2\n",
    "quoted brace": 'global_defs {\n q2 "{" x\n q1 "}"\n}\n',
    "definition behind a brace": "global_defs { $A=q1\n $A\n}\n",
    "sequence behind a brace": "global_defs { ~SEQ(X,2) q${X}\n}\n",
    "condition behind a brace": "global_defs { @no q1\n @me q2 }\n",
    "condition on a brace": "@no }\nglobal_defs {\n @no }\n q1\n@me }\n",
}


def _keepalived(text: str, folder: Path) -> list[str]:
    """The unknown keywords that keepalived names, in order."""
    folder.chmod(0o777)
    path = folder / "k.conf"
    path.write_bytes(text.encode())
    path.chmod(0o644)
    program = find_tool("keepalived")
    assert program is not None
    argv = [program, "-t", "-i", "me", "-f", str(path)]
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv")
        assert setpriv is not None
        argv = [setpriv, "--reuid", "65534", "--regid", "65534", "--clear-groups", *argv]
    done = subprocess.run(
        argv, cwd="/", capture_output=True, timeout=20, check=False, stdin=subprocess.DEVNULL
    )
    output = (done.stdout + done.stderr).decode(errors="replace")
    # Its children say the same again, with the name of the file.
    return re.findall(r"^\(Line \d+\) Unknown keyword '(.*)'", output, re.MULTILINE)


@pytest.mark.parametrize("case", CASES)
def test_the_same_keywords(case: str) -> None:
    require_keepalived()
    folder = Path(subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip())
    try:
        theirs = _keepalived(CASES[case], folder)
    finally:
        shutil.rmtree(folder)
    tree, _findings = parse(CASES[case])
    ours: list[str] = []
    for node in tree.walk():
        if not (isinstance(node, Block) and node.keyword == "global_defs"):
            ours.append(node.keyword)
    assert ours == theirs
