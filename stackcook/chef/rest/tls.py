"""Whom to believe that it is the Chef server: the system's CAs, and what knife trusts besides."""

from __future__ import annotations

import ssl
from pathlib import Path

from stackcook.errors import ChefServerError
from stackcook.manifest.model import ChefServer

_SUFFIXES = (".crt", ".pem")
"""Of the files in ``trusted_certs`` that knife reads."""


def context(server: ChefServer) -> ssl.SSLContext:
    """The settings of TLS for this server.

    With a ``ca_file`` only its CAs count, besides ``trusted_certs``; else the system's, or those of
    SSL_CERT_FILE. Raises ChefServerError for a file that holds no certificate.
    """
    if server.ca_file:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _load(made, server.ca_file)
    else:
        made = ssl.create_default_context()
    made.check_hostname = False  # urllib3 does that itself, and takes no address otherwise
    # A server's own certificate may be trusted without that of the CA which signed it.
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if server.trusted_certs and server.trusted_certs.is_dir():
        for path in sorted(server.trusted_certs.iterdir()):
            if path.suffix in _SUFFIXES:
                _load(made, path)
    if not server.verify:
        made.verify_mode = ssl.CERT_NONE
    return made


def _load(made: ssl.SSLContext, path: Path) -> None:
    try:
        made.load_verify_locations(path)
    except OSError as error:  # ssl.SSLError is one
        said = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise ChefServerError(
            f"the certificate of the Chef server's CA can't be read ({said})",
            where=str(path),
            remedy="put one in PEM there, or take the setting away",
        ) from error
