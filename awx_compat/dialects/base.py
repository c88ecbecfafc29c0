"""What a dialect declares."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, eq=False)
class Dialect:
    """What the API of one version of AWX says in its own way. No field has a default: each version says all of it.

    Source: docs/awx-behaviour.md, "AWX 24.6.1".
    """

    version: str
    """The value of ``AWX_VERSION``, of ``X-API-Product-Version``, and of ``version`` in ``ping/`` and ``config/``."""

    # --- paths

    collections: Mapping[str, str]
    """The body of ``/api/v2/``: the name of each collection, and its part of the path."""

    routes: tuple[str, ...]
    """Modules with the routes below ``/api/`` that other dialects do not have."""

    slashless_collections: frozenset[str]
    """Collections below whose records a path without a slash at its end is answered as with it, not redirected."""

    # --- instances

    names: str
    """The module with the names of what can be filtered by, ``NAMES``."""

    instances: str
    """The module with the serializers of instances and links, and the records that they render."""

    bundle: str
    """The module with the variables of install bundles for a node's port, ``listener()``, and its peers, ``peer()``."""

    # --- collections that are not stored

    inventory_sources: Mapping[str, str]
    """Where inventories come from: the values of ``source``, and their labels."""

    notification_types: Mapping[str, str]
    """How notifications are sent, likewise."""

    # --- errors

    has_pages_for_unknown_routes: bool
    """Whether an unknown route below ``/api/`` is answered with Django's HTML page, to every client, or as JSON."""

    # --- headers and bodies

    origin_header: str
    """How ``Vary`` spells the header ``Origin``."""

    not_found: str
    """The message where no record has the id or name in the path; it may contain ``{model}``, AWX's model."""

    not_ascii: str
    """The message for a parameter of the query whose ``{name}`` has other characters than ASCII."""

    takes_empty_page: bool
    """Whether an empty ``page`` requests the first page; otherwise there is no such page."""

    repeats_format: bool
    """Whether the paths in a JSON body repeat the parameter ``format`` of the request."""

    options_of_fields: Mapping[str, bool]
    """What OPTIONS says of every field, after its ``required``, or after its ``type`` where it has no ``required``."""

    # --- install bundles

    type_of_bundles: str
    """The ``Content-Type`` of an install bundle, which is a .tar.gz."""

    disposition_of_bundles: str
    """Its ``Content-Disposition``, with its ``{name}``."""

    # --- users

    auditors_fetch_bundles: bool
    """Whether auditors may fetch install bundles, with the private key of a node, unless a setting decides it."""

    shows_auditors: bool
    """Whether users without rights see the system auditors, as they see the superusers."""

    identifies_users: bool
    """Whether ``summary_fields`` of a user names the user as a resource of ``service-index/``."""

    numbers_system_roles: bool
    """Whether the roles of superusers and auditors in ``access_list/`` have an id."""
