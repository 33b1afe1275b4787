"""The whole text, block by block in the order in which keepalived wants names to be known."""

from __future__ import annotations

from kcc.decompile.addresses import print_static_addresses
from kcc.decompile.bfd import print_bfd
from kcc.decompile.global_ import multicast_groups, print_globals
from kcc.decompile.interfaces import print_interfaces
from kcc.decompile.lvs import print_virtual_servers
from kcc.decompile.routes import print_routes, print_rules
from kcc.decompile.tls import print_tls
from kcc.decompile.tracking import print_file, print_process, print_script, print_track_group
from kcc.decompile.vrrp import print_group, print_instance
from kcc.decompile.writer import Writer
from kcc.layout.expanded import LITERAL
from kir.model import Config

__all__ = ["text_of"]


def text_of(config: Config, *, title: str = "") -> str:
    """A keepalived.conf that means ``config``, secrets included; ``title`` becomes a comment on top.

    What equals keepalived's default is left out, but for the few settings that every reader looks for. Raises Unprintable
    where the language cannot say something.
    """
    out = Writer()
    print_globals(config, out)
    print_interfaces(config, out)
    for file in config.track_files:
        print_file(file, out)
    for process in config.track_processes:
        print_process(process, out)
    for bfd in config.bfd_instances:
        print_bfd(bfd, out)
    for script in config.vrrp_scripts:
        print_script(script, out)
    _static(config, out)
    for group in config.vrrp_sync_groups:
        print_group(group, out)
    groups = {group.name: group for group in config.vrrp_sync_groups}
    multicast = multicast_groups(config)
    for instance in config.vrrp_instances:
        print_instance(instance, groups.get(instance.sync_group or ""), multicast, out)
    print_tls(config.tls, out)
    print_virtual_servers(config.virtual_servers, out)
    while out.lines and not out.lines[-1]:
        out.lines.pop()
    text = out.text()
    if "${" in text:
        text = f"{LITERAL}\n\n{text}"
    comment = "".join(f"# {line}\n" for line in title.splitlines())
    return f"{comment}\n{text}" if comment else text


def _static(config: Config, out: Writer) -> None:
    """What the director always has; a track group must be known before it is named."""
    for group in config.track_groups:
        print_track_group(group, out)
    print_static_addresses(config.static_addresses, out)
    print_routes("static_routes", config.static_routes, out, static=True)
    print_rules("static_rules", config.static_rules, out, static=True)
