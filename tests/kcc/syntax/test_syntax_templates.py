"""Files that are not configurations get one message; configurations with odd characters do not."""

from __future__ import annotations

import pytest

from support.syntax_tools import parse

TEMPLATES = {
    "a Jinja template": "# {{ managed }}\nvrrp_instance A {\n{% if master %}\n state MASTER\n{% endif %}\n}\n",
    "a template (Jinja or alike)": "vrrp_instance {{name}} {\n  priority {{ priority }}\n}\n",
    "a Go template": "vrrp_instance A {\n  priority {{ .Values.priority }}\n{{- range .Vips }}\n{{- end }}\n}\n",
    "a Mustache or Handlebars template": "vrrp_instance A {\n{{#each vips}}\n  {{this}}\n{{/each}}\n}\n",
    "an ERB template": "global_defs {\n  router_id <%= @router_id %>\n}\n",
    "a Template Toolkit template": "global_defs {\n[% INCLUDE 'x.tt' -%]\n}\n",
    "a shell script": "#!/bin/bash\n# c\nset -e\ncat > k.conf <<EOF\nglobal_defs {\n}\nEOF\n",
    "a Python script": "#!/usr/bin/env python3\nimport os\nprint('x')\n",
    "a template whose variables are filled in by envsubst or a shell": "a {\n  state ${STATE}\n  priority ${PRIORITY}\n}\n",
    "a template whose variables are filled in by a shell": "a {\n  state ${STATE:-MASTER}\n  priority ${PRIORITY}\n}\n",
    "a template with placeholders like %STATE%": "a {\n  state %STATE%\n  priority %PRIO%\n  interface %IF%\n}\n",
    "YAML": "---\napiVersion: v1\nkind: ConfigMap\ndata:\n  keepalived.conf: |\n    vrrp_instance A {\n    }\n",
    "JSON": '{\n  "vrrp_instance": {"A": 1}\n}\n',
    "an IR document": '{"kir": "1.0", "features": []}\n',
    "XML": '<?xml version="1.0"?>\n<a/>\n',
    "HTML": "<!DOCTYPE html>\n<html></html>\n",
    "text in UTF-16": "global_defs {\n}\n".encode("utf-16"),
    "a program": b"\x7fELF" + bytes(100),
    "a compressed file": b"\x1f\x8b\x08" + bytes(100),
    "binary data": bytes(range(32)) * 10,
}

CONFIGURATIONS = [
    "vrrp_script x {\n  script \"docker inspect -f '{{.State.Running}}' web\"\n}\n",
    "# rendered from {{ template }} {% if x %}\na {\n}\n",
    "! <% old %>\na\n",
    "a <address> {\n  b __ID__ @VIP@ xxx.xxx\n}\n",
    "$STATE=MASTER\na ${STATE} ${PRIORITY} ${OTHER}\n",
    "a ${STATE}\n",
    "#!/usr/sbin/keepalived -f\nglobal_defs {\n}\n",
    "a {{\n}\n}\n",
    'a {\n  b %X%\n  script "date +%Y%M%D %A% %B% %C%"\n}\n',
    "a: b\nglobal_defs {\n}\n",
    'vrrp_script x {\n  script "cat <<EOF"\n}\n',
    'a "${X} ${Y} ${Z}"\n',
    "{\n a\n}\n",
]


@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_template_is_one_message(kind: str) -> None:
    tree, findings = parse(TEMPLATES[kind])
    assert [(d.code, d.severity.word) for d in findings.items] == [("KC0002", "error")]
    assert findings.items[0].message == f"this is not a keepalived configuration but {kind}"
    assert findings.items[0].span.line >= 1 and findings.items[0].help
    assert tree.body == []


@pytest.mark.parametrize("text", CONFIGURATIONS)
def test_a_configuration_is_not_a_template(text: str) -> None:
    _tree, findings = parse(text)
    assert "KC0002" not in [d.code for d in findings.items]


def test_where_the_template_shows() -> None:
    _tree, findings = parse("# {{ x }}\na {\n  b {{ y }}\n}\n")
    span = findings.items[0].span
    assert (span.line, span.column, span.end_column) == (3, 5, 12)


def test_definitions_given_by_option_fill_the_variables() -> None:
    tree, findings = parse("a ${STATE} ${PRIO}\n", defines={"STATE": "x", "PRIO": "1"})
    assert not findings.items
    assert [w.text for w in tree.body[0].words] == ["a", "x", "1"]


def test_half_a_construct_in_quotes_is_text() -> None:
    _tree, findings = parse('vrrp_script a {\n script "/bin/check 5<%6"\n}\n')
    assert not findings.items
    _tree, findings = parse('vrrp_script a {\n script "<%= @check %>"\n}\n')
    assert [d.code for d in findings.items] == ["KC0002"]
