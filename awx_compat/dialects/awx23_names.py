"""What filters of AWX 23.6.0 name: an instance has the port of its canonical address, and peers are instances."""

from awx_compat.filters.columns import HIDDEN, PATHS, RELATIONS, FilterNames
from instances.models import Instance, InstanceGroup, InstanceLink

NAMES = FilterNames(
    relations={
        **RELATIONS,
        Instance: {
            "peers": Instance,
            "reverse_peers": InstanceLink,
            "rampart_groups": InstanceGroup,
            "peers_from": Instance,
        },
        InstanceLink: {"source": Instance, "target": Instance},
    },
    paths={
        **PATHS,
        Instance: {
            "listener_port": "canonical_address__port",
            "peers_from_control_nodes": "canonical_address__peers_from_control_nodes__or_false",
            "peers": "peers__instance",
            "reverse_peers": "receptor_addresses__links",
            "peers_from": "receptor_addresses__peers_from",
        },
        InstanceLink: {"target": "target__instance"},
    },
    hidden={**HIDDEN, Instance: {"managed"}},
)
