"""What filters of AWX 24.6.1 name: peers are addresses, and so are ports and protocols theirs."""

from awx_compat.filters.columns import HIDDEN, PATHS, RELATIONS, FilterNames
from instances.models import Instance, InstanceGroup, InstanceLink, ReceptorAddress

NAMES = FilterNames(
    relations={
        **RELATIONS,
        Instance: {
            "peers": ReceptorAddress,
            "receptor_addresses": ReceptorAddress,
            "rampart_groups": InstanceGroup,
            "instancelink": InstanceLink,
        },
        ReceptorAddress: {"peers_from": Instance, "instance": Instance, "instancelink": InstanceLink},
        InstanceLink: {"source": Instance, "target": ReceptorAddress},
    },
    unlisted=frozenset({"instancelink"}),
    paths={**PATHS, Instance: {"instancelink": "links"}, ReceptorAddress: {"instancelink": "links"}},
    hidden=HIDDEN,
)
