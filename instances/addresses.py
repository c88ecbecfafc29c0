"""The addresses of instances, and the links that lead to them.

Who calls what changes them has called ``lock_links()``. Source: docs/awx-behaviour.md, "Receptor addresses".
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, Prefetch, QuerySet

from instances.capacity import CONTROLLING
from instances.models import Instance, InstanceLink, ReceptorAddress
from instances.models.address import HIGHEST_PORT

INSTALLABLE = (Instance.NodeType.EXECUTION, Instance.NodeType.HOP)  # nodes that are created and removed here
LISTENER = ("listener_port", "peers_from_control_nodes")  # what an instance has of its canonical address
DIALLED_ADDRESSES = "dialled_addresses"
DIALLED = Prefetch(
    "receptor_addresses",
    ReceptorAddress.objects.filter(Exists(InstanceLink.objects.filter(target=OuterRef("pk")))),
    to_attr=DIALLED_ADDRESSES,
)


class TakenAddressError(Exception):
    """Another instance has this address. The message is that of AWX, which is the database's."""

    def __init__(self, address: str) -> None:
        super().__init__(
            'duplicate key value violates unique constraint "unique_receptor_address"\n'
            f"DETAIL:  Key (address)=({address}) already exists."
        )
        self.reason = f"Another node has the address {address}."


def set_listener(instance: Instance, values: dict[str, Any]) -> bool:
    """Set those of LISTENER that ``values`` has in the canonical address; return whether something changed.

    Where a port is set and there is no canonical address, that of the instance's own hostname becomes it, and keeps
    what is not given. Without a port there is none: links that lead to it go with it. Raises TakenAddressError.
    """
    given = {name: values[name] for name in LISTENER if name in values}
    if all(getattr(instance, name) == value for name, value in given.items()):
        return False
    address = instance.canonical_address
    if given.get("listener_port", instance.listener_port) is None:
        if address:
            address.delete()
            instance.set_canonical_address(None)
        return address is not None
    address = address or named_like(instance)
    address.canonical = True
    address.port = given.get("listener_port", address.port)
    address.peers_from_control_nodes = given.get("peers_from_control_nodes", address.peers_from_control_nodes)
    address.save()
    instance.set_canonical_address(address)
    return True


def named_like(instance: Instance) -> ReceptorAddress:
    """The address of the instance's own hostname, a new one if there is none. Raises TakenAddressError."""
    address: ReceptorAddress | None = ReceptorAddress.objects.filter(address=instance.hostname).first()
    if address and address.instance_id != instance.pk:
        raise TakenAddressError(instance.hostname)
    return address or ReceptorAddress(instance=instance, address=instance.hostname)


def check_owner(address: str, instance: Instance | None) -> None:
    """Raise ValidationError if another than ``instance`` has this address."""
    found = ReceptorAddress.objects.filter(address=address).exclude(instance=instance).select_related("instance")
    if other := found.first():
        raise ValidationError({"address": f"{other.instance.hostname} has the address {address} already."})


def check_port(port: int | None, name: str) -> None:
    """Raise ValidationError, for the field ``name``, if no address can be given this port. 0 is one not known."""
    if port is None or not 0 <= port <= HIGHEST_PORT:
        raise ValidationError({name: f"A port is a number from 0 to {HIGHEST_PORT}."})


def delete_unused_addresses() -> None:
    """Delete the addresses without port that nothing refers to any more: no link, nor peers_from_control_nodes."""
    ReceptorAddress.objects.filter(port=None, peers_from_control_nodes=False, links=None).delete()


def address_to_link(instance: Instance) -> ReceptorAddress:
    """The canonical address of the instance, or else that of its own hostname; where it has neither, a new canonical
    one without port, as AWX 23 links instances. Raises TakenAddressError."""
    address: ReceptorAddress = instance.canonical_address or named_like(instance)
    if address.pk is None:
        address.canonical, address.port = True, None
        address.save()
        instance.set_canonical_address(address)
    return address


def peers_of(instance: Instance) -> QuerySet[Instance]:
    """The instances to whose addresses links lead from ``instance``, each once."""
    return Instance.objects.filter(Exists(ReceptorAddress.objects.filter(peers_from=instance, instance=OuterRef("pk"))))


def addresses_of(instance: Instance | None, peers: Iterable[Instance]) -> list[ReceptorAddress]:
    """The addresses that stand for these ``peers`` where peers are named by their hostnames.

    Of a peer of ``instance`` the addresses to which it is linked; of others the canonical one, or where there is none
    an unsaved one without port.
    """
    linked = defaultdict(list)
    for address in instance.peers.select_related("instance") if instance else ():
        linked[address.instance].append(address)
    found: list[ReceptorAddress] = []
    for peer in peers:
        found += linked[peer] or [peer.canonical_address or ReceptorAddress(instance=peer, port=None)]
    return found


def links_to(instance: Instance) -> QuerySet[InstanceLink]:
    """The links that lead to any address of ``instance``."""
    return InstanceLink.objects.filter(target__instance=instance)


def is_dialled(instance: Instance) -> bool:
    """Whether a link leads to ``instance``. Needs no query where its ``DIALLED`` addresses were prefetched."""
    dialled = getattr(instance, DIALLED_ADDRESSES, None)
    return links_to(instance).exists() if dialled is None else bool(dialled)


def set_peers(instance: Instance, peers: list[ReceptorAddress]) -> None:
    """Make links from ``instance`` lead to these addresses only. New ones begin as "adding", others stay."""
    own = InstanceLink.objects.filter(source=instance)
    own.exclude(target__in=peers).delete()
    delete_unused_addresses()
    instance.peers.add(*peers)


def peer_from_control_nodes(address: ReceptorAddress) -> None:
    """Let every control and hybrid node peer to ``address``, but its own."""
    others = Instance.objects.filter(node_type__in=CONTROLLING).exclude(pk=address.instance_id)
    sources = others.exclude(peers=address).order_by("pk")
    links = [InstanceLink(source=source, target=address) for source in sources]
    InstanceLink.objects.bulk_create(links, ignore_conflicts=True)


def unpeer_control_nodes(address: ReceptorAddress) -> None:
    """Let no control or hybrid node peer to ``address`` any more."""
    InstanceLink.objects.filter(target=address, source__node_type__in=CONTROLLING).delete()
