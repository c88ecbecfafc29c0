"""The install bundle: what is in it, who gets it, and what it takes to make one."""

import io
import logging
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from cryptography.x509.verification import PolicyBuilder, Store
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

import instances.mesh_ca
from awx_compat import bundle
from instances import install_bundles
from instances.health import conditions
from instances.install_bundles import NewBundle
from instances.models import Instance, InstanceGroup, IssuedBundle, Mirror, ReceptorAddress, User
from tests.conftest import client_of, create_mesh_ca, token_for
from tests.make import listen, make_link, make_node

RECEPTOR_NAME = x509.ObjectIdentifier("1.3.6.1.4.1.2312.19.1")
CA, CA_KEY, WORK_KEY = "RECEPTOR_CA_CERT", "RECEPTOR_CA_KEY", "RECEPTOR_WORK_PUBLIC_KEY"
FILES = {
    "install_receptor.yml",
    "inventory.yml",
    "requirements.yml",
    "group_vars/all.yml",
    "receptor/tls/ca/mesh-CA.crt",
    "receptor/work_public_key.pem",
    "receptor/tls/receptor.key",
    "receptor/tls/receptor.crt",
}


@pytest.fixture
def mesh_ca(made_ca: dict[str, str], settings: Settings) -> dict[str, str]:
    for name, value in made_ca.items():
        setattr(settings, name, value)
    return made_ca


@pytest.fixture
def node(db: None) -> Instance:
    """An execution node that neither listens nor dials."""
    return Instance.objects.create(hostname="exec-1.example.org", node_type="execution")


@pytest.fixture
def client(admin: User) -> APIClient:
    return client_of(admin)


def path_of(node: Instance) -> str:
    return f"/api/v2/instances/{node.pk}/install_bundle/"


def unpacked(client: APIClient, node: Instance) -> dict[str, bytes]:
    """The files of the node's bundle, by their names within its folder."""
    answer = client.get(path_of(node))
    assert answer.status_code == 200, answer.content
    files = {}
    with tarfile.open(fileobj=io.BytesIO(answer.content), mode="r:gz") as tar:
        for entry in tar:
            content = tar.extractfile(entry)
            assert content is not None
            files[entry.name.split("/", 1)[1]] = content.read()
    return files


def certificate_in(files: dict[str, bytes]) -> x509.Certificate:
    return x509.load_pem_x509_certificate(files["receptor/tls/receptor.crt"])


def alternative_names(certificate: x509.Certificate) -> x509.SubjectAlternativeName:
    return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value


@pytest.mark.parametrize("days", [1, 90])
def test_certificates_are_valid_for_as_long_as_is_set(
    days: int, client: APIClient, node: Instance, mesh_ca: dict[str, str], settings: Settings
) -> None:
    settings.RECEPTOR_CERTIFICATE_DAYS = days
    certificate = certificate_in(unpacked(client, node))
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert timedelta(days=days) <= lifetime < timedelta(days=days, hours=1)


# --- the archive


@pytest.mark.parametrize(("scope", "status"), [("read", 403), ("write", 200), ("read write", 200)])
def test_a_token_for_reading_gets_no_private_key(
    scope: str, status: int, admin: User, node: Instance, mesh_ca: dict[str, str]
) -> None:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token_for(admin, scope)}")
    assert client.get(path_of(node)).status_code == status
    assert client.head(path_of(node)).status_code == status
    assert client.options(path_of(node)).status_code == 200


def test_the_answer_is_an_archive_to_download(client: APIClient, node: Instance, mesh_ca: dict[str, str]) -> None:
    answer = client.get(path_of(node))
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/gzip"
    assert answer["Content-Disposition"] == 'attachment; filename="exec-1.example.org_install_bundle.tar.gz"'
    assert answer["Cache-Control"] == "no-store"
    assert answer["X-API-Product-Version"] == "23.6.0"
    with tarfile.open(fileobj=io.BytesIO(answer.content), mode="r:gz") as tar:
        modes = {entry.name: entry.mode for entry in tar}
    folder = "exec-1.example.org_install_bundle/"
    assert set(modes) == {folder + name for name in FILES}
    assert {name for name, mode in modes.items() if mode == 0o600} == {folder + "receptor/tls/receptor.key"}


ODD_HOSTNAMES = [
    "fd00::1",
    "x" * 243,
    ".".join(["a" * 60] * 4),
    "10.0.0.1",
    "-rf",
    ".hidden",
    "..",
    "a/b",
    "../../etc",
    "\u00e9" * 250,
    'a b"c',
    "12345",
]


@pytest.mark.slow
@pytest.mark.parametrize("hostname", ODD_HOSTNAMES)
def test_tar_unpacks_it_whatever_the_hostname(
    hostname: str, client: APIClient, mesh_ca: dict[str, str], tmp_path: Path
) -> None:
    answer = client.get(path_of(Instance.objects.create(hostname=hostname, node_type="execution")))
    name = answer["Content-Disposition"].removeprefix('attachment; filename="').removesuffix('"')
    assert re.fullmatch(r"[A-Za-z0-9_.][A-Za-z0-9_.-]{0,99}\.tar\.gz", name)
    (tmp_path / name).write_bytes(answer.content)
    subprocess.run(["tar", "xzf", name], cwd=tmp_path, check=True, timeout=60)
    folder = tmp_path / name.removesuffix(".tar.gz")
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == FILES
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, folder.name])


def test_two_long_names_that_begin_alike_are_two_folders(db: None) -> None:
    nodes = [Instance.objects.create(hostname="x" * 200 + end, node_type="execution") for end in "ab"]
    assert len({bundle.name_of(node) for node in nodes}) == 2


def test_an_instance_can_be_named_by_its_hostname(client: APIClient, node: Instance, mesh_ca: dict[str, str]) -> None:
    assert client.get("/api/v2/instances/exec-1.example.org/install_bundle/").status_code == 200


def test_what_ansible_reads(client: APIClient, node: Instance, mesh_ca: dict[str, str]) -> None:
    files = unpacked(client, node)
    assert yaml.safe_load(files["inventory.yml"]) == {
        "all": {
            "hosts": {
                "remote-execution": {
                    "ansible_host": "exec-1.example.org",
                    "ansible_user": "<username>",
                    "ansible_ssh_private_key_file": "~/.ssh/id_rsa",
                }
            }
        }
    }
    assert b"ansible_user: <username>  # user provided\n" in files["inventory.yml"]
    (collection,) = yaml.safe_load(files["requirements.yml"])["collections"]
    assert collection["name"] == "ansible.receptor"
    (play,) = yaml.safe_load(files["install_receptor.yml"])
    assert (play["hosts"], play["become"]) == ("all", True)
    assert [task["import_role"]["name"] for task in play["tasks"] if "import_role" in task] == [
        "ansible.receptor.podman",
        "ansible.receptor.setup",
    ]


COMMON = {
    "receptor_user": "awx",
    "receptor_group": "awx",
    "receptor_verify": True,
    "receptor_tls": True,
    "receptor_mintls13": False,
    "custom_worksign_public_keyfile": "receptor/work_public_key.pem",
    "custom_tls_certfile": "receptor/tls/receptor.crt",
    "custom_tls_keyfile": "receptor/tls/receptor.key",
    "custom_ca_certfile": "receptor/tls/ca/mesh-CA.crt",
    "receptor_protocol": "tcp",
}
EXECUTES = {
    "podman_user": "{{ receptor_user }}",
    "podman_group": "{{ receptor_group }}",
    "receptor_work_commands": {
        "ansible-runner": {
            "command": "ansible-runner",
            "params": "worker",
            "allowruntimeparams": True,
            "verifysignature": True,
        }
    },
    "additional_python_packages": ["ansible-runner"],
}
LISTENS = {"receptor_listener": True, "receptor_port": 27199}
DIALS = {
    "receptor_peers": [
        {"host": "hop1", "port": 27200, "protocol": "tcp"},
        {"host": "hop2", "port": 27201, "protocol": "tcp"},
    ]
}


def with_peers(node: Instance, **ports: int | None) -> Instance:
    """``node``, dialling new hop nodes that listen on these ports."""
    for hostname, port in ports.items():
        hop = make_node(hostname=hostname, node_type="hop", listener_port=port)
        make_link(source=node, target=hop)
    return node


@pytest.mark.parametrize(("node_type", "work"), [("execution", EXECUTES), ("hop", {})])
@pytest.mark.parametrize(("port", "listening"), [(None, {"receptor_listener": False}), (27199, LISTENS)])
@pytest.mark.parametrize(("peers", "dialling"), [({}, {}), ({"hop2": 27201, "hop1": 27200, "silent": None}, DIALS)])
@pytest.mark.django_db
def test_the_variables_follow_from_the_node(
    node_type: str,
    work: dict[str, Any],
    port: int | None,
    listening: dict[str, Any],
    peers: dict[str, int | None],
    dialling: dict[str, Any],
) -> None:
    node = with_peers(make_node(hostname="node", node_type=node_type, listener_port=port), **peers)
    expected = {**COMMON, **work, **listening, **dialling}
    assert bundle.variables(node, install_bundles.dialled_by(node)) == expected


@pytest.mark.slow
@pytest.mark.parametrize(("node_type", "work"), [("execution", EXECUTES), ("hop", {})])
def test_the_variables_are_in_the_archive(
    node_type: str, work: dict[str, Any], client: APIClient, mesh_ca: dict[str, str]
) -> None:
    node = make_node(hostname="node", node_type=node_type, listener_port=27199)
    files = unpacked(client, with_peers(node, hop2=27201, hop1=27200))
    assert set(files) == FILES
    assert yaml.safe_load(files["group_vars/all.yml"]) == {**COMMON, **work, **LISTENS, **DIALS}


def peer_of(node: Instance, **values: Any) -> None:
    """Let ``node`` dial an address with these values, of a hop node."""
    hop = Instance.objects.create(hostname="hop-9", node_type="hop")
    node.peers.add(ReceptorAddress.objects.create(instance=hop, **values))


@pytest.mark.parametrize(
    ("address", "listening"),
    [
        (None, {"receptor_listener": False}),
        ({"port": 0}, {"receptor_listener": False}),
        ({"port": 80}, {"receptor_protocol": "tcp", "receptor_listener": True, "receptor_port": 80}),
        ({"protocol": "ws"}, {"receptor_protocol": "ws", "receptor_listener": True, "receptor_port": 27199}),
        (
            {"protocol": "wss", "websocket_path": "mesh"},
            {"receptor_protocol": "ws", "receptor_listener": True, "receptor_port": 27199},
        ),
        ({"protocol": "ws", "canonical": False}, {"receptor_listener": False}),
    ],
)
def test_as_awx_24_a_node_listens_at_its_canonical_address(
    address: dict[str, Any] | None, listening: dict[str, Any], node: Instance, awx24: None
) -> None:
    if address is not None:
        ReceptorAddress.objects.create(instance=node, address="a.example.net", **{"canonical": True, **address})
    found = bundle.variables(Instance.objects.get(pk=node.pk), [])
    assert {name: value for name, value in found.items() if name in {"receptor_protocol", *LISTENS}} == listening


ADDRESSES = {  # by what is dialled
    "hop1:27199": {"address": "hop1"},
    "[fd00::1]:1024": {"address": "fd00::1", "port": 1024},
    "wss://hop1:27199": {"address": "hop1", "protocol": "ws"},
    "wss://hop1:443/mesh/v1": {"address": "hop1", "protocol": "ws", "port": 443, "websocket_path": "mesh/v1"},
    "wss://hop1:443/a b # c": {"address": "hop1", "protocol": "wss", "port": 443, "websocket_path": "a b # c"},
    "wss://[fd00::1]/mesh": {"address": "fd00::1", "protocol": "wss", "port": 0, "websocket_path": "mesh"},
    "wss://hop1": {"address": "hop1", "protocol": "wss", "port": 0},
}


@pytest.mark.django_db
@pytest.mark.parametrize("dialled", ADDRESSES)
def test_as_awx_24_a_peer_is_dialled_at_its_address(dialled: str, node: Instance, awx24: None) -> None:
    """The collection's template writes the value without quotes."""
    peer_of(node, **ADDRESSES[dialled])
    (peer,) = bundle.variables(node, install_bundles.dialled_by(node))["receptor_peers"]
    assert peer.keys() == {"address", "protocol"}
    read = yaml.safe_load(f"- {peer['protocol']}-peer:\n    address: {peer['address']}\n    redial: true\n")
    kind = "ws-peer" if dialled.startswith("wss://") else "tcp-peer"
    assert read == [{kind: {"address": dialled, "redial": True}}]


@pytest.mark.parametrize("port", [None, 0])
def test_what_cannot_be_dialled_is_left_out(port: int | None, node: Instance, awx24: None) -> None:
    peer_of(node, address="hop1", port=port)
    assert "receptor_peers" not in bundle.variables(node, install_bundles.dialled_by(node))


IPV6 = ("fd00::15", "::1", "2001:db8:0:0:0:0:0:1", "::ffff:10.0.0.1")


@pytest.mark.django_db
@pytest.mark.parametrize("hostname", [*IPV6, "hop1", "10.0.0.1", "a.example.org"])
def test_a_peer_has_an_address_that_receptor_dials(hostname: str) -> None:
    """The collection's template writes the value without quotes, and Receptor wants an IPv6 address in brackets."""
    (peer,) = bundle.variables(Instance(hostname="node"), [ReceptorAddress(address=hostname, port=1024)])[
        "receptor_peers"
    ]
    read = yaml.safe_load(f"- tcp-peer:\n    address: {peer['host']}:{peer['port']}\n    redial: true\n")
    expected = f"[{hostname}]:1024" if hostname in IPV6 else f"{hostname}:1024"
    assert read == [{"tcp-peer": {"address": expected, "redial": True}}]


# What the tasks of the roles read, but have no default for, or one that is another user or a file which nobody makes.
READ_BY_ROLES = {
    "ansible.receptor.podman": {"podman_user", "podman_group"},
    "ansible.receptor.setup": {
        "receptor_user",
        "receptor_group",
        "custom_worksign_public_keyfile",
        "custom_tls_certfile",
        "custom_tls_keyfile",
        "custom_ca_certfile",
    },
}


@pytest.mark.parametrize("node_type", ["execution", "hop"])
def test_what_the_roles_read_without_a_default_is_set(node_type: str) -> None:
    node = Instance(hostname="node", node_type=node_type)
    (play,) = bundle.playbook(node)
    roles = {task["import_role"]["name"] for task in play["tasks"] if "import_role" in task}
    assert set().union(*(READ_BY_ROLES[role] for role in roles)) <= bundle.variables(node, []).keys()
    assert not [task for task in play["tasks"] if "command" in task]  # which would need a certain system


# --- the certificate


def test_the_certificate_is_signed_by_the_mesh_ca(client: APIClient, node: Instance, mesh_ca: dict[str, str]) -> None:
    files = unpacked(client, node)
    assert files["receptor/tls/ca/mesh-CA.crt"] == Path(mesh_ca[CA]).read_bytes()
    ca = x509.load_pem_x509_certificate(files["receptor/tls/ca/mesh-CA.crt"])
    certificate = certificate_in(files)
    trusting = PolicyBuilder().store(Store([ca]))
    trusting.build_client_verifier().verify(certificate, [])
    chain = trusting.build_server_verifier(x509.DNSName(node.hostname)).verify(certificate, [])
    assert chain == [certificate, ca]
    assert certificate.issuer == ca.subject
    assert certificate.subject.rfc4514_string() == "CN=exec-1.example.org"
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert timedelta(days=3650) <= lifetime < timedelta(days=3651)


@pytest.mark.slow
def test_the_key_is_that_of_the_certificate_and_new_each_time(
    client: APIClient, node: Instance, mesh_ca: dict[str, str]
) -> None:
    first, second = unpacked(client, node), unpacked(client, node)
    key = load_pem_private_key(first["receptor/tls/receptor.key"], password=None)
    assert isinstance(key, RSAPrivateKey)
    assert key.key_size == 4096
    assert key.public_key() == certificate_in(first).public_key()
    assert key.public_key() != certificate_in(second).public_key()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hostname", "dns", "addresses"),
    [
        ("exec-1.example.org", ["exec-1.example.org"], []),
        ("192.168.56.101", ["192.168.56.101"], ["192.168.56.101"]),
        ("2001:db8::1", [], ["2001:db8::1"]),
        ("knoten-ü", [], []),
        ("a b/../c\n'\"", [], []),
        ("*.example.org", [], []),
        ("awx_1", ["awx_1"], []),
        (".".join(["x" * 62] * 3), [".".join(["x" * 62] * 3)], []),
        ("x" * 250, [], []),
        ("x" + "ü" * 249, [], []),
    ],
)
def test_any_hostname_has_a_certificate(
    hostname: str, dns: list[str], addresses: list[str], client: APIClient, mesh_ca: dict[str, str]
) -> None:
    node = Instance.objects.create(hostname=hostname, node_type="hop")
    names = alternative_names(certificate_in(unpacked(client, node)))
    assert names.get_values_for_type(x509.DNSName) == dns
    assert names.get_values_for_type(x509.IPAddress) == [ip_address(address) for address in addresses]
    (receptor_name,) = names.get_values_for_type(x509.OtherName)
    assert receptor_name.type_id == RECEPTOR_NAME
    assert receptor_name.value[0] == 0x0C  # DER's UTF8String
    assert asn1.decode_der(str, receptor_name.value) == hostname


def test_a_name_cannot_leave_the_folder(client: APIClient, mesh_ca: dict[str, str]) -> None:
    node = Instance.objects.create(hostname="../../etc", node_type="hop")
    answer = client.get(path_of(node))
    assert answer["Content-Disposition"] == 'attachment; filename=".._.._etc_install_bundle.tar.gz"'
    with tarfile.open(fileobj=io.BytesIO(answer.content), mode="r:gz") as tar:
        assert {name.split("/")[0] for name in tar.getnames()} == {".._.._etc_install_bundle"}


def test_only_public_parts_of_the_configured_files_are_handed_out(
    client: APIClient, node: Instance, mesh_ca: dict[str, str], settings: Settings, tmp_path: Path
) -> None:
    secret = Path(mesh_ca[CA_KEY]).read_bytes()
    for name in (CA, WORK_KEY):
        both = tmp_path / name
        both.write_bytes(Path(mesh_ca[name]).read_bytes() + secret)
        setattr(settings, name, str(both))
    files = unpacked(client, node)
    holding = {name for name, content in files.items() if b"PRIVATE KEY" in content}
    assert holding == {"receptor/tls/receptor.key"}
    assert secret not in files["receptor/tls/receptor.key"]


# --- who gets one, and when nobody does


@pytest.mark.parametrize("who", ["auditor", "alice", "bob"])
def test_only_superusers_get_a_key(
    who: str, request: pytest.FixtureRequest, edge: InstanceGroup, mesh_ca: dict[str, str]
) -> None:
    answer = client_of(request.getfixturevalue(who)).get(path_of(edge.instances.get()))
    assert (answer.status_code, set(answer.json())) == (403, {"detail"})


def test_nobody_gets_one_unknown(node: Instance, mesh_ca: dict[str, str]) -> None:
    assert APIClient().get(path_of(node)).status_code == 401


@pytest.mark.parametrize("node_type", ["control", "hybrid"])
def test_nodes_that_are_not_installed_so(node_type: str, client: APIClient, mesh_ca: dict[str, str]) -> None:
    node = Instance.objects.create(hostname="control-1", node_type=node_type)
    answer = client.get(path_of(node))
    assert answer.status_code == 400
    assert answer.json() == {"msg": "Install bundle can only be generated for execution or hop nodes."}


def test_without_settings(client: APIClient, node: Instance) -> None:
    answer = client.get(path_of(node))
    assert (answer.status_code, answer["Content-Type"]) == (503, "application/json")
    assert answer.json() == {"detail": f"The mesh CA is not set up: {CA}, {CA_KEY}, {WORK_KEY} not set."}


CONTENT = ["missing", "directory", "empty", "nonsense", "other kind", "nul"]


@pytest.mark.parametrize("name", [CA, CA_KEY, WORK_KEY])
@pytest.mark.parametrize("content", CONTENT)
def test_a_file_that_cannot_be_used_is_named_by_its_variable(
    name: str,
    content: str,
    client: APIClient,
    node: Instance,
    mesh_ca: dict[str, str],
    settings: Settings,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    file = tmp_path / "secret-place"
    if content == "directory":
        file.mkdir()
    elif content == "other kind":
        file.write_bytes(Path(mesh_ca[WORK_KEY if name != WORK_KEY else CA_KEY]).read_bytes())
    elif content != "missing":
        file.write_bytes(b"" if content == "empty" else b"\0secret content")
    setattr(settings, name, f"{file}\0" if content == "nul" else str(file))
    answer = client.get(path_of(node))
    assert answer.status_code == 503
    (reason,) = answer.json().values()
    assert name in reason
    for hidden in ("secret", "PRIVATE", "Errno"):
        assert hidden not in reason
        assert hidden not in caplog.text


def test_a_key_of_another_ca(client: APIClient, node: Instance, mesh_ca: dict[str, str], settings: Settings) -> None:
    settings.RECEPTOR_CA_KEY = str(Path(mesh_ca[CA_KEY]).with_name("work_private_key.pem"))
    answer = client.get(path_of(node))
    assert answer.status_code == 503
    assert answer.json()["detail"].endswith("RECEPTOR_CA_KEY is not the key of RECEPTOR_CA_CERT.")


WRITES = {"os.mkdir", "os.rename", "os.link", "os.symlink", "tempfile.mkstemp", "tempfile.mkdtemp"}
opened_for_writing: list[str] | None = None


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Audit hook, which cannot be removed: notes while ``opened_for_writing`` is a list."""
    if opened_for_writing is None:
        return
    if event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        opened_for_writing.append(str(arguments[0]))
    elif event in WRITES:
        opened_for_writing.append(event)


def test_the_key_is_neither_on_disk_nor_in_a_log(
    client: APIClient, node: Instance, mesh_ca: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    global opened_for_writing
    for logger in ("", "django", "django.request"):
        caplog.set_level(logging.DEBUG, logger)
    unpacked(client, node)  # what is imported late may be compiled now, and that is written
    sys.addaudithook(watch)
    opened_for_writing = []
    try:
        with CaptureQueriesContext(connection):  # which has statements logged, as a proof that the log is read
            files = unpacked(client, node)
        written = opened_for_writing
    finally:
        opened_for_writing = None
    assert written == []
    assert "SELECT" in caplog.text
    assert "PRIVATE KEY" not in caplog.text
    for line in files["receptor/tls/receptor.key"].decode().splitlines()[1:-1]:
        assert line not in caplog.text


# --- manage.py create_mesh_ca


def test_a_mesh_ca_is_made_with_its_variables(made_ca: dict[str, str]) -> None:
    assert set(made_ca) == {CA, CA_KEY, WORK_KEY}
    directory = Path(made_ca[CA]).parent
    modes = {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}
    assert modes == {
        "mesh-CA.crt": 0o644,
        "mesh-CA.key": 0o600,
        "work_private_key.pem": 0o600,
        "work_public_key.pem": 0o644,
    }
    assert directory.stat().st_mode & 0o777 == 0o700


def test_the_work_keys_are_a_pair(made_ca: dict[str, str]) -> None:
    public = Path(made_ca[WORK_KEY])
    private = load_pem_private_key(public.with_name("work_private_key.pem").read_bytes(), password=None)
    assert private.public_key() == load_pem_public_key(public.read_bytes())


@pytest.mark.parametrize("name", ["mesh-CA.crt", "mesh-CA.key", "work_private_key.pem", "work_public_key.pem"])
def test_nothing_is_overwritten(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(CommandError, match="File exists; nothing was written"):
        create_mesh_ca(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {name: "mine"}


@pytest.mark.slow
def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="nothing was written"):
        create_mesh_ca(tmp_path / "file" / "ca")


# --- manage.py create_node_certificate


def create_node_certificate(*arguments: str) -> list[Path]:
    """Run the command; the paths that it prints."""
    printed = io.StringIO()
    call_command("create_node_certificate", *arguments, stdout=printed)
    return [Path(line) for line in printed.getvalue().splitlines()]


@pytest.mark.parametrize("hostname", ["control-1.example.org", "10.0.0.1"])
def test_a_control_node_gets_a_certificate(hostname: str, mesh_ca: dict[str, str], tmp_path: Path) -> None:
    """Without a database."""
    directory = tmp_path / "new" / "tls"
    paths = create_node_certificate(hostname, str(directory))
    modes = {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}
    assert modes == {"receptor.key": 0o600, "receptor.crt": 0o644, "mesh-CA.crt": 0o644}
    assert sorted(paths) == sorted(directory.iterdir())
    assert directory.stat().st_mode & 0o777 == 0o700

    assert (directory / "mesh-CA.crt").read_bytes() == Path(mesh_ca[CA]).read_bytes()
    ca = x509.load_pem_x509_certificate((directory / "mesh-CA.crt").read_bytes())
    certificate = x509.load_pem_x509_certificate((directory / "receptor.crt").read_bytes())
    trusting = PolicyBuilder().store(Store([ca]))
    trusting.build_client_verifier().verify(certificate, [])
    subject = x509.DNSName(hostname) if hostname.endswith("org") else x509.IPAddress(ip_address(hostname))
    assert trusting.build_server_verifier(subject).verify(certificate, []) == [certificate, ca]
    (receptor_name,) = alternative_names(certificate).get_values_for_type(x509.OtherName)
    assert receptor_name.type_id == RECEPTOR_NAME
    assert asn1.decode_der(str, receptor_name.value) == hostname
    key = load_pem_private_key((directory / "receptor.key").read_bytes(), password=None)
    assert key.public_key() == certificate.public_key()


def test_the_current_folder_is_the_default(
    mesh_ca: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert {path.parent for path in create_node_certificate("../control-1")} == {tmp_path}


@pytest.mark.parametrize("name", ["receptor.key", "receptor.crt", "mesh-CA.crt"])
def test_no_file_of_a_node_is_overwritten(name: str, mesh_ca: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(CommandError, match=f"{name}: File exists; nothing was written"):
        create_node_certificate("control-1", str(tmp_path))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {name: "mine"}


@pytest.mark.parametrize(
    ("hostname", "reason"),
    [
        ("", "The hostname is empty."),
        (" ", "The hostname is empty."),
        ("x" * 251, "The hostname has more than 250 characters."),
        *((f"a{character}b", "control characters") for character in "\0\n\t\x1b\x7f\x85"),
        ("a\udcffb", "An argument is not UTF-8."),
    ],
)
def test_hostnames_without_a_certificate(hostname: str, reason: str, mesh_ca: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=reason):
        create_node_certificate(hostname, str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_certificate_needs_the_mesh_ca(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=f"The mesh CA is not set up: {CA}, {CA_KEY}, {WORK_KEY} not set"):
        create_node_certificate("control-1", str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_a_node_that_cannot_be_made(mesh_ca: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="nothing was written"):
        create_node_certificate("control-1", str(tmp_path / "file" / "tls"))


# --- which bundles are outdated


def told_of(client: APIClient, node: Instance) -> tuple[str, str, str]:
    """The status, the reason and the message of the node's condition BundleCurrent."""
    results = client.get(f"/api/fleet/v1/instances/{node.pk}/conditions/").json()["results"]
    (found,) = (each for each in results if each["type"] == "BundleCurrent")
    return found["status"], found["reason"], found["message"]


def listed(client: APIClient) -> list[dict[str, Any]]:
    answer = client.get("/api/fleet/v1/bundles/")
    assert answer.status_code == 200
    body = answer.json()
    assert body["count"] == len(body["results"])
    results: list[dict[str, Any]] = body["results"]
    return results


def issue_without_keys(node: Instance, mesh_ca: dict[str, str]) -> None:
    """Record a bundle of the node with a certificate that was made before, since keys take seconds."""
    pem = Path(mesh_ca[CA]).read_bytes()
    peers = list(install_bundles.dialled_by(node))
    install_bundles.record(NewBundle(node, peers, instances.mesh_ca.configured(), b"", pem))


def test_a_downloaded_bundle_is_current(client: APIClient, node: Instance, mesh_ca: dict[str, str]) -> None:
    assert told_of(client, node) == ("Unknown", "NoBundleRecorded", "")
    assert client.head(path_of(node)).status_code == 200
    assert listed(client) == []  # nothing was handed out
    files = unpacked(client, with_peers(node, hop1=27200, silent=None))
    certificate = certificate_in(files)
    status, reason, message = told_of(client, node)
    assert (status, reason) == ("True", "BundleUpToDate")
    (row,) = listed(client)
    expires = certificate.not_valid_after_utc.isoformat().replace("+00:00", "Z")
    assert (row["hostname"], row["certificate_expires"], row["changed"]) == (node.hostname, expires, [])
    assert (row["status"], row["reason"], row["message"]) == (status, reason, message)
    assert files["group_vars/all.yml"].decode().endswith(f"\n# fingerprint of this bundle: {row['fingerprint']}\n")
    parts = IssuedBundle.objects.get().parts
    assert (parts["peers"], parts["port"]) == (["hop1:27200"], None)
    assert "PRIVATE" not in str(parts)


def changed_port(node: Instance) -> str:
    listen(Instance.objects.get(pk=node.pk))
    return "The port was not set, and is 27199."


def new_peer(node: Instance) -> str:
    with_peers(node, **{"fd00::1": 27201})
    return "Other peers are dialled: new peers: [fd00::1]:27201."


def removed_peer(node: Instance) -> str:
    Instance.objects.get(hostname="hop1").delete()
    return "Other peers are dialled: removed peers: hop1:27200."


def peer_with_another_port(node: Instance) -> str:
    listen(Instance.objects.get(hostname="hop1"), 1024)
    return "Other peers are dialled: new peers: hop1:1024; removed peers: hop1:27200."


def peer_by_websockets(node: Instance) -> str:
    ReceptorAddress.objects.filter(address="hop1").update(protocol="ws", websocket_path="mesh")
    return "Other peers are dialled: new peers: wss://hop1:27200/mesh; removed peers: hop1:27200."


def renamed(node: Instance) -> str:
    Instance.objects.filter(pk=node.pk).update(hostname="exec-9")
    return "The hostname was exec-1.example.org."


def expired(node: Instance) -> str:
    then = datetime(2024, 2, 29, 12, tzinfo=UTC)
    IssuedBundle.objects.update(certificate_expires=then)
    return "Its certificate expired 2024-02-29 12:00:00 UTC."


CHANGES = {
    changed_port: "port",
    new_peer: "peers",
    removed_peer: "peers",
    peer_with_another_port: "peers",
    peer_by_websockets: "peers",
    renamed: "hostname",
    expired: "certificate",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_bundle_is_outdated_once_a_new_one_would_differ(
    change: Callable[[Instance], str], client: APIClient, node: Instance, mesh_ca: dict[str, str]
) -> None:
    issue_without_keys(with_peers(node, hop1=27200), mesh_ca)
    other = Instance.objects.create(hostname="other", node_type="hop")
    issue_without_keys(other, mesh_ca)
    assert told_of(client, node)[0] == "True"
    sentence = change(node)
    if change is expired:
        IssuedBundle.objects.filter(instance=other).update(certificate_expires=timezone.now() + timedelta(days=1))
    status, reason, message = told_of(client, node)
    assert (status, reason) == ("False", "BundleOutdated")
    assert message.endswith(f" UTC. {sentence}")
    rows = {row["hostname"]: row for row in listed(client)}
    assert rows.pop("other")["status"] == "True"
    (row,) = rows.values()
    assert (row["status"], row["message"], row["changed"]) == (status, message, [CHANGES[change]])
    issue_without_keys(Instance.objects.get(pk=node.pk), mesh_ca)
    assert told_of(client, node)[0] == "True"


def test_a_bundle_is_outdated_by_another_protocol(client: APIClient, node: Instance, mesh_ca: dict[str, str]) -> None:
    listen(node)
    issue_without_keys(Instance.objects.get(pk=node.pk), mesh_ca)
    record = IssuedBundle.objects.get()
    record.parts.pop("protocol")  # as of records from before there were protocols
    record.save()
    assert told_of(client, node)[0] == "True"
    ReceptorAddress.objects.update(protocol="wss")
    assert told_of(client, node)[2].endswith(" UTC. The protocol was tcp, and is ws.")
    (row,) = listed(client)
    assert row["changed"] == ["protocol"]


def test_what_leaves_the_bundle_as_it_is(client: APIClient, node: Instance, mesh_ca: dict[str, str]) -> None:
    issue_without_keys(node, mesh_ca)
    with_peers(node, silent=None)
    Instance.objects.filter(pk=node.pk).update(node_state="unavailable", errors="no podman", version="2.3.4")
    assert told_of(client, node)[0] == "True"


@pytest.mark.parametrize(("name", "part"), [(CA, "ca"), (WORK_KEY, "work_key")])
def test_a_bundle_is_outdated_by_another_mesh_ca(
    name: str,
    part: str,
    client: APIClient,
    node: Instance,
    mesh_ca: dict[str, str],
    settings: Settings,
    tmp_path: Path,
) -> None:
    issue_without_keys(node, mesh_ca)
    another = tmp_path / "another.pem"
    if part == "ca":  # the same one twice, as after a rotation that added one
        another.write_bytes(Path(mesh_ca[CA]).read_bytes() * 2)
    else:
        another.write_bytes(instances.mesh_ca.public_pem(ec.generate_private_key(ec.SECP256R1()).public_key()))
    setattr(settings, name, str(another))
    assert told_of(client, node)[0] == "False"
    assert [row["changed"] for row in listed(client)] == [[part]]


@pytest.mark.parametrize("value", ["", "/nowhere/at-all"])
@pytest.mark.parametrize("name", [CA, WORK_KEY])
def test_what_cannot_be_compared_is_unknown(
    name: str, value: str, client: APIClient, node: Instance, mesh_ca: dict[str, str], settings: Settings
) -> None:
    issue_without_keys(node, mesh_ca)
    setattr(settings, name, value)
    status, reason, message = told_of(client, node)
    assert (status, reason) == ("Unknown", "MeshCANotReadable")
    assert name in message
    assert "nowhere" not in message
    changed_port(node)  # which needs no CA to be known
    assert told_of(client, node)[:2] == ("False", "BundleOutdated")


@pytest.mark.parametrize("node_type", ["control", "hybrid"])
def test_no_bundle_is_expected_of_control_nodes(node_type: str, client: APIClient) -> None:
    node = Instance.objects.create(hostname="control-1", node_type=node_type)
    assert told_of(client, node) == ("Unknown", "NotApplicable", "")


def test_a_mirror_records_no_bundles(client: APIClient, node: Instance, mesh_ca: dict[str, str]) -> None:
    now = timezone.now()
    Mirror.objects.create(url="https://awx.example.org", version="23.6.0", every=30, began=now, finished=now)
    unpacked(client, node)
    assert listed(client) == []
    assert told_of(client, node)[:2] == ("Unknown", "NotReportedByAWX")


def test_records_of_bundles_go_with_what_other_records_replace(node: Instance, mesh_ca: dict[str, str]) -> None:
    issue_without_keys(node, mesh_ca)
    conditions.delete_stored([node.pk])
    assert not IssuedBundle.objects.exists()
    issue_without_keys(node, mesh_ca)
    conditions.delete_all_stored()
    assert not IssuedBundle.objects.exists()
    issue_without_keys(node, mesh_ca)
    node.delete()
    assert not IssuedBundle.objects.exists()


def test_a_bundle_is_handed_out_even_if_it_cannot_be_recorded(
    client: APIClient, node: Instance, mesh_ca: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE instances_issuedbundle ADD CHECK (made < '2000-01-01')")
    assert set(unpacked(client, node)) == FILES
    assert "The install bundle of exec-1.example.org is not recorded" in caplog.text
    assert listed(client) == []


@pytest.mark.parametrize("rows", [1, 20])
def test_bundles_cost_the_same_in_any_mesh(
    rows: int,
    client: APIClient,
    node: Instance,
    mesh_ca: dict[str, str],
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    nodes = [node, *(Instance.objects.create(hostname=f"exec-{n}x", node_type="hop") for n in range(rows))]
    for each in nodes:
        with_peers(each, **{f"hop-{n}-of-{each.pk}": 27199 for n in range(rows)})
        issue_without_keys(each, mesh_ca)
    with django_assert_num_queries(1 + 2):
        assert len(listed(client)) == rows + 1
    with django_assert_num_queries(6 + 1):
        assert told_of(client, node)[0] == "True"
