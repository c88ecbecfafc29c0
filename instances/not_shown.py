"""What an AWX of either line has no place for, of the addresses and links that are stored here.

AWX 23 knows one address of a node: its hostname, by TCP, with the node's listener_port. AWX 24 knows no address without
port. Source: docs/awx-behaviour.md, "Receptor addresses". The answers are texts that complete a sentence, in a fixed
order, after two or three queries whatever the size of the mesh. That AWX 23 has no ids of addresses is not named.
"""

from collections.abc import Iterator

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from instances.capacity import CONTROLLING
from instances.models import Instance, InstanceLink, ReceptorAddress
from instances.models.address import HIGHEST_PORT

MOST_NAMED = 20  # in one message


def by_awx_23() -> list[str]:
    """What AWX 23 cannot show of addresses, which further links between the same nodes, and which nodes are managed."""
    parts = (part for address in of_24_alone() for part in parts_of_24(address))
    return [*parts, *further_links(), *odd_management()]


def of_24_alone() -> QuerySet[ReceptorAddress]:
    """The addresses that have anything which AWX 23 has no place for."""
    as_in_23 = Q(
        canonical=True,
        address=F("instance__hostname"),
        protocol=ReceptorAddress.Protocol.TCP,
        websocket_path="",
        is_internal=False,
    )
    has_port = Q(port=None) | Q(port__range=(0, HIGHEST_PORT))
    return ReceptorAddress.objects.exclude(as_in_23 & has_port).select_related("instance").order_by("pk")


def parts_of_24(address: ReceptorAddress) -> Iterator[str]:
    """What AWX 23 cannot show of this address. Of one that is not canonical it shows nothing but the links."""
    name, node = address.address, address.instance.hostname
    if not address.canonical:
        yield f"the address {name} of {node}"
        return
    if name != node:
        yield f"that {node} is dialled as {name}"
    if address.protocol != ReceptorAddress.Protocol.TCP:
        yield f"the protocol {address.protocol} of {name}"
    if address.websocket_path:
        yield f"the path {address.websocket_path} of {name}"
    if address.is_internal:
        yield f"that {name} is internal"
    if address.port is not None and not 0 <= address.port <= HIGHEST_PORT:
        yield f"the port {address.port} of {name}"


def further_links() -> list[str]:
    """The links beside another one from the same node to the same node, of which AWX 23 has one at most."""
    ends = {"source": OuterRef("source"), "target__instance": OuterRef("target__instance")}
    further = InstanceLink.objects.filter(Exists(InstanceLink.objects.filter(**ends, pk__lt=OuterRef("pk"))))
    links = further.order_by("pk").values_list("source__hostname", "target__address")
    return [f"the further link from {source} to {address}" for source, address in links]


def odd_management() -> list[str]:
    """The nodes that are managed, or not, otherwise than their type says: with AWX 23 that follows from it."""
    odd = Instance.objects.exclude(Q(managed=True, node_type__in=CONTROLLING)).exclude(
        ~Q(node_type__in=CONTROLLING), managed=False
    )
    return [
        f"that {hostname} is {'managed' if managed else 'not managed'}"
        for hostname, managed in odd.order_by("pk").values_list("hostname", "managed")
    ]


def by_awx_24() -> list[str]:
    """The links to addresses without port, and peers_from_control_nodes of these, which AWX 24 cannot show."""
    links = InstanceLink.objects.filter(target__port=None).order_by("pk")
    flagged = ReceptorAddress.objects.filter(port=None, peers_from_control_nodes=True).order_by("pk")
    return [
        *(
            f"the link from {source} to {target}, which has no port"
            for source, target in links.values_list("source__hostname", "target__instance__hostname")
        ),
        *(
            f"peers_from_control_nodes of {hostname}, which has no port"
            for hostname in flagged.values_list("instance__hostname", flat=True)
        ),
    ]


def in_a_sentence(names: list[str]) -> str:
    """The first ``MOST_NAMED`` of them, and how many more there are."""
    more = f", and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}"
