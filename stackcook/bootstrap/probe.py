"""Whether a node can still log in to the Chef server as the client that the server knows."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from stackcook.errors import NodeError
from stackcook.remote.base import Host, Remote, sudo

# A line that says that we are root, one each of url=… and secret=…, then the public half of the
# node's key; the private one stays where it is. What is missing prints nothing.
_PROBE = """\
echo root
command -v chef-client >/dev/null && cd /etc/chef 2>/dev/null || exit 0
sed -n 's/^chef_server_url *"\\(.*\\)"/url=\\1/p' client.rb
test -f encrypted_data_bag_secret && echo "secret=$(sha256sum <encrypted_data_bag_secret)"
test -s client.pem || exit 0
openssl pkey -in client.pem -pubout 2>/dev/null ||
  PATH="$PATH:/opt/chef/embedded/bin" ruby -ropenssl -e \
    'puts OpenSSL::PKey.read(File.read("client.pem")).public_key.to_pem'
"""


def is_known(remote: Remote, host: Host, key: str, url: str, secret: Path | None) -> bool:
    """Whether the node has the client, its private key, the server's URL and the secret.

    ``key`` is the client's public key on the server, PEM. Raises NodeError if root's files can't
    be looked at.
    """
    done = remote.run(sudo(_PROBE), timeout=60)
    lines = done.output.splitlines()
    if "root" not in lines:
        raise NodeError(
            f"{host.user} can't become root ({done.output.strip() or done.status})",
            where=host.name,
            remedy="let that user run `sudo -n` without a password",
        )
    if not any(line.rstrip("/") == f"url={url.rstrip('/')}" for line in lines):
        return False
    if secret and not any(line.startswith(f"secret={_digest(secret)}") for line in lines):
        return False
    return _same_key(key, done.output)


def _digest(secret: Path) -> str:
    # knife strips the secret and its template ends the line
    return hashlib.sha256(secret.read_text().strip().encode() + b"\n").hexdigest()


def _same_key(one: str, output: str) -> bool:
    start = output.find("-----BEGIN")
    if start < 0:
        return False
    try:
        left, right = (
            serialization.load_pem_public_key(pem.encode()).public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            for pem in (one, output[start:])
        )
    except ValueError:  # a key cut short, or none: not the same
        return False
    return bool(left == right)
