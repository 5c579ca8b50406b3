"""A cloud, for Python programs: deploy it, use its nodes and its APIs, destroy it."""

from __future__ import annotations

import binascii
import logging
import os
import shlex
import time
from base64 import b64decode
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from stackcook.api import deployment
from stackcook.api.down import destroy_expired
from stackcook.api.ephemeral import TTL, create, default_directory, removed_unless_deployed
from stackcook.api.manifest import load, load_deployed
from stackcook.api.record import Recorded, recorded
from stackcook.bootstrap.findings import IGNORABLE
from stackcook.bundle.archive import Bundle
from stackcook.command import Completed
from stackcook.errors import ExitCode, NodeError, RunError, UsageError
from stackcook.files import replacing
from stackcook.log import shown
from stackcook.manifest import model
from stackcook.operations.limit import of_one_zone
from stackcook.operations.site import Site
from stackcook.operations.snapshot import save, store_of
from stackcook.remote.base import Access, as_root
from stackcook.report.run import RunReport
from stackcook.run.events import Event, Listener, StepDone, StepFailed
from stackcook.run.lock import exclusive
from stackcook.snapshot.store import Snapshot
from stackcook.verify.check import Report
from stackcook.verify.clouds import DEMO, demo_cloud
from stackcook.verify.openstack import USER

if TYPE_CHECKING:
    import openstack.connection

_log = logging.getLogger(__name__)

AnyPath = str | os.PathLike[str]
MakeSite = Callable[[model.Manifest, Access, Bundle | None], Site]
"""Makes what reaches machines, Chef server and cloud: :class:`Site`, or a fake."""

_DEPLOYED = (ExitCode.DONE, ExitCode.WITHIN_BUDGET)


class Node:
    """A node of a cloud, reached over SSH as stackcook itself reaches it.

    ``name`` is its name on the Chef server. All methods raise NodeError if the node cannot be
    reached, and run as the user that SSH logs in as, or as root with ``sudo``.
    """

    def __init__(self, node: model.Node, site: Site) -> None:
        self.name = node.name
        self._node, self._site = node, site

    def __repr__(self) -> str:
        return f"<Node {self.name}>"

    @property
    def address(self) -> str:
        """The manifest's address of the node; empty if it has none."""
        return str(self._node.address or "")

    def run(
        self,
        command: str | Sequence[str],
        *,
        stdin: str = "",
        sudo: bool = False,
        timeout: float | None = None,
        check: bool = True,
    ) -> Completed:
        """Run a program, given as its arguments, or a shell script, given as a text.

        The result has ``status``, ``output`` (stdout) and ``errors`` (stderr). ``timeout`` is in
        seconds. Pass secrets by ``stdin``. Raises NodeError at the timeout and, with ``check``, if
        the status is not 0.
        """
        script = command if isinstance(command, str) else shlex.join(command)
        return self._run(script, stdin=stdin, sudo=sudo, timeout=timeout, check=check)

    def put(
        self, source: AnyPath | bytes, target: str, *, mode: int = 0o644, sudo: bool = False
    ) -> None:
        """Copy a file of this machine, or these bytes, to the path ``target`` of the node.

        The directory must exist; a file that is there is replaced as a whole. Raises OSError if
        ``source`` cannot be read.
        """
        if not isinstance(source, bytes):
            with open(source, "rb") as file:  # raises before the node does anything
                size = os.fstat(file.fileno()).st_size
                self._put(iter(partial(file.read, 1 << 20), b""), size, target, mode, sudo)
        else:
            self._put([source], len(source), target, mode, sudo)

    def _put(self, content: Iterable[bytes], size: int, target: str, mode: int, sudo: bool) -> None:
        new, path = shlex.quote(f"{target}.stackcook-new"), shlex.quote(target)
        # cat also ends if the connection is lost: half a file must not replace a whole one
        whole = f'test "$(wc -c <{new})" -eq {size}'
        script = f"umask 077 && cat >{new} && {whole} && chmod {mode:o} {new} && mv -T {new} {path}"
        self._run(f"{script} || {{ rm -f {new}; false; }}", content=content, sudo=sudo)

    def get(self, source: str, target: AnyPath | None = None, *, sudo: bool = False) -> bytes:
        """The content of the node's file ``source``; also written to ``target``, if given.

        It is held in memory. Raises NodeError if it cannot be read.
        """
        encoded = self._run(f"base64 -- {shlex.quote(source)}", sudo=sudo).output
        try:
            content = b64decode("".join(encoded.splitlines()), validate=True)
        except binascii.Error as error:
            raise NodeError(
                f"cannot copy {source} ({error})",
                where=self.name,
                remedy="remove what prints text at a login there, such as a line of ~/.bashrc",
            ) from error
        if target is not None:
            with replacing(Path(target), 0o666) as file:
                file.write(content)
        return content

    def _run(
        self,
        script: str,
        *,
        stdin: str = "",
        content: Iterable[bytes] = (),
        sudo: bool = False,
        timeout: float | None = None,
        check: bool = True,
    ) -> Completed:
        with self._site.connect(self._node) as remote:
            if sudo:
                done = as_root(
                    remote, script, stdin=stdin, timeout=timeout, apart=True, content=content
                )
            else:
                done = remote.run(script, stdin=stdin, timeout=timeout, apart=True, content=content)
        if check and done.status:
            what = f"`{shown(script)}` exited with {done.status} ({done.quoted})"
            raise NodeError(what, where=self.name)
        return done


class Cloud:
    """A deployed cloud: :meth:`deploy` or :meth:`open` makes one.

    As a context manager, it is destroyed at the end of a ``with Cloud.deploy(...)``, unless
    ``keep``; one of :meth:`open` is not. Expected errors are StackcookErrors.
    """

    def __init__(
        self,
        manifest: model.Manifest,
        site: Site,
        make_site: Callable[[model.Manifest], Site],
        *,
        keep: bool = True,
    ) -> None:
        self._manifest, self._site, self._keep = manifest, site, keep
        self._make_site = make_site

    @classmethod
    def deploy(
        cls,
        manifest: AnyPath = "infrastructure.yml",
        *,
        keep: bool = False,
        anew: bool = False,
        reset: bool = False,
        ephemeral: bool = False,
        ttl: float = TTL,
        limit: Iterable[str] = (),
        bundle: AnyPath | None = None,
        ignore: Collection[str] = (),
        set_hostnames: bool = False,
        parallel: int = 0,
        access: Access | None = None,
        on_event: Listener | None = None,
        make_site: MakeSite = Site,
    ) -> Cloud:
        """Deploy as ``stackcook deploy`` does with options of these names; returns the cloud.

        With ``ephemeral``, it is a further cloud of the manifest, with a name and networks of its
        own, which expires after ``ttl`` seconds, as `stackcook up --ephemeral` makes it. Ephemeral
        clouds that have expired are destroyed first.

        A deploy that failed before is resumed, unless ``anew``. ``reset`` replaces the machines by
        a snapshot, without asking. ``parallel`` is the most nodes at
        the same time, 0: as many as suits this machine. ``access`` has passwords for your hosts, by
        default those of the environment. ``on_event`` gets each event of
        :mod:`stackcook.run.events`. ``make_site`` makes what reaches the outside, for tests.

        Raises InputError if the manifest or the Chef repository has errors, UsageError if another
        command is running, and RunError if a step fails. Nothing is destroyed then:
        ``Cloud.deploy(error.manifest)`` resumes, ``Cloud.open(error.manifest).destroy()`` removes
        what is there. A deploy within its failure budget has not failed; :meth:`report` has the
        nodes.
        """
        if unknown := sorted({*ignore} - {*IGNORABLE}):
            remedy = f"use some of {', '.join(IGNORABLE)}"
            raise UsageError(f"unknown finding {unknown[0]}", where="ignore", remedy=remedy)
        limit = tuple(limit)
        others = {
            "anew": anew,
            "ephemeral": ephemeral,  # a new cloud has nothing to reset
            "limit": limit,
            "bundle": bundle is not None,
        }
        if reset and (wrong := [option for option, given in others.items() if given]):
            raise UsageError(f"reset and {wrong[0]} cannot be combined", remedy="omit one of them")
        login = access or Access.of_environment()
        destroy_expired(lambda found: make_site(found, login, None), _log.warning)
        path, own = Path(manifest), None
        if ephemeral:
            own = create(load(path, "deploy"), default_directory(), ttl, time.time())
            path = own.manifest
        listener = _Listener(on_event)
        with removed_unless_deployed(own):
            ready = deployment.made_ready(
                path,
                lambda found, unpacked: make_site(found, login, unpacked),
                limit=limit,
                bundle=Path(bundle) if bundle is not None else None,
                say=_log.warning,
            )
            code = deployment.deploy(
                ready,
                listener,
                anew=anew,
                reset=reset,
                ignore=ignore,
                named=set_hostnames,
                parallel=parallel,
            )
        if code not in _DEPLOYED:
            raise listener.error("deploy", code, ready.manifest)
        return cls(
            ready.manifest, ready.site, lambda found: make_site(found, login, None), keep=keep
        )

    @classmethod
    def open(
        cls,
        manifest: AnyPath = "infrastructure.yml",
        *,
        zone: str | None = None,
        access: Access | None = None,
        make_site: MakeSite = Site,
    ) -> Cloud:
        """The cloud that is deployed already; leaving its block does not destroy it.

        With ``zone``, it is the cloud of that zone of the manifest. Raises InputError if the
        manifest has errors, and UsageError if nothing is deployed, or without such a zone.
        """
        found = load_deployed(Path(manifest))
        if zone is not None:
            found = of_one_zone(found, zone)
        login = access or Access.of_environment()
        site = make_site(found, login, None)
        site.machines.prepare()  # without its network, packets would take the default route
        return cls(found, site, lambda manifest: make_site(manifest, login, None))

    def __enter__(self) -> Cloud:
        return self

    def __exit__(self, *_: object) -> None:
        if self._keep:
            self.close()
        else:
            self.destroy()

    def __repr__(self) -> str:
        return f"<Cloud {self._manifest.name} of {self._manifest.path}>"

    @property
    def name(self) -> str:
        """The name of the cloud, in the manifest or of an ephemeral one."""
        return self._manifest.name

    @property
    def manifest(self) -> Path:
        """The manifest's file."""
        return self._manifest.path

    @property
    def nodes(self) -> Mapping[str, Node]:
        """The nodes by their names, in the manifest's order."""
        return {node.name: Node(node, self._site) for node in self._manifest.nodes}

    @property
    def is_current(self) -> bool:
        """Whether the last deploy was of all nodes and succeeded, with the manifest and the Chef
        repository as they are now, and all machines run."""
        return deployment.is_current(self._manifest, self._site)

    @property
    def endpoints(self) -> Mapping[str, str]:
        """Keystone's catalog: type of service, such as ``compute``, → its public URL.

        Raises VerifyError if Keystone does not answer.
        """
        return {each.type: each.url for each in self._site.catalog() if each.interface == "public"}

    def connection(self, user: str = USER) -> openstack.connection.Connection:
        """A connection of openstacksdk, as ``admin`` or as ``demo``, by the cloud's clouds.yaml.

        Raises UsageError if openstacksdk is not installed, or if there is no such login.
        """
        try:
            import openstack
            from openstack.config.loader import OpenStackConfig
            from openstack.exceptions import ConfigException
        except ImportError as error:
            remedy = "install python3-openstacksdk (Debian) or openstacksdk (pip)"
            raise UsageError(f"openstacksdk cannot be imported ({error})", remedy=remedy) from error
        path = self._manifest.root / "clouds.yaml"
        cloud = self._manifest.os_cloud
        name = {USER: cloud, DEMO: demo_cloud(cloud)}.get(user, user)
        try:
            config = OpenStackConfig(
                config_files=[str(path)], secure_files=[], vendor_files=[], load_envvars=False
            )
            region = config.get_one(name)
        except ConfigException as error:
            remedy = "run `stackcook verify`, which writes it"
            raise UsageError(f"no login {user}: {error}", where=str(path), remedy=remedy) from error
        return openstack.connection.Connection(config=region)

    def verify(
        self,
        *,
        instance: bool | None = None,
        logs: bool = False,
        horizon: bool = False,
        patience: float = 5.0,
    ) -> Report:
        """Check the cloud as ``stackcook verify`` does with these options; look at ``report.ok``.

        ``patience`` is in seconds. Raises StackcookErrors if the checks cannot be made.
        """
        return deployment.verify(
            self._site, patience, instance=instance, logs=logs, horizon=horizon, say=_log.info
        )

    def report(self, run: int | str | None = None) -> RunReport:
        """What ``stackcook report`` shows of the last run, or of the run with this number.

        Raises UsageError if there is no such run.
        """
        return self._recorded(run).report

    def write_bundle(self, path: AnyPath, run: int | str | None = None) -> None:
        """Write the tar.gz of ``stackcook report --bundle``, for a bug report or a CI artifact.

        Raises UsageError if there is no such run, or the file cannot be written.
        """
        self._recorded(run).bundle(Path(path))

    def _recorded(self, run: int | str | None) -> Recorded:
        return recorded(self._manifest.path, None if run is None else str(run))

    @property
    def snapshots(self) -> tuple[Snapshot, ...]:
        """All snapshots of this user, the newest first, as ``stackcook snapshot list`` shows them.

        Raises UsageError if clouds of this kind have none.
        """
        return store_of(self._site).all()

    def save_snapshot(self, name: str = "", *, on_event: Listener | None = None) -> None:
        """Save the whole cloud as ``stackcook snapshot save`` does; its machines are restarted.

        The name of the snapshot is that of the cloud, unless it is given. Raises UsageError if the
        cloud cannot be saved, and RunError if a step fails.
        """
        manifest, listener = load_deployed(self.manifest), _Listener(on_event)
        with self._restarted(manifest) as site, exclusive(manifest.state, "snapshot save"):
            code = save(manifest, site, (listener,), name)
        if code is not ExitCode.DONE:
            raise listener.error("snapshot save", code, manifest)

    def reset(self, snapshot: str = "", *, on_event: Listener | None = None) -> None:
        """Throw away all changes since the snapshot, as ``stackcook snapshot restore`` does.

        Without a name, it is the snapshot that ``stackcook deploy --reset`` takes. Raises
        UsageError if there is no suitable one, and RunError if a step fails.
        """
        manifest, listener = load(self.manifest, "deploy", _log.warning), _Listener(on_event)
        with self._restarted(manifest) as site:
            ready = deployment.Ready(manifest, site, frozenset())
            code = deployment.deploy(ready, listener, reset=True, snapshot=snapshot)
        if code not in _DEPLOYED:
            raise listener.error("deploy", code, manifest)

    @contextmanager
    def _restarted(self, manifest: model.Manifest) -> Iterator[Site]:
        """A site for a run that stops the machines and the Chef server; then a new one for others.

        A site relies on what it has found running.
        """
        try:
            with closing(self._make_site(manifest)) as site:
                yield site
        finally:
            self.close()
            self._site = self._make_site(self._manifest)

    def destroy(self, *, on_event: Listener | None = None) -> None:
        """Remove the cloud and all local state, or give hosts back; asks nothing.

        Of an ephemeral cloud, the directory is deleted, too. It is no failure if something has been
        removed already. Raises RunError if a step fails.
        """
        listener = _Listener(on_event)
        code = deployment.destroy(self._manifest, self._site, listener)
        self.close()
        if code is not ExitCode.DONE:
            raise listener.error("destroy", code, self._manifest)
        self._keep = True  # the end of the block has nothing left to destroy

    def close(self) -> None:
        """End the SSH connections; the next use of a node opens them again."""
        self._site.close()


class _Listener:
    """Collects the failed steps of a run, logs each step, and passes the events on."""

    def __init__(self, on_event: Listener | None) -> None:
        self._on_event = on_event
        self._failed: list[StepFailed] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, StepDone):
            where = f"{event.node}: " if event.node else ""
            _log.info("%s%s: done in %.1f s", where, event.step, event.seconds)
        elif isinstance(event, StepFailed):
            self._failed.append(event)
            _log.warning("%s: failed: %s", event.step, event.error)
        if self._on_event:
            self._on_event(event)

    def error(self, command: str, code: ExitCode, manifest: model.Manifest) -> RunError:
        """The error for a run that ended with ``code``."""
        nodes = dict.fromkeys(event.node for event in self._failed if event.node)
        errors = [event.error for event in self._failed]
        logs = manifest.state / "logs"
        return RunError(command, code, [*nodes], errors, logs, manifest.path, manifest.name)
