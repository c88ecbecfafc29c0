"""Meshes to look at; ``tests.browser.filling`` writes them."""

from datetime import timedelta
from itertools import pairwise

from django.utils import timezone

from instances.addresses import address_to_link
from instances.models import Instance, InstanceGroup, InstanceLink, User
from tests.make import make_jobs

SCRIPT = "<script>document.title='broken'</script>"
IMAGE = "\"><img src=x onerror=document.title='broken'>"
BACKWARDS = "\u202egro.elpmaxe\u202c"  # right-to-left override
HEBREW = "\u05e9\u05dc\u05d5\u05dd"
NAMES = (SCRIPT, IMAGE, BACKWARDS, HEBREW, "{{ hostname }}", "&amp;", "' onfocus='x")
STATES = ("ready", "ready", "ready", "unavailable", "installed", "deprovisioning", "provision-fail")


def hostile(number: int) -> None:
    """Names and errors that try to become markup or to turn the page around, and ones as long as they can be."""
    User.objects.create_superuser("admin", password="admin")
    nodes = Instance.objects.bulk_create(hostile_node(position) for position in range(number))
    hops = [node for node in nodes if node.node_type == "hop"]
    states = ("established", "established", "adding", "removing")
    InstanceLink.objects.bulk_create(
        InstanceLink(
            source=hops[position % len(hops)], target=address_to_link(node), link_state=states[position % len(states)]
        )
        for position, node in enumerate(nodes)
        if node.node_type != "hop"
    )
    group = InstanceGroup.objects.create(name=f"{SCRIPT}{BACKWARDS}")
    group.instances.set(nodes[:5])
    make_jobs(20, name=IMAGE, status="running", execution_node=nodes[3].hostname, task_impact=2, instance_group=group)


def hostile_node(position: int) -> Instance:
    name = NAMES[position % len(NAMES)]
    hostname = f"{position:05} {name}" if position % 3 else f"{position:05} {name} ".ljust(250, "x")
    node_type = {0: "control", 1: "hop", 2: "hybrid"}.get(position % 20, "execution")
    figures = {} if node_type == "hop" else {"cpu": 4, "memory": 8 * 2**30, "cpu_capacity": 16, "mem_capacity": 81}
    state = STATES[position % len(STATES)]
    return Instance(
        hostname=hostname,
        node_type=node_type,
        node_state=state,
        capacity=81 if figures and state == "ready" else 0,
        errors=f"{SCRIPT}\n{BACKWARDS}{IMAGE}" if state == "unavailable" else "",
        version=SCRIPT,
        last_seen=timezone.now() - timedelta(seconds=position),
        **figures,
    )


SITES = ("frankfurt", "london", "paris", "newyork", "singapore", "saopaulo", "johannesburg", "sydney")


def realistic(number: int) -> None:
    """A mesh as a company has it: long names, sites behind a hop node or a chain of them, links that change."""
    User.objects.create_superuser("admin", password="admin")
    control = [
        realistic_node("control", f"control-{place:02}.awx.corp.example.com") for place in range(3 + number // 200)
    ]
    chains = [
        [
            realistic_node("hop", f"hop-{SITES[site % len(SITES)]}-{site:02}-{step}.mesh.corp.example.com")
            for step in range(1 + site % 3)
        ]
        for site in range(max(2, number // 30 if number < 500 else number // 66))
    ]
    hops = [hop for chain in chains for hop in chain]
    workers = [
        realistic_node("execution", f"exec-{SITES[place % len(chains) % len(SITES)]}-{place:04}.prod.corp.example.com")
        for place in range(number - len(control) - len(hops))
    ]
    for place, worker in enumerate(workers[::11]):
        worker.node_state, worker.errors, worker.capacity = STATES[3 + place % 4], "Receptor error", 0
    Instance.objects.bulk_create([*control, *hops, *workers])
    ways = [(one, chain[0]) for chain in chains for one in control]
    ways += [pair for chain in chains for pair in pairwise(chain)]
    ways += [(chains[place % len(chains)][-1], worker) for place, worker in enumerate(workers)]
    states = [
        "removing" if place % 23 == 7 else "adding" if place % 31 == 9 else "established" for place in range(len(ways))
    ]
    InstanceLink.objects.bulk_create(
        InstanceLink(source=source, target=address_to_link(target), link_state=state)
        for (source, target), state in zip(ways, states, strict=True)
    )
    make_jobs(number, status="running", execution_node=workers[1].hostname, task_impact=1)


def realistic_node(node_type: str, hostname: str) -> Instance:
    figures = {} if node_type == "hop" else {"cpu": 4, "memory": 8 * 2**30, "cpu_capacity": 16, "mem_capacity": 81}
    capacity = 81 if figures else 0
    return Instance(
        hostname=hostname,
        node_type=node_type,
        node_state="ready",
        capacity=capacity,
        last_seen=timezone.now(),
        **figures,
    )
