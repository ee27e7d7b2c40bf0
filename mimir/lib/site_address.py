"""Hosts and origins in the form in which browsers send them."""

import ipaddress
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


def host_in_url(host: str) -> str:
    """Return a host as a URL and a Host header contain it: lower case, IPv6 compressed in [ ].

    `host` is a name or an address without brackets, such as `urlsplit(url).hostname`.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.lower()
    return f"[{address}]" if address.version == 6 else str(address)


def origin_of(url: str) -> str:
    """Return `scheme://host[:port]` of a URL, lower case, without a default port; "" if invalid."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    if parts.scheme not in _DEFAULT_PORTS or not host:
        return ""
    shown = "" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{host_in_url(host)}{shown}"
