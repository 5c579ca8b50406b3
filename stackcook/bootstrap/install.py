"""How the Chef client is installed on a node: a shell script, and the files that it needs there.

The same for native bootstraps and for knife.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from stackcook import client
from stackcook.bootstrap.etc_chef import proxies
from stackcook.bootstrap.onnode import NodeTask
from stackcook.bootstrap.options import Options
from stackcook.bootstrap.preflight import HostFacts
from stackcook.errors import NodeError
from stackcook.files import checksum, pieces
from stackcook.remote.base import as_root

FUNCTIONS = Path(__file__).with_name("install.sh")
DIRECTORY = "/var/cache/stackcook"
"""Where files for the installation are, on the node; only while it runs."""

FIX_DPKG = (
    '[ -z "$(ls -A /var/lib/dpkg/updates 2>/dev/null)" ] ||'
    " DEBIAN_FRONTEND=noninteractive dpkg --configure -a"
)
"""Completes what a killed dpkg has begun; until then apt refuses to install anything."""

_CA = f"{DIRECTORY}/ca.pem"


def script(task: NodeTask, facts: HostFacts | None) -> str:
    """The script that installs the client on the task's node, once its files have been sent there.

    ``facts`` are those of the node. Raises NodeError if the files can't be made or sent. A proxy's
    password is in it.
    """
    options = task.context.options(task.node)
    has_client = bool(facts and facts.client)
    how = _rubygems(options.version)  # no files for a node that has the client
    if not has_client or not _has(task, options.version):
        how = _how(task, options, facts)
    return _script(options, how, tuple(_environment(task)))


def _script(options: Options, how: str, environment: tuple[str, ...] = ()) -> str:
    """The script, which exits 0 once the client is installed; ``how`` are commands."""
    before = options.one("preinstall")
    parts = (
        f"wanted={shlex.quote(options.version)}",
        FUNCTIONS.read_text(),
        *environment,
        before and f"doing='the command of --bootstrap-preinstall-command'\n{before}",
        # No function in front of ||: the shell would go on after the first thing that fails in it.
        f"if is_there; then :; else\n{FIX_DPKG}\n{how}\nfi",
        "trap - EXIT",
    )
    return "\n".join(filter(None, parts)) + "\n"


def _how(task: NodeTask, options: Options, facts: HostFacts | None) -> str:
    """The commands that install the client; their files have been sent."""
    if own := options.one("install"):
        return f"doing='the command of --bootstrap-install-command'\n{own}"
    if url := options.one("install_url"):
        return shlex.join(("from_script", url))
    package = task.context.package
    if package and package.url:
        target = f"{DIRECTORY}/client.deb"
        return f"{shlex.join(('download', package.url, target, f'SHA256:{package.sha256}'))}\n" + (
            f"from_package {target}"
        )
    if package and package.path:
        return f"from_package {_send(task, package.path, package.sha256)}"
    if task.context.bundle and _is_locked(options.version):
        return "apt_get install stackcook-chef-client"
    if task.context.bundle:
        what = f"the bundle has version {client.gems()['chef']} of the Chef client"
        remedy = "remove --bootstrap-version, or deploy without the bundle"
        raise NodeError(what, where=task.node.name, remedy=remedy)
    if not _is_locked(options.version):
        return _rubygems(options.version)
    prebuilt = task.context.prebuilt
    with task.context.underway.noting() as note:
        try:
            said = facts.said if facts else {}
            codename, architecture = said.get("codename", ""), said.get("arch", "")
            if said.get("id") != "debian" or not codename:
                raise NodeError("packages are built only for Debian")
            built = prebuilt.package(codename, architecture, task.say, note)
        except NodeError as error:
            task.say(f"{error}: it is compiled on the node, which takes minutes")
            return f"from_archive {_send(task, prebuilt.archive(task.say, note))}"
    return f"from_package {_send(task, built)}"


def _send(task: NodeTask, path: Path, sha256: str = "") -> str:
    """Copy a file to the node, and compare its checksum there; returns where it is."""
    context, target = task.context, f"{DIRECTORY}/client{path.suffix}"
    try:
        known = sha256 or checksum(path)
    except OSError as error:
        what = f"cannot read {path} ({error.strerror})"
        raise NodeError(what, where=task.node.name, remedy="make it readable") from error
    command = (
        f"set -e; umask 022; mkdir -p {DIRECTORY}; cat >{target}.new;"
        f" echo '{known}  {target}.new' | sha256sum --check --quiet; mv {target}.new {target}"
    )
    with context.open(task.host) as remote, context.underway.noting() as note:
        note(remote.close)
        done = as_root(remote, command, content=pieces(path), timeout=task.timeout)
    if done.status:
        what = f"cannot copy {path.name} to {target} ({done.quoted})"
        raise NodeError(what, where=task.node.name, remedy="free disk space, or correct `sha256`")
    return target


def _environment(task: NodeTask) -> Iterator[str]:
    """Lines for all commands of the script: the proxies, and certificate authorities."""
    context = task.context
    found = proxies(context.server, context.options(task.node))
    yield f"mkdir -p {DIRECTORY}"
    if proxy := found["proxy"]:
        scheme, separator, place = proxy.rpartition("://")
        if user := found["proxy_user"]:
            login = ":".join(quote(text, safe="") for text in (user, found["proxy_pass"]) if text)
            place = f"{login}@{place}"
        url = shlex.quote(f"{scheme or 'http'}://{place}")
        yield f"export http_proxy={url} https_proxy={url} HTTP_PROXY={url} HTTPS_PROXY={url}"
    if exceptions := found["no_proxy"]:
        yield f"export no_proxy={shlex.quote(exceptions)} NO_PROXY={shlex.quote(exceptions)}"
    if context.package is not None and context.package.ca_file:
        try:
            text = context.package.ca_file.read_text(errors="replace")
        except OSError as error:
            where = str(context.package.ca_file)
            what, remedy = f"cannot be read ({error.strerror})", "make it readable"
            raise NodeError(what, where=where, remedy=remedy) from error
        # beside those that the host trusts already
        yield (
            f"{{ cat /etc/ssl/certs/ca-certificates.crt 2>/dev/null || :;"
            f" printf '%s\\n' {shlex.quote(text)}; }} >{_CA}\n"
            f"export SSL_CERT_FILE={_CA} CURL_CA_BUNDLE={_CA} APT_CONFIG={DIRECTORY}/apt.conf\n"
            f"echo 'Acquire::https::CAInfo \"{_CA}\";' >{DIRECTORY}/apt.conf"
        )


def _has(task: NodeTask, version: str) -> bool:
    """Whether the client on the node is of that version, or of any if it is empty."""
    if not version:
        return True
    with task.context.open(task.host) as remote:
        done = as_root(remote, "chef-client --version", timeout=60, apart=True)
    return f"{done.output.rpartition(': ')[2].strip()}.".startswith(f"{version}.")


def _is_locked(version: str) -> bool:
    return not version or f"{client.gems()['chef']}.".startswith(f"{version}.")


def _rubygems(version: str) -> str:
    """How to install another version than the locked one: the node asks RubyGems for it."""
    version = version or client.gems()["chef"]
    wanted = version if version.count(".") >= 2 else f"~>{version}.0"
    return f"from_gems {shlex.join((f'chef:{wanted}', f'chef-bin:{wanted}'))}"
