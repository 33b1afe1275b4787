"""The whole text, block by block in the order in which keepalived wants names to be known."""

from __future__ import annotations

from kcc.decompile.global_ import multicast_groups, print_globals
from kcc.decompile.lvs import print_virtual_servers
from kcc.decompile.vrrp import print_group, print_instance, print_script
from kcc.decompile.writer import Writer, guard
from kcc.layout.expanded import LITERAL
from kir.model import Config

__all__ = ["text_of"]


def text_of(config: Config, *, title: str = "") -> str:
    """A keepalived.conf that means ``config``, secrets included; ``title`` becomes a comment on top.

    What equals keepalived's default is left out, but for the few settings that every reader looks for. Raises Unprintable
    where the language cannot say something, or this release cannot print it yet.
    """
    guard(config, "global_defs", "vrrp_scripts", "vrrp_instances", "vrrp_sync_groups", "virtual_servers")
    out = Writer()
    print_globals(config, out)
    for script in config.vrrp_scripts:
        print_script(script, out)
    for group in config.vrrp_sync_groups:
        print_group(group, out)
    groups = {group.name: group for group in config.vrrp_sync_groups}
    multicast = multicast_groups(config)
    for instance in config.vrrp_instances:
        print_instance(instance, groups.get(instance.sync_group or ""), multicast, out)
    print_virtual_servers(config.virtual_servers, out)
    while out.lines and not out.lines[-1]:
        out.lines.pop()
    text = out.text()
    if "${" in text:
        text = f"{LITERAL}\n\n{text}"
    comment = "".join(f"# {line}\n" for line in title.splitlines())
    return f"{comment}\n{text}" if comment else text
