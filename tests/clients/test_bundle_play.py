"""The playbook of an install bundle, run by the published ansible-core in check mode on this machine.

The collection ansible.receptor is on no index of Python packages, so its roles are stood in for by two of the same
names, which do what of theirs depends on the bundle: they read the variables, and write the peers as the collection's
template does. What they install, and systemd, are not tried.
"""

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from pytest_django import Settings

from awx_compat import bundle
from instances import mesh_ca
from instances.install_bundles import NewBundle
from instances.models import Instance, ReceptorAddress
from tests.clients.conftest import installed
from tests.conftest import speaking
from tests.make import make_link, make_node

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

VERSIONS = {  # the oldest and the newest that the bundle is for
    "2.15": ("ansible-core==2.15.13", "Jinja2==3.1.6", "PyYAML==6.0.3"),
    "2.19": ("ansible-core==2.19.14", "Jinja2==3.1.6", "PyYAML==6.0.3"),
}
PODMAN = """
- assert:
    that: podman_user == "awx" and podman_group == "awx"
"""
SETUP = """
- assert:
    that: receptor_user == "awx" and receptor_tls is true and receptor_verify is true and receptor_mintls13 is false
- stat: {path: "{{ playbook_dir }}/{{ item }}"}
  register: file
  failed_when: not file.stat.exists
  loop:
    - "{{ custom_worksign_public_keyfile }}"
    - "{{ custom_tls_certfile }}"
    - "{{ custom_tls_keyfile }}"
    - "{{ custom_ca_certfile }}"
- template: {src: receptor.conf.j2, dest: "{{ playbook_dir }}/receptor.conf"}
  check_mode: false
"""
TEMPLATE = """
{% if receptor_listener %}
- {{ receptor_protocol }}-listener:
    port: {{ receptor_port }}
{% endif %}
{% for peer in receptor_peers | default([]) %}
- {{ peer['protocol'] }}-peer:
{% if peer['address'] is defined %}
    address: {{ peer['address'] }}
{% else %}
    address: {{ peer['host'] }}:{{ peer['port'] }}
{% endif %}
{% endfor %}
{% for command, config in (receptor_work_commands | default({})).items() %}
- work-command:
    worktype: {{ command }}
{% for key, value in config.items() %}
    {{ key }}: {{ value }}
{% endfor %}
{% endfor %}
"""


def stand_in(folder: Path) -> None:
    """Write the two roles as a collection below ``folder``."""
    roles = folder / "ansible_collections" / "ansible" / "receptor" / "roles"
    for name, tasks in (("podman", PODMAN), ("setup", SETUP)):
        (roles / name / "tasks").mkdir(parents=True)
        (roles / name / "tasks" / "main.yml").write_text(tasks)
    (roles / "setup" / "templates").mkdir()
    (roles / "setup" / "templates" / "receptor.conf.j2").write_text(TEMPLATE)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings of a mesh CA."""
    folder = tmp_path_factory.mktemp("ca")
    key, certificate = mesh_ca.new_certificate_authority("Receptor mesh CA")
    _, public_key = mesh_ca.new_key_pair()
    files = {"RECEPTOR_CA_CERT": certificate, "RECEPTOR_CA_KEY": key, "RECEPTOR_WORK_PUBLIC_KEY": public_key}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return {name: str(folder / name) for name in files}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("node_type", ["execution", "hop"])
@pytest.mark.parametrize("awx", ["23.6.0", "24.6.1"])
def test_the_playbook_runs(
    awx: str,
    node_type: str,
    version: str,
    authority: dict[str, str],
    clients_folder: Path,
    settings: Settings,
    tmp_path: Path,
) -> None:
    for name, value in authority.items():
        setattr(settings, name, value)
    node = node_with_peers(node_type)
    if awx == "24.6.1":
        peer_by_websockets(node)
    with speaking(awx):
        folder = unpacked(node, tmp_path)
    stand_in(tmp_path)
    (tmp_path / "python").symlink_to(sys.prefix)  # Ansible takes no interpreter whose path has a space
    ansible = installed(clients_folder / f"ansible-core-{version}", *VERSIONS[version]) / "bin" / "ansible-playbook"
    done = subprocess.run(
        [
            ansible,
            "--check",
            "-c",
            "local",
            "-i",
            "inventory.yml",
            "install_receptor.yml",
            "-e",
            "ansible_become=false",
        ],
        cwd=folder,
        env={
            "PATH": os.defpath,
            "HOME": str(tmp_path),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": str(tmp_path),
            "ANSIBLE_COLLECTIONS_PATHS": str(tmp_path),
            "ANSIBLE_PYTHON_INTERPRETER": str(tmp_path / "python" / "bin" / Path(sys.executable).name),
        },
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "failed=0" in done.stdout
    peers = [{"tcp-peer": {"address": "[fd00::15]:1024"}}, {"tcp-peer": {"address": "hop-9.example.org:27199"}}]
    if awx == "24.6.1":
        peers.append({"ws-peer": {"address": "wss://mesh.example.org:443/a b"}})
    assert yaml.safe_load((folder / "receptor.conf").read_text()) == [
        {"tcp-listener": {"port": 27200}},
        *peers,
        *([WORK_COMMAND] if node_type == "execution" else []),
    ]


WORK_COMMAND: dict[str, Any] = {
    "work-command": {
        "worktype": "ansible-runner",
        "command": "ansible-runner",
        "params": "worker",
        "allowruntimeparams": True,
        "verifysignature": True,
    }
}


def node_with_peers(node_type: str) -> Instance:
    """A node that listens, and dials a peer of each kind of address."""
    own = make_node(hostname="node-1.example.org", node_type=node_type, listener_port=27200)
    for hostname, port in (("fd00::15", 1024), ("hop-9.example.org", 27199)):
        peer = make_node(hostname=hostname, node_type="hop", listener_port=port)
        make_link(source=own, target=peer)
    return own


def peer_by_websockets(node: Instance) -> None:
    """Let the node dial an address behind an ingress, which AWX 23.6.0 does not have."""
    peer = Instance.objects.create(hostname="ingress", node_type="hop")
    values = {"port": 443, "protocol": "wss", "websocket_path": "a b"}
    node.peers.add(ReceptorAddress.objects.create(instance=peer, address="mesh.example.org", **values))


def unpacked(node: Instance, folder: Path) -> Path:
    with tarfile.open(fileobj=io.BytesIO(bundle.archive(NewBundle.of(node, mesh_ca.configured()))), mode="r:gz") as tar:
        tar.extractall(folder, filter="data")
    return folder / bundle.name_of(node)
