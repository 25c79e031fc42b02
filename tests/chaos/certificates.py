"""Certificates for rows on TLS: an authority, and what it, or nobody, vouches for."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Authority:
    """`path` is the certificate that a client may be told to trust."""

    key: Key
    certificate: x509.Certificate
    path: Path


def authority(folder: Path) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("an authority for tests")
    constraint = x509.BasicConstraints(ca=True, path_length=None)
    made = _builder(name, name, key, 10).add_extension(constraint, critical=True).sign(key, hashes.SHA256())
    path = folder / "authority.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return Authority(key, made, path)


def certificate(folder: Path, by: Authority, host: str, days: int) -> tuple[Path, Path]:
    """A certificate and its key for the host, good for so many days; negative ones have expired."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.DNSName(host)])
    builder = _builder(_name(host), by.certificate.subject, key, days).add_extension(names, critical=False)
    made = builder.sign(by.key, hashes.SHA256())
    chain, secret = folder / f"{host}{days}.pem", folder / f"{host}{days}.key"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return chain, secret


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(subject: x509.Name, issuer: x509.Name, key: Key, days: int) -> x509.CertificateBuilder:
    end = datetime.now(UTC) + timedelta(days=days)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - timedelta(days=30))
        .not_valid_after(end)
    )
