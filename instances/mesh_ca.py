"""The certificate authority of the mesh: made by ``manage.py create_mesh_ca``, it signs the certificates of the nodes.

Source: docs/awx-behaviour.md, "Install bundle".
"""

import ipaddress
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.conf import settings

KEY_BITS = 4096
CLOCK_SKEW = timedelta(minutes=5)  # by which a node's clock may be slow and still accept a new certificate
LONGEST_COMMON_NAME = 64  # bytes, in the cryptography library's reading of RFC 5280
RECEPTOR_NAME = x509.ObjectIdentifier("1.3.6.1.4.1.2312.19.1")  # the otherName by which Receptor knows a node
LABEL = r"[A-Za-z0-9_-]{1,63}"
DNS_NAME = re.compile(rf"{LABEL}(?:\.{LABEL})*")

SigningKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class MeshCAError(Exception):
    """The mesh CA cannot be used; the message names the settings at fault, and nothing of their contents."""


@dataclass(frozen=True)
class MeshCA:
    """``certificates``: the one that signs, and others that nodes shall trust. ``work_public_key``: PEM."""

    certificates: list[x509.Certificate]
    key: SigningKey
    work_public_key: bytes

    @property
    def certificates_pem(self) -> bytes:
        return pem_of(self.certificates)

    def issue(self, hostname: str) -> tuple[bytes, bytes]:
        """A new private key and its certificate for the node ``hostname``, both PEM. The key is not stored."""
        key = new_key()
        issuer = self.certificates[0]
        builder = (
            valid_from_now(subject=common_name(hostname), issuer=issuer.subject, key=key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(key_usage(digital_signature=True, key_encipherment=True), critical=True)
            # Receptor shows the same certificate whether it dials or listens.
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .add_extension(x509.SubjectAlternativeName(alternative_names(hostname)), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        return private_pem(key), builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)


# --- reading the files


def configured() -> MeshCA:
    """The mesh CA that the settings name. Raises MeshCAError."""
    certificates, key, public_key = contents("RECEPTOR_CA_CERT", "RECEPTOR_CA_KEY", "RECEPTOR_WORK_PUBLIC_KEY")
    return checked(
        MeshCA(
            certificates=certificates_in(certificates),
            key=signing_key_in(key),
            work_public_key=public_key_in(public_key),
        )
    )


def public_parts() -> tuple[bytes, bytes]:
    """The certificates of the configured mesh CA and the public key that verifies work, both PEM, without the CA's key.

    Raises MeshCAError.
    """
    certificates, public_key = contents("RECEPTOR_CA_CERT", "RECEPTOR_WORK_PUBLIC_KEY")
    return pem_of(certificates_in(certificates)), public_key_in(public_key)


def contents(*names: str) -> list[bytes]:
    """The contents of the files that these settings name."""
    unset = [name for name in names if not getattr(settings, name)]
    if unset:
        raise MeshCAError(f"The mesh CA is not set up: {', '.join(unset)} not set.")
    return [content(name) for name in names]


def content(name: str) -> bytes:
    try:
        return Path(getattr(settings, name)).read_bytes()
    except (OSError, ValueError):
        raise MeshCAError(f"The mesh CA cannot be used: {name} names no file that can be read.") from None


def certificates_in(pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise MeshCAError("The mesh CA cannot be used: RECEPTOR_CA_CERT holds no certificate in PEM.") from None


def signing_key_in(pem: bytes) -> SigningKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except (TypeError, ValueError, UnsupportedAlgorithm):  # TypeError where it is encrypted
        key = None
    if not isinstance(key, SigningKey):
        raise MeshCAError(
            "The mesh CA cannot be used: RECEPTOR_CA_KEY holds no RSA or elliptic curve key in PEM without a password."
        )
    return key


def public_key_in(pem: bytes) -> bytes:
    """Only the public key, whatever else the file has, since it becomes part of install bundles."""
    try:
        return public_pem(load_pem_public_key(pem))
    except (ValueError, UnsupportedAlgorithm):
        raise MeshCAError("The mesh CA cannot be used: RECEPTOR_WORK_PUBLIC_KEY holds no public key in PEM.") from None


def checked(ca: MeshCA) -> MeshCA:
    if public_pem(ca.key.public_key()) != public_pem(ca.certificates[0].public_key()):
        raise MeshCAError("The mesh CA cannot be used: RECEPTOR_CA_KEY is not the key of RECEPTOR_CA_CERT.")
    return ca


# --- making one


def new_certificate_authority(name: str) -> tuple[bytes, bytes]:
    """A new private key and its own certificate, which may sign those of nodes, both PEM."""
    key = new_key()
    builder = (
        valid_from_now(subject=common_name(name), issuer=common_name(name), key=key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(key_cert_sign=True, crl_sign=True), critical=True)
    )
    return private_pem(key), builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def new_key_pair() -> tuple[bytes, bytes]:
    """A new private key and its public key, both PEM."""
    key = new_key()
    return private_pem(key), public_pem(key.public_key())


# --- parts of certificates


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)


def private_pem(key: rsa.RSAPrivateKey) -> bytes:
    """PKCS #1, which every version of Receptor reads."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def public_pem(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def pem_of(certificates: Iterable[x509.Certificate]) -> bytes:
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def common_name(name: str) -> x509.Name:
    """The subject of this common name, cut where it is too long: who checks a name reads the alternative ones."""
    common_name = name.encode()[:LONGEST_COMMON_NAME].decode(errors="ignore")
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def valid_from_now(subject: x509.Name, issuer: x509.Name, key: rsa.RSAPrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=settings.RECEPTOR_CERTIFICATE_DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def key_usage(**allowed: bool) -> x509.KeyUsage:
    uses = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{use: allowed.get(use, False) for use in uses})


def alternative_names(hostname: str) -> list[x509.GeneralName]:
    """The hostname as DNS name and as IP address, where it can be one, and as the name that Receptor requires."""
    names: list[x509.GeneralName] = []
    if DNS_NAME.fullmatch(hostname):
        names.append(x509.DNSName(hostname))
    with suppress(ValueError):
        names.append(x509.IPAddress(ipaddress.ip_address(hostname)))
    return [*names, x509.OtherName(RECEPTOR_NAME, asn1.encode_der(hostname))]
