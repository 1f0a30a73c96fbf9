"""A cluster's network namespace: held by a bind mount, joined to the host by a veth pair and routes."""

import os
import shutil
from pathlib import Path

from .addresses import Addresses
from .command import run, succeeds
from .mounts import mounted_below, unmount_below


def ensure(addresses: Addresses, namespace: Path) -> None:
    """Makes what is missing of the namespace, its links and the host's routes; does nothing when all is there."""
    _load_modules()
    if namespace.as_posix() not in mounted_below(namespace.parent):
        namespace.parent.mkdir(parents=True, exist_ok=True)
        namespace.touch()
        run("unshare", f"--net={namespace}", "true")
    inside = ("nsenter", f"--net={namespace}", "--")
    link, prefix = addresses.host_link, 24
    if not (succeeds("ip", "link", "show", link) and succeeds(*inside, "ip", "link", "show", "eth0")):
        remove_link(addresses)
        run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", str(namespace))
    run("ip", "address", "replace", f"{addresses.host}/{prefix}", "dev", link)
    run("ip", "link", "set", link, "up")
    run(*inside, "ip", "address", "replace", f"{addresses.node}/{prefix}", "dev", "eth0")
    run(*inside, "ip", "link", "set", "lo", "up")
    run(*inside, "ip", "link", "set", "eth0", "up")
    run(*inside, "ip", "route", "replace", "default", "via", addresses.host)
    run(*inside, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    for reachable in (addresses.pods, addresses.services):
        run("ip", "route", "replace", reachable, "via", addresses.node, "dev", link)


def remove(addresses: Addresses | None, namespace: Path) -> None:
    """Removes the links, with which the routes go, and the namespace."""
    if addresses:
        remove_link(addresses)
    unmount_below(namespace)
    namespace.unlink(missing_ok=True)


def remove_link(addresses: Addresses) -> None:
    """Removes the host's end of the veth pair, and the other end with it."""
    if Path("/sys/class/net", addresses.host_link).exists():
        run("ip", "link", "delete", addresses.host_link)


def bridged_packets_meet_iptables() -> bool:
    """Whether a Pod's answer to a Pod on the same bridge passes iptables, which undoes a Service's translation."""
    return Path("/proc/sys/net/bridge/bridge-nf-call-iptables").exists()


def _load_modules() -> None:
    if shutil.which("modprobe") and Path(f"/lib/modules/{os.uname().release}").is_dir():
        for module in ("br_netfilter", "overlay", "nf_conntrack", "veth"):
            succeeds("modprobe", "-q", module)
