"""Whether a node can still log in to the Chef server as the client that the server knows."""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives import serialization

from stackcook.bootstrap.base import Standing
from stackcook.bootstrap.objects import passing, public_key
from stackcook.bootstrap.onnode import Means
from stackcook.command import Completed
from stackcook.errors import NodeError
from stackcook.manifest.model import Node
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


def standing(means: Means, node: Node, host: Host) -> Standing:
    """Ask the server and the node. Raises NodeError if the node, or its root, can't be reached."""
    client = f"/clients/{node.name}"
    with passing(node):
        there = means.there
        key = public_key(means.client, node.name) if client in there else None
        known = f"/nodes/{node.name}" in there
    with means.open(node, host) as remote:  # records the host key, for knife too
        if key is None and not known:
            return Standing.NEW
        if key is None or not known:
            return Standing.HALF
        url, secret = means.server.url, means.secret_of(node)
        return Standing.KNOWN if _is_known(remote, host, key, url, secret) else Standing.HALF


def _is_known(remote: Remote, host: Host, key: str, url: str, secret: str | None) -> bool:
    """Whether the node has the client, its private key, the server's URL and the secret."""
    done = remote.run(sudo(_PROBE), timeout=60)
    lines = done.output.splitlines()
    if "root" not in lines:
        raise no_root(host, done)
    if not any(line.rstrip("/") == f"url={url.rstrip('/')}" for line in lines):
        return False
    digest = hashlib.sha256(f"{secret}\n".encode()).hexdigest()
    if secret is not None and not any(line.startswith(f"secret={digest}") for line in lines):
        return False
    return _same_key(key, done.output)


def no_root(host: Host, done: Completed) -> NodeError:
    """What to say of a login that gets no root shell; ``done`` is how it ended."""
    return NodeError(
        f"{host.user} can't become root ({done.output.strip() or done.status})",
        where=host.name,
        remedy="let that user run `sudo -n` without a password",
    )


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
