"""The files of a node's ``/etc/chef``, as ``knife bootstrap`` writes them."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackcook.bootstrap.options import Options
from stackcook.chef.server.knife import ruby_string
from stackcook.manifest.model import ChefServer, Node

DIRECTORY = "/etc/chef"
VALIDATOR = "chef-validator"
"""knife's default; nobody logs in as it."""


@dataclass(frozen=True)
class File:
    """A file below ``/etc/chef``; only root reads a ``private`` one."""

    path: str
    text: str
    private: bool = False


def files(
    server: ChefServer,
    node: Node,
    options: Options,
    *,
    first_boot: Mapping[str, Any],
    secret: str | None,
) -> tuple[File, ...]:
    """All files but the key. ``first_boot`` are attributes, ``secret`` decrypts data bag items."""
    certificates = _certificates(server)
    hints = options.hints(node.name).items()
    boot = _first_boot(node, options, first_boot)
    found = [
        File("client.rb", _client_rb(server, node, options, secret, bool(certificates))),
        # knife's is readable for all; but the attributes may contain a password
        File("first-boot.json", f"{json.dumps(boot)}\n", private=True),
        *(File(f"ohai/hints/{name}.json", json.dumps(hint) + "\n") for name, hint in hints),
        *(File(f"trusted_certs/{path.name}", _text(path) + "\n") for path in certificates),
    ]
    if secret is not None:
        found.append(File("encrypted_data_bag_secret", f"{secret}\n", private=True))
    return tuple(found)


def script(found: Iterable[File]) -> str:
    """The shell script that replaces the files and makes the node's key.

    It prints the public key (PEM); the private key never leaves the node. The script contains
    secrets: pass it by standard input.
    """
    lines = [
        f"set -eu\numask 022\nmkdir -p {DIRECTORY}\ncd {DIRECTORY}",
        *(_write(file) for file in found),
        _MAKE_KEY,
    ]
    return "\n".join(lines)


# Not every node has openssl; ruby is there, because Chef needs it.
_MAKE_KEY = """\
umask 077
PATH="$PATH:/opt/chef/embedded/bin"
if command -v openssl >/dev/null; then
  openssl genrsa -out client.pem.new 2048 2>/dev/null
  openssl pkey -in client.pem.new -pubout
else
  ruby -ropenssl -e 'key = OpenSSL::PKey::RSA.new(2048)
    File.write("client.pem.new", key.to_pem)
    puts key.public_key.to_pem'
fi
mv client.pem.new client.pem
"""


def _text(certificate: Path) -> str:
    """As it is; only a comment beside the certificate may be in another encoding than UTF-8."""
    return certificate.read_bytes().decode(errors="replace")


def _write(file: File) -> str:
    # printf is built into the shell: no process list shows its arguments. Unlike printf, cat
    # reports a full disk.
    path, folder = shlex.quote(file.path), os.path.dirname(file.path)
    made = f"mkdir -p {shlex.quote(folder)}\n" if folder else ""
    mask = "umask 077; " if file.private else ""
    return (
        f"{made}({mask}printf %s {shlex.quote(file.text)} | cat >{path}.new)\nmv {path}.new {path}"
    )


def _client_rb(
    server: ChefServer, node: Node, options: Options, secret: str | None, certificates: bool
) -> str:
    mode = {"peer": "verify_peer", "none": "verify_none"}.get(options.one("ssl_verify_mode"))
    proxy = proxies(server, options)
    lines = (
        f"chef_server_url  {ruby_string(server.url)}",
        f'validation_client_name "{VALIDATOR}"',
        f'chef_license "{_licence()}"',
        "log_location   STDOUT",
        f"node_name {ruby_string(node.name)}",
        options.verify_api_cert and f"verify_api_cert {options.verify_api_cert}",
        mode and f"ssl_verify_mode :{mode}",
        *(
            proxy[name] and f"{f'{scheme}_{name}':<18}{ruby_string(proxy[name])}"
            for name in ("proxy", "proxy_user", "proxy_pass")
            for scheme in ("http", "https")
        ),
        proxy["no_proxy"] and f"no_proxy       {ruby_string(proxy['no_proxy'])}",
        secret is not None and f'encrypted_data_bag_secret "{DIRECTORY}/encrypted_data_bag_secret"',
        certificates and f'trusted_certs_dir "{DIRECTORY}/trusted_certs"',
        'file_cache_path "/var/chef/cache"\nfile_backup_path "/var/chef/backup"',
    )
    return "\n".join([*(line for line in lines if line), "", ""])


def proxies(server: ChefServer, options: Options) -> Mapping[str, str]:
    """The node's proxies by option, empty if unset: the node's, else those of ``server``."""
    return {
        name: options.one(name) or server.proxies.get(f"bootstrap_{name}", "")
        for name in ("proxy", "proxy_user", "proxy_pass", "no_proxy")
    }


def _licence() -> str:
    """How Chef's licence was accepted, as knife writes it."""
    said = os.environ.get("CHEF_LICENSE", "accept-silent")
    return said if said == "accept-no-persist" else "accept"


def _first_boot(node: Node, options: Options, attributes: Mapping[str, Any]) -> dict[str, Any]:
    what: dict[str, Any]
    if node.policy_name:
        what = {"policy_name": node.policy_name, "policy_group": node.policy_group}
    else:
        what = {"run_list": list(node.run_list)}
    return {**attributes, **what, **({"tags": list(options.tags)} if options.tags else {})}


def _certificates(server: ChefServer) -> tuple[Path, ...]:
    directory = server.trusted_certs
    if directory is None or not directory.is_dir():
        return ()
    return tuple(sorted(p for p in directory.iterdir() if p.suffix in (".crt", ".pem")))
