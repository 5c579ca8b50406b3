"""Certificates for TLS: a certificate authority (CA) of the deployment's own, and what it signs.

Keys and certificates are PEM. Times are seconds since the epoch.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # slow to load, and not needed by a deployment without TLS
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

DAY = 86400.0
RENEWED_BEFORE = 30
"""Days before its end at which a deploy renews a certificate."""

_AUTHORITY_DAYS = 3653
_SERVER_DAYS = 365
_LONGEST = 64
"""Characters of a common name (RFC 5280, appendix A.1)."""
_EARLIER = timedelta(hours=1)
"""How long before its creation a certificate begins: the clocks of the nodes may be behind."""


@dataclass(frozen=True)
class Pair:
    """A certificate, followed by those of intermediate CAs if there are any, and its key."""

    certificate: str
    key: str = field(repr=False)


def new_authority(name: str, now: float) -> Pair:
    """A new CA, whose certificate signs itself and is valid for ten years."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    usage = _usage(signs=True)
    builder = _builder(subject, key, now, _AUTHORITY_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return _signed(builder.issuer_name(subject).add_extension(usage, critical=True), key, key)


def issue(authority: Pair, names: Collection[str], now: float, *, client: str = "") -> Pair:
    """A new key, and its certificate for a server that has these names and IP addresses.

    ``client`` is the name under which the server may also show it to others, as the members of
    clusters do; none: it may not. MariaDB's members need a common name.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    issuer = _load(authority.certificate)
    signer: Any = load_pem_private_key(authority.key.encode(), None)
    key = ec.generate_private_key(ec.SECP256R1())
    common = [x509.NameAttribute(x509.NameOID.COMMON_NAME, client[:_LONGEST])] if client else []
    builder = _builder(x509.Name(common), key, now, _SERVER_DAYS).issuer_name(issuer.subject)
    parent = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    uses = [x509.ExtendedKeyUsageOID.SERVER_AUTH]
    uses += [x509.ExtendedKeyUsageOID.CLIENT_AUTH] if client else []
    for extension, critical in (
        (x509.SubjectAlternativeName([_general(name) for name in sorted(names)]), True),
        (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(parent), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(signs=False), True),
        (x509.ExtendedKeyUsage(uses), False),
    ):
        builder = builder.add_extension(extension, critical=critical)
    return _signed(builder, key, signer)


def due(certificate: str, authority: str, names: Collection[str], now: float) -> str:
    """Why a certificate that :func:`issue` made has to be renewed; empty if it has not."""
    from cryptography import x509

    try:
        found, issuer = _load(certificate), _load(authority)
        extensions, parent = found.extensions, issuer.extensions
        signer = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        ours = parent.get_extension_for_class(x509.SubjectKeyIdentifier).value
        listed = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return "it cannot be read"
    if signer.key_identifier != ours.digest:
        return "the CA is another one"
    if {str(name.value) for name in listed} != {_canonical(name) for name in names}:
        return "its names are others"
    left = found.not_valid_after.replace(tzinfo=timezone.utc).timestamp() - now
    return f"it ends in {max(0, int(left / DAY))} days" if left < RENEWED_BEFORE * DAY else ""


def rejected(certificate: Path, key: Path, ca: Path | None, name: str) -> str:
    """Why a client would reject a server that has these files; empty if it would not.

    ``ca`` are the certificates of the CAs that the client accepts, None: the system's. ``name`` is
    a host name or an IP address. Lets the TLS library of Python decide: a server and a client talk
    to each other in this process.
    """
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        server.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        return _why(error)
    try:
        client = trusting(ca)
    except OSError as error:
        return f"{ca}: {_why(error)}"
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    for _ in range(4):  # messages to and fro
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError as error:
                return _why(error)
    return ""


def end_of(host: str, port: int, ca: Path | None, timeout: float, address: str = "") -> float:
    """When the certificate ends that a server answers with; ``ca`` as for :func:`rejected`.

    ``host`` is the name under which clients know it; it may be asked at another ``address``. Raises
    ssl.SSLCertVerificationError if a client would reject it, OSError if nothing answers within
    ``timeout`` seconds.
    """
    with socket.create_connection((address or host, port), timeout) as plain:
        with trusting(ca).wrap_socket(plain, server_hostname=host) as secure:
            found = secure.getpeercert() or {}
            return float(ssl.cert_time_to_seconds(str(found["notAfter"])))


def end_of_issued(certificate: str, authority: str, name: str, now: float) -> float:
    """When a certificate ends that :func:`issue` made; raises ValueError if it is not good.

    It is good if this CA has signed it, if it has that name or address, and if it is valid now.
    """
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        found, issuer = _load(certificate), _load(authority)
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound) as error:
        raise ValueError("it cannot be read") from error
    public: Any = issuer.public_key()
    try:
        hash_: Any = found.signature_hash_algorithm
        public.verify(found.signature, found.tbs_certificate_bytes, ec.ECDSA(hash_))
    except (InvalidSignature, TypeError) as error:
        raise ValueError("the CA is another one") from error
    if _canonical(name) not in {str(each.value) for each in names}:
        raise ValueError(f"it is not valid for {name}")
    end = found.not_valid_after.replace(tzinfo=timezone.utc).timestamp()
    if end < now:
        raise ValueError("it has expired")
    return end


def trusting(ca: Path | None) -> ssl.SSLContext:
    """A client's context that accepts these CAs only, None: the system's. Raises OSError."""
    context = ssl.create_default_context(cafile=str(ca) if ca else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _why(error: Exception) -> str:
    """What the TLS library says, in words that are for people."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return str(error.verify_message).rstrip(".")
    text = str(error)
    if re.search("KEY_VALUES_MISMATCH|NO_CERTIFICATE_ASSIGNED", text):  # the latter: of its type
        return "the key does not belong to the certificate"
    if isinstance(error, ssl.SSLError):
        return "the certificate or the key is not PEM"
    return (error.strerror if isinstance(error, OSError) else None) or text


def _no_password() -> str:
    raise ValueError("the key is encrypted; HAProxy needs one without a password")


def _load(certificate: str) -> x509.Certificate:
    from cryptography import x509

    return x509.load_pem_x509_certificate(certificate.encode())


def _canonical(name: str) -> str:
    try:
        return str(ip_address(name))
    except ValueError:
        return name


def _general(name: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, signs: bool) -> x509.KeyUsage:
    """What the key of a CA may do (``signs``), or that of a server."""
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _builder(
    subject: x509.Name, key: EllipticCurvePrivateKey, now: float, days: int
) -> x509.CertificateBuilder:
    from cryptography import x509

    begin = datetime.fromtimestamp(now, timezone.utc)
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin - _EARLIER)
        .not_valid_after(begin + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _signed(builder: x509.CertificateBuilder, key: Any, signer: EllipticCurvePrivateKey) -> Pair:
    from cryptography.hazmat.primitives import hashes, serialization

    certificate = builder.sign(signer, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    return Pair(public.decode(), private.decode())
