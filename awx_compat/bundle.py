"""The install bundle: all that Ansible needs to make a machine a node of the mesh, as one archive.

Source: docs/awx-behaviour.md, "Install bundle"; https://docs.ansible.com/projects/awx/en/latest/administration/instances.html
"""

import io
import re
import tarfile
import time
from collections.abc import Iterable
from typing import Any

import yaml

from awx_compat.dialects import module
from instances.install_bundles import NewBundle, fingerprint
from instances.models import Instance, ReceptorAddress

# From 2.0.6 on it supports ansible-core 2.19, unlike AWX's 2.0.2 and 2.0.3, and earlier ones. The templates of all up
# to 2.0.10 read a peer's host and port, from 2.0.3 on its address. ansible-galaxy installs the newest one of the range.
COLLECTION = {"name": "ansible.receptor", "version": ">=2.0.6,<2.1.0"}
USER = "<username>"  # whom the reader of the inventory fills in
CA_FILE = "receptor/tls/ca/mesh-CA.crt"
CERTIFICATE_FILE = "receptor/tls/receptor.crt"
KEY_FILE = "receptor/tls/receptor.key"
WORK_KEY_FILE = "receptor/work_public_key.pem"
# Characters of a hostname in the folder's name. With the longest path below it ustar's field of 100 is not exceeded.
LONGEST_NAME = 50
SECRET, READABLE = 0o600, 0o644


def name_of(instance: Instance) -> str:
    """The name of the archive without its suffix, and of the folder in it.

    A file of this name can be made by every tool: tar takes what stands before a colon for another host, what begins
    with a hyphen is an option, and what is long or not ASCII does not fit into a file system's or a header's limits.
    """
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", instance.hostname)
    if len(name) > LONGEST_NAME:  # two long names may begin alike
        name = f"{name[:LONGEST_NAME]}_{instance.pk}"
    return re.sub(r"^-", "_", name) + "_install_bundle"


def archive(new: NewBundle) -> bytes:
    """The bundle as .tar.gz, with its private key."""
    instance = new.instance
    files = {
        "install_receptor.yml": as_yaml(playbook(instance)),
        "inventory.yml": as_yaml(inventory(instance)).replace(USER.encode(), f"{USER}  # user provided".encode()),
        "requirements.yml": as_yaml({"collections": [COLLECTION]}),
        "group_vars/all.yml": as_yaml(variables(instance, new.peers)) + mark(new),
        CA_FILE: new.ca.certificates_pem,
        WORK_KEY_FILE: new.ca.work_public_key,
        KEY_FILE: new.key,
        CERTIFICATE_FILE: new.certificate,
    }
    return packed(name_of(instance), files)


def mark(new: NewBundle) -> bytes:
    """A comment that says which bundle it is, to be compared with /api/fleet/v1/bundles/."""
    return f"# fingerprint of this bundle: {fingerprint(new.parts)}\n".encode()


def packed(folder: str, files: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    now = int(time.time())
    with tarfile.open(fileobj=written, mode="w:gz", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mtime = len(content), now
            entry.mode = SECRET if name == KEY_FILE else READABLE
            tar.addfile(entry, io.BytesIO(content))
    return written.getvalue()


def as_yaml(content: Any) -> bytes:
    text: str = yaml.safe_dump(content, sort_keys=False, explicit_start=True, allow_unicode=True)
    return text.encode()


def playbook(instance: Instance) -> list[dict[str, Any]]:
    roles = ["ansible.receptor.setup"]
    if instance.node_type == Instance.NodeType.EXECUTION:
        roles.insert(0, "ansible.receptor.podman")  # jobs run in containers
    user = {"name": "{{ receptor_user }}", "group": "{{ receptor_group }}", "shell": "/bin/bash"}
    return [
        {
            "hosts": "all",
            "become": True,
            "tasks": [
                {"name": "Create the receptor group", "group": {"name": "{{ receptor_group }}"}},
                {"name": "Create the receptor user", "user": user},
                *({"import_role": {"name": role}} for role in roles),
            ],
        }
    ]


def inventory(instance: Instance) -> dict[str, Any]:
    """An inventory of one host, with placeholders for the machine's user and key."""
    host = {
        "ansible_host": instance.hostname,
        "ansible_user": USER,
        "ansible_ssh_private_key_file": "~/.ssh/id_rsa",
    }
    return {"all": {"hosts": {"remote-execution": host}}}


def variables(instance: Instance, peers: Iterable[ReceptorAddress]) -> dict[str, Any]:
    """What the roles of the collection ansible.receptor read; paths are those within the bundle."""
    spoken = module("bundle")
    variables: dict[str, Any] = {
        "receptor_user": "awx",
        "receptor_group": "awx",
        "receptor_verify": True,
        "receptor_tls": True,
        "receptor_mintls13": False,
    }
    if instance.node_type == Instance.NodeType.EXECUTION:
        # The role ansible.receptor.podman writes the configuration of this user, by default "podman".
        variables |= {"podman_user": "{{ receptor_user }}", "podman_group": "{{ receptor_group }}"}
        variables["receptor_work_commands"] = {
            "ansible-runner": {
                "command": "ansible-runner",
                "params": "worker",
                "allowruntimeparams": True,
                "verifysignature": True,
            }
        }
        variables["additional_python_packages"] = ["ansible-runner"]
    variables |= {
        "custom_worksign_public_keyfile": WORK_KEY_FILE,
        "custom_tls_certfile": CERTIFICATE_FILE,
        "custom_tls_keyfile": KEY_FILE,
        "custom_ca_certfile": CA_FILE,
        **spoken.listener(instance),
    }
    if dialled := [spoken.peer(each) for each in peers]:
        variables["receptor_peers"] = dialled
    return variables
