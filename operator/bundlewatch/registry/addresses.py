"""Which network addresses a name in a URL stands for, and which of them nobody may make us talk to.

Whoever names a host to us (a BundleWatch, a realm, a redirect) could name the cloud's metadata service or our
own loopback. A host may hide an address in any form a resolver takes: `2130706433`, `0x7f.1`,
`[::ffff:127.0.0.1]`. Rule: the security checklist every registry client learned in 2026 (CWE-918).
"""

import ipaddress
import socket
from enum import StrEnum
from typing import TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_METADATA = frozenset({ipaddress.ip_address("fd00:ec2::254"), ipaddress.ip_address("100.100.100.200")})
_METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "instance-data", "metadata.azure.internal"})
_THIS_HOST = ipaddress.IPv4Network("0.0.0.0/8")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class Reach(StrEnum):
    """How far an address reaches, as far as it matters here; the value reads in a sentence."""

    OPEN = "public"
    PRIVATE = "private"
    LOOPBACK = "loopback"
    METADATA = "link-local or metadata"


def literal(host: str) -> Address | None:
    """The address `host` (no brackets) spells, in any form a resolver accepts; None: it is a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    if host[:1].isdigit():
        try:
            return ipaddress.IPv4Address(socket.inet_aton(host))
        except OSError:
            pass
    return None


def reach_of_address(address: Address) -> Reach:
    """The strictest class of the address and of every IPv4 address it carries."""
    if isinstance(address, ipaddress.IPv6Address):
        carried = address.ipv4_mapped or address.sixtofour
        compatible = 1 < int(address) < 1 << 32  # ::a.b.c.d, long deprecated and still parsed
        if carried is None and (compatible or address in _NAT64):
            carried = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if carried is not None:
            return reach_of_address(carried)
    if address in _METADATA or address.is_link_local or address.is_multicast:
        return Reach.METADATA
    if address.is_loopback or address.is_unspecified or address in _THIS_HOST:
        return Reach.LOOPBACK
    if address.is_private or address.is_reserved:
        return Reach.PRIVATE
    return Reach.OPEN


def reach_of_host(host: str) -> Reach:
    """What can be told without asking DNS; an ordinary name counts as public."""
    address = literal(host)
    if address is not None:
        return reach_of_address(address)
    name = host.lower().rstrip(".")
    if name in _METADATA_NAMES:
        return Reach.METADATA
    if name == "localhost" or name.endswith(".localhost"):
        return Reach.LOOPBACK
    return Reach.OPEN
