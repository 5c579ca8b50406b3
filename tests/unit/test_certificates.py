"""Our CA and what it signs, as the TLS library of Python sees them."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from stackcook.certificates import DAY, Pair, due, issue, new_authority, rejected, trusting

NOW = 1_800_000_000.0
NAMES = ("10.0.116.10", "fd00::10", "cloud.example.com")
CA = new_authority("CA", NOW)
SERVER = issue(CA, NAMES, NOW)


def test_a_certificate_is_renewed_in_its_last_30_days() -> None:
    assert due(SERVER.certificate, CA.certificate, NAMES, NOW + 330 * DAY) == ""
    assert due(SERVER.certificate, CA.certificate, NAMES, NOW + 336 * DAY) == "it ends in 29 days"


@pytest.mark.parametrize(
    ("certificate", "ca", "names", "why"),
    [
        (SERVER.certificate, CA.certificate, NAMES[::-1], ""),
        (SERVER.certificate, CA.certificate, NAMES[1:], "its names are others"),
        (SERVER.certificate, CA.certificate, (*NAMES, "new"), "its names are others"),
        (SERVER.certificate, new_authority("CA", NOW).certificate, NAMES, "the CA is another one"),
        ("", CA.certificate, NAMES, "it cannot be read"),
        (SERVER.certificate[:300], CA.certificate, NAMES, "it cannot be read"),
    ],
    ids=["order", "fewer", "more", "CA", "none", "half"],
)
def test_a_certificate_is_renewed_if_something_else_is_wanted(
    certificate: str, ca: str, names: tuple[str, ...], why: str
) -> None:
    assert due(certificate, ca, names, NOW) == why


class Files:
    """Certificates that are valid now, as files."""

    def __init__(self, directory: Path, now: float) -> None:
        self._directory = directory
        self.authority = new_authority("CA", now)
        self.ca = self.write("ca.crt", self.authority.certificate)

    def write(self, name: str, text: str) -> Path:
        path = self._directory / name
        path.write_text(text)
        return path

    def pair(self, made: Pair) -> tuple[Path, Path]:
        return self.write("a.crt", made.certificate), self.write("a.key", made.key)


@pytest.fixture
def now() -> float:
    import time

    return time.time()  # the TLS library asks the clock itself


@pytest.fixture
def files(tmp_path: Path, now: float) -> Files:
    return Files(tmp_path, now)


def test_a_client_accepts_what_our_ca_has_signed(files: Files, now: float) -> None:
    pair = files.pair(issue(files.authority, NAMES, now))
    assert [rejected(*pair, files.ca, name) for name in NAMES] == ["", "", ""]


def test_a_client_rejects_another_name(files: Files, now: float) -> None:
    pair = files.pair(issue(files.authority, NAMES, now))
    assert rejected(*pair, files.ca, "10.0.116.11").startswith("IP address mismatch")
    assert rejected(*pair, files.ca, "example.com").startswith("Hostname mismatch")


def test_a_client_rejects_what_is_no_longer_valid(files: Files, now: float) -> None:
    pair = files.pair(issue(files.authority, NAMES, now - 400 * DAY))
    assert rejected(*pair, files.ca, NAMES[0]) == "certificate has expired"


def test_a_client_rejects_another_ca(files: Files, now: float) -> None:
    pair = files.pair(issue(files.authority, NAMES, now))
    other = files.write("other.crt", new_authority("CA", now).certificate)
    assert rejected(*pair, other, NAMES[0]) in (
        "certificate signature failure",  # both CAs have the same name
        "unable to get local issuer certificate",
    )
    assert rejected(*pair, None, NAMES[0]) == "unable to get local issuer certificate"


def test_a_certificate_of_our_ca_cannot_sign_others(files: Files, now: float) -> None:
    middle = issue(files.authority, ("cloud.example.com",), now)
    made = issue(middle, NAMES, now)
    chain = Pair(made.certificate + middle.certificate, made.key)
    assert rejected(*files.pair(chain), files.ca, NAMES[0]) == "invalid CA certificate"


def rsa_key() -> str:
    """A key of another type than ours, which are elliptic curves."""
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048)
    form = (s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
    return key.private_bytes(*form).decode()


def test_a_wrong_file_is_named(files: Files, now: float) -> None:
    certificate, _ = files.pair(issue(files.authority, NAMES, now))
    other = files.write("other.key", issue(files.authority, NAMES, now).key)
    no_pem = files.write("no.pem", "no PEM")
    name = NAMES[0]
    belongs = "the key does not belong to the certificate"
    assert rejected(certificate, other, files.ca, name) == belongs
    assert rejected(certificate, files.write("rsa.key", rsa_key()), files.ca, name) == belongs
    assert rejected(certificate, no_pem, files.ca, name) == (
        "the certificate or the key is not PEM"
    )
    assert rejected(certificate, Path("/none"), files.ca, name) == "No such file or directory"
    assert rejected(certificate, other.with_name("a.key"), no_pem, name).startswith(f"{no_pem}: ")


def test_a_key_with_a_password_is_refused(files: Files, now: float) -> None:
    from cryptography.hazmat.primitives import serialization as s

    made = issue(files.authority, NAMES, now)
    key = s.load_pem_private_key(made.key.encode(), None)
    encrypted = s.BestAvailableEncryption(b"secret")
    text = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, encrypted).decode()
    pair = files.pair(Pair(made.certificate, text))
    assert rejected(*pair, files.ca, NAMES[0]).startswith("the key is encrypted")


def test_clients_speak_nothing_older_than_tls_1_2(files: Files) -> None:
    assert trusting(files.ca).minimum_version is ssl.TLSVersion.TLSv1_2
