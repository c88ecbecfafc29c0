"""Meshes made at random, as snapshots, and changed at random, so that every kind of change happens in time."""

import copy
import random
from collections.abc import Callable
from typing import Any

from tests import factories

Record = dict[str, Any]

STATES = ("ready", "ready", "unavailable", "installed", "provisioning", "deprovisioning")
TYPES = ("control", "execution", "execution", "hybrid", "hop")
STATUSES = ("new", "pending", "waiting", "running", "running", "successful", "failed", "error", "canceled")
KINDS = ("job", "job", "ad_hoc_command", "project_update", "inventory_update", "system_job", "workflow_job")
ENDED = STATUSES[5:]
ADMIN = factories.user(1, username="admin", is_superuser=True, token="token-of-admin", token_id=1)


class RandomMesh:
    """``content`` is a snapshot; ``change()`` changes it. Equal seeds make equal meshes and changes."""

    def __init__(self, seed: int, nodes: int) -> None:
        self.random = random.Random(seed)
        self.last_id = 10
        self.content = factories.snapshot(
            users=[copy.deepcopy(ADMIN)], instances=[], instance_links=[], instance_groups=[], unified_jobs=[]
        )
        for _ in range(nodes):
            self.add_instance()
        for add, number in (
            (self.add_group, 3),
            (self.add_user, 3),
            (self.add_link, nodes),
            (self.add_job, 4 * nodes),
        ):
            for _ in range(number):
                add()

    def change(self) -> None:
        """Change between none and five things."""
        for _ in range(self.random.randrange(6)):
            self.random.choice(self.changes)()

    @property
    def changes(self) -> list[Callable[[], None]]:
        return [
            self.add_instance,
            self.remove_instance,
            self.rename_instance,
            self.swap_hostnames,
            self.touch_instance,
            self.touch_instance,
            self.add_link,
            self.remove_link,
            self.turn_link,
            self.add_group,
            self.remove_group,
            self.touch_group,
            self.move_member,
            self.add_user,
            self.remove_user,
            self.touch_user,
            *[self.add_job, self.touch_job, self.remove_job] * 2,
        ]

    # --- what there is

    def new_id(self) -> int:
        self.last_id += self.random.choice((1, 1, 7))
        return self.last_id

    def any_of(self, name: str) -> Record | None:
        records = self.content[name]
        return self.random.choice(records) if records else None

    def group_ids(self) -> list[int]:
        return [group["id"] for group in self.content["instance_groups"]]

    # --- instances

    def figures(self, node_type: str) -> Record:
        chance = self.random
        forks = (
            {} if node_type == "hop" else {"cpu_capacity": chance.randrange(99), "mem_capacity": chance.randrange(99)}
        )
        return {
            "cpu": f"{chance.randrange(999)}.{chance.randrange(10)}",
            "memory": chance.randrange(2**40),
            "capacity": 0 if node_type == "hop" else chance.randrange(200),
            "capacity_adjustment": chance.choice(("0.00", "0.25", "1.00", "9.99")),
            "errors": chance.choice(("", "", "out of order\n  twice", "<script>alert(1)</script>", "Überlast 過負荷")),
            "enabled": chance.random() < 0.8,
            "node_state": chance.choice(STATES),
            "version": chance.choice(("", "ansible-runner-2.3.4", "23.6.0")),
            "health_check_started": chance.choice((None, "2023-12-21T11:40:00Z", "2023-12-22T11:40:00.000001Z")),
            "last_health_check": chance.choice((None, factories.TIME)),
            "listener_port": chance.choice((None, 27199)),
            **forks,
        }

    def add_instance(self) -> None:
        pk, node_type = self.new_id(), self.random.choice(TYPES)
        hostname = self.random.choice((f"node-{pk}.example.org", f"10.0.0.{pk}", f"NODE-{pk}"))
        address = self.random.choice(("", f"10.1.{pk // 250}.{pk % 250}"))
        values = self.figures(node_type)
        self.content["instances"].append(
            factories.instance(pk, hostname=hostname, ip_address=address, node_type=node_type, **values)
        )

    def remove_instance(self) -> None:
        gone = self.any_of("instances")
        if gone is not None:
            self.content["instances"].remove(gone)
            links = self.content["instance_links"]
            links[:] = [link for link in links if gone["id"] not in (link["source"], link["target"])]
            for group in self.content["instance_groups"]:
                group["instances"] = [pk for pk in group["instances"] if pk != gone["id"]]

    def rename_instance(self) -> None:
        instance = self.any_of("instances")
        if instance is not None:
            instance["hostname"] = f"renamed-{self.new_id()}.example.org"

    def swap_hostnames(self) -> None:
        one, other = self.any_of("instances"), self.any_of("instances")
        if one is not None and other is not None:
            for name in ("hostname", "ip_address"):
                one[name], other[name] = other[name], one[name]

    def touch_instance(self) -> None:
        instance = self.any_of("instances")
        if instance is not None:
            values = self.figures(instance["node_type"])
            names = self.random.sample(sorted(values), 3)
            instance.update({name: values[name] for name in names}, modified="2024-02-29T23:59:59.999999Z")

    # --- links

    def add_link(self) -> None:
        source, target = self.any_of("instances"), self.any_of("instances")
        pairs = {(link["source"], link["target"]) for link in self.content["instance_links"]}
        if source is None or target is None or source is target or (source["id"], target["id"]) in pairs:
            return
        state = self.random.choice(("adding", "established", "removing"))
        link = factories.link(self.new_id(), source["id"], target["id"], link_state=state)
        self.content["instance_links"].append(link)

    def remove_link(self) -> None:
        link = self.any_of("instance_links")
        if link is not None:
            self.content["instance_links"].remove(link)

    def turn_link(self) -> None:
        """Two links exchange their ends; another changes its state."""
        one, other = self.any_of("instance_links"), self.any_of("instance_links")
        if one is not None and other is not None:
            for name in ("source", "target"):
                one[name], other[name] = other[name], one[name]
            one["link_state"] = self.random.choice(("adding", "established", "removing"))

    # --- groups

    def add_group(self) -> None:
        pk, members = self.new_id(), []
        is_container = self.random.random() < 0.3
        if not is_container:
            eligible = [node["id"] for node in self.content["instances"] if node["node_type"] != "hop"]
            members = self.random.sample(eligible, min(len(eligible), 3))
        self.content["instance_groups"].append(
            factories.group(
                pk,
                name=self.random.choice((f"group-{pk}", f"édge {pk}")),
                is_container_group=is_container,
                instances=members,
                max_forks=self.random.randrange(50),
                policy_instance_percentage=self.random.randrange(101),
                policy_instance_list=self.random.choice(([], ["node-a", "node-b"])),
            )
        )

    def remove_group(self) -> None:
        gone = self.any_of("instance_groups")
        if gone is not None:
            self.content["instance_groups"].remove(gone)
            for user in self.content["users"]:
                roles = user["instance_group_roles"]
                user["instance_group_roles"] = [role for role in roles if role["instance_group"] != gone["id"]]
            for job in self.content["unified_jobs"]:
                if job["instance_group"] == gone["id"]:
                    self.place(job, instance_group=None)

    def touch_group(self) -> None:
        group = self.any_of("instance_groups")
        if group is not None:
            group.update(name=f"named-{self.new_id()}", max_concurrent_jobs=self.random.randrange(9))

    def move_member(self) -> None:
        group, instance = self.any_of("instance_groups"), self.any_of("instances")
        if group is not None and instance is not None and not group["is_container_group"]:
            if instance["id"] in group["instances"]:
                group["instances"].remove(instance["id"])
            else:
                group["instances"].append(instance["id"])

    # --- users

    def roles(self) -> list[Record]:
        groups = self.random.sample(self.group_ids(), min(2, len(self.group_ids())))
        names = ("admin_role", "use_role", "read_role")
        return [{"instance_group": group, "role": self.random.choice(names)} for group in groups]

    def add_user(self) -> None:
        pk = self.new_id()
        auditor = self.random.random() < 0.2
        user = factories.user(pk, is_system_auditor=auditor, instance_group_roles=self.roles())
        self.content["users"].append({**user, "password": None})

    def others(self) -> list[Record]:
        return self.content["users"][1:]

    def remove_user(self) -> None:
        if self.others():
            self.content["users"].remove(self.random.choice(self.others()))

    def touch_user(self) -> None:
        if self.others():
            user = self.random.choice(self.others())
            user.update(email=f"new-{self.new_id()}@example.org", instance_group_roles=self.roles())

    # --- jobs

    def place(self, job: Record, **changes: Any) -> None:
        """Change where a job belongs, in the record and in what AWX tells of it."""
        job.update(changes)
        representation = job["representation"]
        for name in ("execution_node", "controller_node"):
            representation[name] = job[name]
        representation["summary_fields"].pop("instance_group", None)
        if job["instance_group"] is not None:
            representation["summary_fields"]["instance_group"] = {"id": job["instance_group"], "name": "a group"}

    def somewhere(self) -> Record:
        nodes = [instance["hostname"] for instance in self.content["instances"]]
        return {
            "execution_node": self.random.choice([*nodes, "", "gone.example.org"]),
            "controller_node": self.random.choice([*nodes, ""]),
            "instance_group": self.random.choice([*self.group_ids(), None]),
        }

    def add_job(self) -> None:
        """A job whose impact may be another than its forks and hosts say, as where an inventory has grown since."""
        kind = self.random.choice(KINDS)
        forks = {"forks": self.random.randrange(60)} if kind in ("job", "ad_hoc_command") else {}
        job = factories.job(self.new_id(), type=kind, task_impact=self.random.randrange(60), **forks)
        job["representation"]["summary_fields"]["inventory"] = {"id": 1, "total_hosts": self.random.randrange(40)}
        self.place(job, **self.somewhere())
        self.content["unified_jobs"].append(job)
        self.turn(job)

    def turn(self, job: Record) -> None:
        status = self.random.choice(STATUSES)
        ended = {"finished": factories.TIME, "elapsed": 12.345} if status in ENDED else {"finished": None}
        job["representation"].update(status=status, started=None if status == "new" else factories.TIME, **ended)

    def touch_job(self) -> None:
        """A job that has not ended goes on; one that has stays as it is."""
        active = [job for job in self.content["unified_jobs"] if job["representation"]["status"] not in ENDED]
        if active:
            job = self.random.choice(active)
            self.turn(job)
            self.place(job, **self.somewhere())

    def remove_job(self) -> None:
        job = self.any_of("unified_jobs")
        if job is not None:
            self.content["unified_jobs"].remove(job)


class RandomMeshOfAddresses(RandomMesh):
    """The same of AWX 24: nodes have any number of addresses, to which links lead, and some are managed."""

    def __init__(self, seed: int, nodes: int) -> None:
        self.addresses: list[Record] = []
        super().__init__(seed, nodes)
        self.content["receptor_addresses"] = self.addresses

    @property
    def changes(self) -> list[Callable[[], None]]:
        return [*super().changes, *[self.add_address, self.remove_address, self.touch_address] * 2]

    def add_instance(self) -> None:
        super().add_instance()
        instance = self.content["instances"][-1]
        instance["managed"] = self.random.random() < 0.5
        for _ in range(self.random.randrange(4)):
            self.add_address_of(instance["id"])

    def remove_instance(self) -> None:
        before = self.content["instances"][:]
        super().remove_instance()
        gone = {one["id"] for one in before} - {one["id"] for one in self.content["instances"]}
        for address in [each for each in self.addresses if each["instance"] in gone]:
            self.drop_address(address)

    # --- addresses

    def values_of_address(self) -> Record:
        chance = self.random
        return {
            "port": chance.choice((0, 443, 1024, 27199, 65535, 70000)),
            "protocol": chance.choice(("tcp", "tcp", "ws", "wss")),
            "websocket_path": chance.choice(("", "ws", "über/all")),
            "is_internal": chance.random() < 0.3,
            "peers_from_control_nodes": chance.random() < 0.3,
        }

    def add_address(self) -> None:
        instance = self.any_of("instances")
        if instance is not None:
            self.add_address_of(instance["id"])

    def add_address_of(self, instance: int) -> None:
        pk = self.new_id()
        has_canonical = any(each["canonical"] for each in self.addresses if each["instance"] == instance)
        name = self.random.choice((f"dial-{pk}.example.org", f"10.2.{pk // 250}.{pk % 250}", f"fd00:10::{pk:x}"))
        canonical = not has_canonical and self.random.random() < 0.8
        address = {"id": pk, "address": name, "canonical": canonical, "instance": instance}
        self.addresses.append(address | self.values_of_address())

    def drop_address(self, address: Record) -> None:
        self.addresses.remove(address)
        links = self.content["instance_links"]
        links[:] = [link for link in links if link["target"] != address["id"]]

    def remove_address(self) -> None:
        if self.addresses:
            self.drop_address(self.random.choice(self.addresses))

    def touch_address(self) -> None:
        """One changes; two others exchange what they are called, and whose they are is not the same afterwards."""
        if self.addresses:
            self.random.choice(self.addresses).update(self.values_of_address())
            one, other = self.random.choice(self.addresses), self.random.choice(self.addresses)
            one["address"], other["address"] = other["address"], one["address"]

    def add_link(self) -> None:
        """Often to another address of a node that the source peers to already."""
        source = self.any_of("instances")
        if source is None:
            return
        linked = [link["target"] for link in self.content["instance_links"] if link["source"] == source["id"]]
        peers = {each["instance"] for each in self.addresses if each["id"] in linked}
        others = [each for each in self.addresses if each["instance"] != source["id"] and each["id"] not in linked]
        further = [each for each in others if each["instance"] in peers]
        targets = further if further and self.random.random() < 0.5 else others
        if targets:
            state = self.random.choice(("adding", "established", "removing"))
            target = self.random.choice(targets)["id"]
            link = factories.link(self.new_id(), source["id"], target, link_state=state)
            self.content["instance_links"].append(link)
