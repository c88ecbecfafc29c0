"""Generated data, the same in every run: meshes, groups, users and jobs."""

from django.db import connection
from django.db.models import QuerySet

from instances import tokens
from instances.models import Instance, InstanceGroup, InstanceGroupRole, InstanceLink, ReceptorAddress, User

USERNAME, PASSWORD = "bench", "correct horse battery staple"
USERS = 20
NODES_PER_GROUP = 10
# Of every 15 nodes two control, one is a hop and one is a hybrid; the others execute.
TYPES = {0: "control", 1: "control", 2: "hop", 3: "hybrid"}
PERIOD = 15

LOAD = """
INSERT INTO instances_unifiedjob (
    id, type, name, description, unified_job_template, launch_type, execution_environment, status, created, modified,
    started, finished, elapsed, failed, job_explanation, execution_node, controller_node, instance_group_id,
    task_impact, representation
)
SELECT id, 'job', name, '', 7 + id %% 50, launch_type, 3, status, began, ended, began, ended, 61, status = 'failed', '',
       node, controller, "group", 1 + id %% 6, json_build_object(
           'id', id, 'type', 'job', 'url', '/api/v2/jobs/' || id || '/', 'related', json_build_object(),
           'name', name, 'launch_type', launch_type, 'status', status, 'failed', status = 'failed',
           'created', began, 'modified', ended, 'started', began, 'finished', ended, 'elapsed', 61.0,
           'execution_node', node, 'controller_node', controller, 'unified_job_template', 7 + id %% 50
       )
FROM (
    SELECT id,
           'Deploy application ' || id AS name,
           CASE WHEN id %% 4 = 0 THEN 'scheduled' ELSE 'manual' END AS launch_type,
           CASE WHEN id %% 100 = 0 THEN 'running' WHEN id %% 200 = 1 THEN 'waiting' WHEN id %% 200 = 3 THEN 'pending'
                WHEN id %% 12 = 5 THEN 'failed' ELSE 'successful' END AS status,
           timestamptz '2026-01-01' + id * interval '7 seconds' AS began,
           timestamptz '2026-01-01' + id * interval '7 seconds' + interval '61 seconds' AS ended,
           nodes[1 + id %% cardinality(nodes)] AS node,
           controllers[1 + id %% cardinality(controllers)] AS controller,
           groups[1 + id %% cardinality(groups)] AS "group"
    FROM generate_series(1, %s) AS id, (
        SELECT array_agg(hostname ORDER BY id) FILTER (WHERE node_type IN ('execution', 'hybrid')) AS nodes,
               array_agg(hostname ORDER BY id) FILTER (WHERE node_type IN ('control', 'hybrid')) AS controllers,
               (SELECT array_agg(id ORDER BY id) FROM instances_instancegroup) AS groups
        FROM instances_instance
    ) AS mesh
) AS jobs
"""


def build(instances: int, jobs: int) -> str:
    """Fill an empty database with a mesh of so many instances and so many jobs; return a superuser's bearer token."""
    make_mesh(instances)
    make_groups()
    token = make_users()
    load_jobs(jobs)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return token


def make_mesh(number: int) -> None:
    """``number`` instances, the first with the id 1; every node that executes is dialled by a hop, hops by control."""
    nodes = Instance.objects.bulk_create(node(position) for position in range(number))
    hops = [one for one in nodes if one.node_type == "hop"]
    addresses = {one.pk: address for one, address in zip(nodes, make_addresses(nodes), strict=True)}
    links = [
        InstanceLink(source=source, target=addresses[hop.pk], link_state="established")
        for hop in hops
        for source in nodes
        if source.node_type == "control" and source.pk <= PERIOD
    ]
    links += [
        InstanceLink(source=hops[one.pk % len(hops)], target=addresses[one.pk], link_state="established")
        for one in nodes
        if one.node_type in ("execution", "hybrid")
    ]
    InstanceLink.objects.bulk_create(links)


def make_addresses(nodes: list[Instance]) -> list[ReceptorAddress]:
    """An address of each node, on the usual port."""
    return ReceptorAddress.objects.bulk_create(
        ReceptorAddress(instance=node, address=node.hostname, canonical=True) for node in nodes
    )


def node(position: int) -> Instance:
    node_type = TYPES.get(position % PERIOD, "execution")
    figures = {"cpu": 4, "memory": 8 * 2**30, "cpu_capacity": 16, "mem_capacity": 81, "capacity": 81}
    known = {"capacity": 0} if node_type == "hop" else figures
    return Instance(hostname=f"{node_type}-{position:04}.example.org", node_type=node_type, version="23.6.0", **known)


def executing() -> QuerySet[Instance]:
    return Instance.objects.filter(node_type__in=["execution", "hybrid"]).order_by("id")


def make_groups() -> None:
    """AWX's own two, and a group for each ten nodes that execute; a node is in its own group and in "default"."""
    control = InstanceGroup.objects.create(name="controlplane")
    control.instances.set(Instance.objects.filter(node_type__in=["control", "hybrid"]))
    nodes = list(executing())
    InstanceGroup.objects.create(name="default").instances.set(nodes)
    for first in range(0, len(nodes), NODES_PER_GROUP):
        group = InstanceGroup.objects.create(name=f"group-{first // NODES_PER_GROUP:03}")
        group.instances.set(nodes[first : first + NODES_PER_GROUP])


def make_users() -> str:
    """A superuser with a bearer token, which is returned, and others who may use some group."""
    admin = User.objects.create_superuser(USERNAME, password=PASSWORD)
    groups = list(InstanceGroup.objects.order_by("id"))
    users = User.objects.bulk_create(User(username=f"user-{n:02}", password="!") for n in range(USERS))
    InstanceGroupRole.objects.bulk_create(
        InstanceGroupRole(user=user, instance_group=groups[user.pk % len(groups)], role="use_role") for user in users
    )
    return tokens.issue(admin)[1]


def load_jobs(number: int) -> None:
    """Jobs over all nodes and groups, by one statement; one of a hundred runs."""
    with connection.cursor() as cursor:
        cursor.execute(LOAD, [number])
