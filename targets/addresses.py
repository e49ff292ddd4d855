"""Where a request comes from. A header is believed only as far as a proxy of ours has written it."""

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The address of the client: of X-Forwarded-For, read from its end, the first that is not in TRUSTED_PROXIES.

    The header counts only if the connection itself comes from such a proxy, so that nobody chooses his own address.
    A connection without an address (a UNIX socket) is one of a proxy on this machine. Empty where none is known.
    """
    address = _clean(request.META.get("REMOTE_ADDR", ""))
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    while _is_trusted(address) and forwarded:
        further = _clean(forwarded.pop())
        if not further:
            break
        address = further
    return address


def _is_trusted(address: str) -> bool:
    networks = _networks(tuple(settings.TRUSTED_PROXIES))
    return bool(networks) and (not address or any(ip_address(address) in network for network in networks))


@lru_cache(maxsize=4096)
def _clean(address: str) -> str:
    """The address as this module compares it, without the zone that IPv6 may have; empty for what is none."""
    try:
        found = ip_address(address.strip())
    except ValueError:
        return ""
    return str(getattr(found, "ipv4_mapped", None) or found).partition("%")[0]


@lru_cache(maxsize=8)
def _networks(texts: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(text) for text in texts)
