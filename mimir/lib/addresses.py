"""Special-purpose addresses that a user's URL must not reach, with their sources. Pure.

Sources: the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890,
https://www.iana.org/assignments/iana-ipv4-special-registry/,
https://www.iana.org/assignments/iana-ipv6-special-registry/), read 2025-10; multicast RFC 5771 and
RFC 4291; Azure's platform address from
https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16. All entries of
the registries are refused, also globally reachable ones (AS112, AMT), which serve no data.
"""

import ipaddress
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

SPECIAL_IPV4 = {
    "0.0.0.0/8": "this network (RFC 791)",
    "10.0.0.0/8": "private use (RFC 1918)",
    "100.64.0.0/10": "shared address space (RFC 6598)",
    "127.0.0.0/8": "loopback (RFC 1122)",
    "168.63.129.16/32": "Azure's platform: metadata, DNS, health",
    "169.254.0.0/16": "link local, and clouds' metadata (RFC 3927)",
    "172.16.0.0/12": "private use (RFC 1918)",
    "192.0.0.0/24": "IETF protocol assignments (RFC 6890)",
    "192.0.2.0/24": "documentation (RFC 5737)",
    "192.31.196.0/24": "AS112-v4 (RFC 7535)",
    "192.52.193.0/24": "AMT (RFC 7450)",
    "192.88.99.0/24": "6to4 relay anycast, deprecated (RFC 7526)",
    "192.168.0.0/16": "private use (RFC 1918)",
    "192.175.48.0/24": "direct delegation AS112 (RFC 7534)",
    "198.18.0.0/15": "benchmarking (RFC 2544)",
    "198.51.100.0/24": "documentation (RFC 5737)",
    "203.0.113.0/24": "documentation (RFC 5737)",
    "224.0.0.0/4": "multicast (RFC 5771)",
    "240.0.0.0/4": "reserved, and limited broadcast (RFC 1112, RFC 8190)",
}
SPECIAL_IPV6 = {
    "::/8": "unspecified, loopback, IPv4-compatible and reserved (RFC 4291)",
    "64:ff9b::/96": "IPv4/IPv6 translation (RFC 6052); the IPv4 address inside decides",
    "64:ff9b:1::/48": "IPv4/IPv6 translation, local use (RFC 8215)",
    "100::/64": "discard only (RFC 6666)",
    "100:0:0:1::/64": "dummy prefix (RFC 9780)",
    "2001::/23": "IETF protocol assignments, Teredo among them (RFC 2928)",
    "2001:db8::/32": "documentation (RFC 3849)",
    "2002::/16": "6to4 (RFC 3056); the IPv4 address inside decides",
    "2620:4f:8000::/48": "direct delegation AS112 (RFC 7534)",
    "3fff::/20": "documentation (RFC 9637)",
    "5f00::/16": "segment routing SIDs (RFC 9602)",
    "fc00::/7": "unique local (RFC 4193)",
    "fe80::/10": "link local (RFC 4291)",
    "fec0::/10": "site local, deprecated (RFC 3879)",
    "ff00::/8": "multicast (RFC 4291)",
}
GLOBAL_UNICAST_IPV6 = ipaddress.ip_network("2000::/3")  # all that IANA has allocated
_NETWORKS = {
    4: [ipaddress.ip_network(network) for network in SPECIAL_IPV4],
    6: [ipaddress.ip_network(network) for network in SPECIAL_IPV6],
}
_COMPATIBLE, _MAPPED_TRANSLATED = (
    ipaddress.ip_network("::/96"),
    ipaddress.ip_network("::ffff:0:0:0/96"),
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)


def is_public(address: Address) -> bool:
    """Whether an address, and every address embedded in it, is on the public internet."""
    return all(_is_public(each) for each in (plain(address), *_inside(address)))


def _is_public(address: Address) -> bool:
    if any(address in network for network in _NETWORKS[address.version]):
        return False
    return not isinstance(address, ipaddress.IPv6Address) or address in GLOBAL_UNICAST_IPV6


def plain(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, else `address` itself.

    IPv4-mapped, 6to4 and NAT64 addresses stand for an IPv4 address.
    """
    if not isinstance(address, ipaddress.IPv6Address):
        return address
    inside = address.ipv4_mapped or address.sixtofour
    if inside is None and address in _NAT64:
        inside = _last_bits(address)
    return inside or address


def _inside(address: Address) -> Iterable[Address]:
    """Return the IPv4 addresses embedded in a tunnel or translation address.

    These are Teredo (server and client), ISATAP, IPv4-translated and IPv4-compatible addresses.
    """
    if not isinstance(address, ipaddress.IPv6Address):
        return ()
    found: list[Address] = list(address.teredo or ())
    if (
        address in _MAPPED_TRANSLATED
        or address in _COMPATIBLE
        or (int(address) >> 32) & 0xFFFFFFFF in _ISATAP
    ):
        found.append(_last_bits(address))
    return found


def _last_bits(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
