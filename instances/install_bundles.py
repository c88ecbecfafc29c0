"""What install bundles are made of, and what has changed since the last one of a node was made.

A bundle is outdated as soon as a new one would differ in more than its key, and once its certificate has expired.
Nothing shows whether a bundle was installed.
"""

import hashlib
import json
import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509
from django.db import DatabaseError, transaction
from django.db.models import Q
from django.utils import timezone

from instances import database, mesh_ca
from instances.mesh_ca import MeshCA, MeshCAError
from instances.models import Instance, InstanceLink, IssuedBundle, Mirror, ReceptorAddress

logger = logging.getLogger(__name__)

CERTIFICATE = "certificate"
WEBSOCKETS = (ReceptorAddress.Protocol.WS, ReceptorAddress.Protocol.WSS)
# Port 0 is one not known, and only a URL has a port by default.
CANNOT_BE_DIALLED = Q(port=None) | Q(port=0, protocol=ReceptorAddress.Protocol.TCP)
BEFORE_PROTOCOLS = {"protocol": "tcp"}  # what bundles had whose record names none


@dataclass(frozen=True, slots=True)
class NewBundle:
    """What a new bundle of ``instance`` is made of.

    ``peers``: the addresses that it dials; its ``key`` and ``certificate`` are both PEM. The key is not stored.
    """

    instance: Instance
    peers: list[ReceptorAddress]
    ca: MeshCA
    key: bytes
    certificate: bytes

    @classmethod
    def of(cls, instance: Instance, ca: MeshCA) -> "NewBundle":
        key, certificate = ca.issue(instance.hostname)
        return cls(instance, list(dialled_by(instance)), ca, key, certificate)

    @property
    def parts(self) -> dict[str, Any]:
        """What it is made of, as ``IssuedBundle.parts`` has it."""
        return {
            **parts(self.instance, [dialled_at(peer) for peer in self.peers]),
            **parts_of_ca(self.ca.certificates_pem, self.ca.work_public_key),
            CERTIFICATE: digest(self.certificate),
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between an issued bundle and a new one.

    ``changed``: for the name of each part that differs the difference in words. ``ca_error``: why the parts of the mesh
    CA cannot be compared; "" where they can.
    """

    bundle: IssuedBundle
    changed: dict[str, str]
    ca_error: str

    @property
    def message(self) -> str:
        """When it was made, and all that differs."""
        return " ".join([f"The bundle was made {in_utc(self.bundle.made)}.", *self.changed.values()])

    @property
    def outdated_since(self) -> datetime | None:
        """Since when it is outdated: known where only its certificate has expired."""
        return self.bundle.certificate_expires if self.changed.keys() == {CERTIFICATE} else None


def dialled_by(instance: Instance) -> Iterable[ReceptorAddress]:
    """The addresses of peers that can be dialled, ordered."""
    return instance.peers.exclude(CANNOT_BE_DIALLED).order_by("address")


def record(new: NewBundle) -> None:
    """Store what the bundle was made of, in place of the node's earlier one. A mirror stores nothing.

    A bundle is worth more than its record, so an error is only logged, unless the database is away.
    """
    certificate = x509.load_pem_x509_certificate(new.certificate)
    issued = IssuedBundle(
        instance=new.instance,
        made=timezone.now(),
        certificate_expires=certificate.not_valid_after_utc,
        parts=new.parts,
    )
    try:
        with transaction.atomic():
            if not Mirror.objects.exists():
                IssuedBundle.objects.bulk_create(
                    [issued],
                    update_conflicts=True,
                    unique_fields=["instance"],
                    update_fields=["made", "certificate_expires", "parts"],
                )
    except DatabaseError as error:
        if database.is_away(error):
            raise
        logger.warning("The install bundle of %s is not recorded: %s", new.instance, database.reason(error))


def comparisons_of(instances: Iterable[Instance], now: datetime) -> dict[int, Comparison]:
    """By id of the instance, its last bundle, compared, where one is recorded. One query, if any is."""
    bundles = [each.issued_bundle for each in instances if hasattr(each, "issued_bundle")]
    return {each.bundle.instance_id: each for each in compare(bundles, now)} if bundles else {}


def compare_all(now: datetime) -> list[Comparison]:
    """The last bundles of all nodes, compared, by hostname. Two queries."""
    return compare(
        IssuedBundle.objects.select_related("instance__canonical_address").order_by("instance__hostname"), now
    )


def compare(bundles: Collection[IssuedBundle], now: datetime) -> list[Comparison]:
    """Compare the bundles with those that would be made at ``now``. One query, beside that of ``bundles``."""
    peers: dict[int, list[str]] = {bundle.instance_id: [] for bundle in bundles}
    dialled = ReceptorAddress.objects.exclude(CANNOT_BE_DIALLED)
    links = InstanceLink.objects.filter(source__in=peers.keys(), target__in=dialled)
    for link in links.select_related("target"):
        peers[link.source_id].append(dialled_at(link.target))
    try:
        of_ca, ca_error = parts_of_ca(*mesh_ca.public_parts()), ""
    except MeshCAError as error:
        of_ca, ca_error = {}, str(error)
    found = []
    for bundle in bundles:
        current = {**parts(bundle.instance, peers[bundle.instance_id]), **of_ca}
        changed = differences({**BEFORE_PROTOCOLS, **bundle.parts}, current)
        if bundle.certificate_expires <= now:
            changed[CERTIFICATE] = f"Its certificate expired {in_utc(bundle.certificate_expires)}."
        found.append(Comparison(bundle, changed, ca_error))
    return found


# --- the parts of a bundle


def parts(instance: Instance, peers: Iterable[str]) -> dict[str, Any]:
    """What a bundle takes from the database. ``peers``: as ``dialled_at()`` writes them."""
    return {
        "hostname": instance.hostname,
        "port": instance.listener_port,
        "protocol": receptors_protocol(instance.protocol),
        "peers": sorted(peers),
    }


def parts_of_ca(certificates: bytes, work_public_key: bytes) -> dict[str, Any]:
    return {"ca": digest(certificates), "work_key": digest(work_public_key)}


def differences(before: dict[str, Any], now: dict[str, Any]) -> dict[str, str]:
    """The parts that differ, with the difference in words."""
    added = [peer for peer in now["peers"] if peer not in before["peers"]]
    removed = [peer for peer in before["peers"] if peer not in now["peers"]]
    peers = [f"new peers: {', '.join(added)}"] * bool(added) + [f"removed peers: {', '.join(removed)}"] * bool(removed)
    words = {
        "hostname": f"The hostname was {before['hostname']}.",
        "port": f"The port was {before['port'] or 'not set'}, and is {now['port'] or 'not set'}.",
        "protocol": f"The protocol was {before['protocol']}, and is {now['protocol']}.",
        "peers": f"Other peers are dialled: {'; '.join(peers)}.",
        "ca": "The certificate of the mesh CA changed.",
        "work_key": "The key that verifies work changed.",
    }
    return {name: words[name] for name, value in now.items() if before[name] != value}


def receptors_protocol(protocol: str) -> str:
    """How Receptor's configuration names the protocol of an address: ws with and without TLS; tcp where it has none."""
    return "ws" if protocol in WEBSOCKETS else "tcp"


def dialled_at(peer: ReceptorAddress) -> str:
    """What Receptor dials: host and port, an IPv6 address in brackets; by websockets a URL.

    Nodes are connected with TLS always, so the URL is one of wss, also where the protocol is ws.
    """
    host = f"[{peer.address}]" if ":" in peer.address else peer.address
    place = f"{host}:{peer.port}" if peer.port else host
    path = f"/{peer.websocket_path}" if peer.websocket_path else ""
    return f"wss://{place}{path}" if peer.protocol in WEBSOCKETS else place


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def fingerprint(parts: dict[str, Any]) -> str:
    """The SHA-256 of a bundle's parts, by which the archive and its record are known to be of one bundle."""
    return digest(json.dumps(parts, sort_keys=True).encode())


def in_utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
