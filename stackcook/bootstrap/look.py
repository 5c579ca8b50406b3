"""Inspects a node: its preflight checks, and whether it can log in to the Chef server."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence

from cryptography.hazmat.primitives import serialization

from stackcook.bootstrap import preflight
from stackcook.bootstrap.base import Look, Registration
from stackcook.bootstrap.etc_chef import proxies
from stackcook.bootstrap.objects import passing, public_key
from stackcook.bootstrap.onnode import BootstrapContext
from stackcook.command import Completed
from stackcook.errors import NodeError, Transient
from stackcook.manifest.model import Node
from stackcook.remote.base import Host, as_root

# Lines url=… and secret=…, then the public half of the node's key; the private one stays where it
# is. What is missing prints nothing.
_LOGIN = """\
command -v chef-client >/dev/null && cd /etc/chef 2>/dev/null || exit 0
sed -n 's/^chef_server_url *"\\(.*\\)"/url=\\1/p' client.rb
test -f encrypted_data_bag_secret && echo "secret=$(sha256sum <encrypted_data_bag_secret)"
test -s client.pem || exit 0
openssl pkey -in client.pem -pubout 2>/dev/null ||
  PATH="$PATH:/opt/chef/embedded/bin" ruby -ropenssl -e \
    'puts OpenSSL::PKey.read(File.read("client.pem")).public_key.to_pem'
"""


def look(context: BootstrapContext, node: Node, host: Host) -> Look:
    """Ask the Chef server, and then the node by one command.

    Raises NodeError, or Transient, if the node can't be reached or that user can't become root.
    """
    client = f"/clients/{node.name}"
    with passing(node):
        there = context.there
        key = public_key(context.client, node.name) if client in there else None
        known = f"/nodes/{node.name}" in there
    options, url = context.options(node), context.server.url
    proxied = bool(proxies(context.server, options)["proxy"])
    bundled = context.bundle is not None
    command = preflight.command(url, node.name, proxied=proxied, bundled=bundled)
    if key is not None and known:
        command += _LOGIN
    with context.open(host) as remote:  # records the host key, for knife too
        done = as_root(remote, command, timeout=preflight.TIMEOUT, apart=True)
    lines = done.output.splitlines()
    if "uid=0" not in lines:
        raise _no_root(host, done)
    now = time.time() - context.client.skew
    own = options.one("install") or options.one("install_url") or context.package
    mine = key is not None and _has_key(lines, key)
    try:
        facts = preflight.read(done.output, url, now, mine=mine, installs=not own)
    except ValueError as error:
        what = f"cannot read the output of the preflight checks ({done.quoted})"
        raise Transient(what, where=node.name, remedy="check its shell and sudo") from error
    registration = Registration.REGISTERED
    if key is None and not known:
        registration = Registration.NEW
    elif not (mine and known and _logs_in(lines, url, context.secret_of(node))):
        registration = Registration.PARTIAL
    return Look(registration, str(facts), facts)


def _logs_in(lines: Sequence[str], url: str, secret: str | None) -> bool:
    """Whether the node has the server's URL and the secret."""
    if not any(line.rstrip("/") == f"url={url.rstrip('/')}" for line in lines):
        return False
    digest = hashlib.sha256(f"{secret}\n".encode()).hexdigest()
    return secret is None or any(line.startswith(f"secret={digest}") for line in lines)


def _has_key(lines: Sequence[str], key: str) -> bool:
    """Whether the node has the Chef client, and the private key of its client on the server."""
    begin = next((n for n, line in enumerate(lines) if line.startswith("-----BEGIN")), len(lines))
    return _same_key(key, "\n".join(lines[begin:]))


def _same_key(one: str, other: str) -> bool:
    if one.strip() == other.strip():  # unless another library wrote one of them
        return bool(one.strip())
    try:
        left, right = (
            serialization.load_pem_public_key(pem.encode()).public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            for pem in (one, other)
        )
    except ValueError:  # a key cut short, or none: not the same
        return False
    return bool(left == right)


def _no_root(host: Host, done: Completed) -> NodeError:
    return NodeError(
        f"{host.user} cannot become root with sudo ({done.quoted})",
        where=host.name,
        remedy="give that user passwordless sudo, or add --ask-become-pass",
    )
