"""The client's address by X-Forwarded-For, which is trusted from TRUSTED_PROXIES alone.

Each proxy appends the address of its client to the right of the list. So from the right the entries are true as long as
a trusted proxy added them; the first address that is no trusted proxy is the client.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from settings.env import UNIX

Address = IPv4Address | IPv6Address


def address_in(text: str) -> Address | None:
    """The address that an entry of X-Forwarded-For names, with or without a port; None if it names none."""
    host = text.strip().strip('"')
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        return unmapped(ip_address(host))
    except ValueError:
        return None


def unmapped(address: Address) -> Address:
    """``address``, as IPv4 where it is one that a socket for both kinds has mapped into IPv6."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def unmapped_network(name: str) -> IPv4Network | IPv6Network:
    """The network that ``name`` names, of IPv4 where all of it is mapped into IPv6."""
    network = ip_network(name)
    first = unmapped(network.network_address)
    mapped_bits = network.max_prefixlen - first.max_prefixlen
    if network.prefixlen < mapped_bits:
        return network
    return ip_network((first, network.prefixlen - mapped_bits))


class Proxies:
    """The peers that ``entries`` of TRUSTED_PROXIES name."""

    def __init__(self, entries: Iterable[str]) -> None:
        names = {entry.strip() for entry in entries}
        self.has_unix = UNIX in names
        self.networks = [unmapped_network(name) for name in names - {UNIX}]
        self.trusts_peer = lru_cache(maxsize=1000)(self.is_trusted_peer)

    def trusts(self, address: Address) -> bool:
        return any(address in network for network in self.networks)

    def is_trusted_peer(self, peer: str) -> bool:
        """Whether ``peer``, as the server has it in REMOTE_ADDR, is one of them."""
        if not peer or peer.startswith("unix:"):
            return self.has_unix
        address = address_in(peer)
        return address is not None and self.trusts(address)

    def client_of(self, environ: Mapping[str, Any]) -> str:
        """The address of the client: the peer, or the forwarded one where the peer is a trusted proxy."""
        peer = environ.get("REMOTE_ADDR", "")
        forwarded_for = environ.get("HTTP_X_FORWARDED_FOR", "")
        return self.forwarded(peer, forwarded_for) if forwarded_for and self.trusts_peer(peer) else str(peer)

    def forwarded(self, peer: str, forwarded_for: str) -> str:
        """The address of the client behind the trusted ``peer``: the last one that a trusted proxy added.

        An entry that is no address ends the search: entries left of it are unverified.
        """
        client = peer
        for entry in reversed(forwarded_for.split(",")):
            address = address_in(entry)
            if address is None:
                break
            client = str(address)
            if not self.trusts(address):
                break
        return client
