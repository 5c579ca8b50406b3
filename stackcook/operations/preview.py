"""Asks the machines and the Chef server what a plan depends on; changes neither."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

from stackcook.bundle.archive import Bundle
from stackcook.chef.objects.attributes import values_set
from stackcook.chef.objects.databags import generated_bags, generated_item
from stackcook.chef.repository.repository import Repository
from stackcook.chef.rest.client import ChefClient
from stackcook.chef.sync.changes import Difference
from stackcook.chef.sync.compare import compare
from stackcook.chef.sync.prune import named
from stackcook.errors import MachineError, StackcookError, UsageError
from stackcook.knife import Form
from stackcook.knife.objects import knife
from stackcook.manifest.model import EXTERNAL_ATTRIBUTES, ChefServer, Manifest
from stackcook.operations.chefsite import ChefSite
from stackcook.operations import converge
from stackcook.operations.deploy import deploy_plan, observe
from stackcook.operations.destroy import destroy_plan, removals
from stackcook.operations.shared import Facts
from stackcook.operations.snapshot import Wish, restored, start_of
from stackcook.remote.base import Access
from stackcook.run import preview
from stackcook.run.plan import Plan
from stackcook.run.preview import Creation, Deletion, Preview
from stackcook.run.record import last_deploy

_OBJECTS = ("cookbooks", "environments", "roles", "data bags")


def preview_of(
    manifest: Manifest,
    wanted: Form,
    access: Access = Access(),
    bundle: Bundle | None = None,
    *,
    reset: bool = False,
) -> Preview:
    """What ``deploy`` (or ``destroy``) would do in the wanted sections, to the wanted nodes.

    ``bundle`` has the packages of the nodes, if it is given; ``reset`` is as for a deploy. Raises
    InputError for a bad Chef repository, ChefServerError where a server does not answer, and
    UsageError if there is no snapshot to reset to.
    """
    readable = tuple(bag for bag in manifest.data_bags if not bag.secret or bag.secret.is_file())
    manifest = replace(manifest, data_bags=readable)  # the others could not be compared
    site = ChefSite(manifest, access, bundle)
    site.check()
    warnings: list[str] = []
    _note(warnings, site.check_providers)
    server, unasked = site.running_server, ""
    if server and not server.key.is_file():
        unasked = f"the key {server.key} for the Chef server {server.url} does not exist"
        server = None
    objects = [section for section in _OBJECTS if section in wanted.sections]
    names = preview.chosen(manifest, wanted.sections, wanted.nodes)
    nodes = tuple(node for node in manifest.nodes if node.name in names)
    unknown = Facts(recipes=site.recipes_to_prepare(nodes), bundled=bundle is not None)
    facts = unknown
    if names and not unasked:
        last, digest, now = last_deploy(manifest.state), site.digest(), time.time()
        try:
            facts = observe(manifest, site, names, last and last.resumable(digest, now))
        except (MachineError, UsageError) as error:
            warnings.append(f"cannot inspect the machines: {error}")
        else:
            wish = Wish(reset, partly=bundle is not None or len(nodes) < len(manifest.nodes))
            if start := start_of(manifest, site, facts.machines, digest, now, wish):
                facts = restored(facts, manifest, start)
    if reset and facts.start:
        server, unasked = None, "the Chef server is restored from the snapshot"
    if bundle and (without := [node.name for node in nodes if not bundle.nodes.get(node.name)]):
        warnings.append(f"the bundle has no packages of {', '.join(without)}: write it again")
    deletion = creation = None
    if wanted.delete:
        gone = _gone(server, site.repository, objects)
        deletion = _deletion(manifest, wanted, facts, names, gone)
        facts = unknown  # what is created then finds nothing
    if wanted.create:
        before = None if wanted.delete else server
        anew = deletion is not None and deletion.state is not None
        creation = Creation(
            _difference(before, site.repository, objects, manifest.passwords),
            tuple(_passwords(manifest, anew=anew)) if "data bags" in wanted.sections else (),
            deploy_plan(manifest, facts, names) if names else Plan("deploy"),
            nodes,
            knife(manifest) if "knife" in wanted.sections else (),
        )
    notes: list[str] = []
    if creation and names:
        notes += filter(None, [_no_external_network(manifest, site.repository)])
    if creation and wanted.nodes is None and not wanted.delete:
        notes += map(_unlisted, site.unlisted())
    url = server.url if server else None
    return Preview(url, deletion, creation, unasked, tuple(warnings), tuple(notes))


def _deletion(
    manifest: Manifest,
    wanted: Form,
    facts: Facts,
    names: Collection[str],
    objects: tuple[str, ...],
) -> Deletion:
    """What is deleted of these nodes and the Chef server's ``objects``, or of the whole cloud."""
    nodes = removals(manifest, facts, names) if names else ()
    if wanted.nodes is not None or not {"nodes", "clusters"}.issubset(wanted.sections):
        return Deletion(nodes, objects)
    state = manifest.state if manifest.state.is_dir() else None
    return Deletion(nodes, objects, state, destroy_plan(manifest))


def _unlisted(node: str) -> str:
    remedy = f"`stackcook node remove {node}` takes it out of the cloud"
    return f"the Chef server still has {node}, which is not in the manifest: {remedy}"


def _no_external_network(manifest: Manifest, repository: Repository) -> str:
    """What it means that there is none; empty if a role or an environment has its attribute."""
    for found in (*repository.roles.values(), *repository.environments.values()):
        if any(values_set(found, EXTERNAL_ATTRIBUTES[1])):
            return ""
    return manifest.no_external_network


def _note(warnings: list[str], check: Callable[[], None]) -> None:
    """Add what ``check`` raises: this machine could not deploy, but it can plan."""
    try:
        check()
    except StackcookError as error:
        warnings.append(str(error))


def preview_of_converge(manifest: Manifest, wanted: Form) -> Preview:
    """What ``converge`` would do to the wanted nodes; contacts no machine."""
    names = preview.chosen(manifest, wanted.sections, wanted.nodes)
    nodes = tuple(node for node in manifest.nodes if node.name in names)
    plan = Plan("converge")
    if names:
        facts = converge.observe(manifest, ChefSite(manifest), names)
        plan = converge.converge_plan(manifest, facts, names)
    return Preview(None, creation=Creation(plan=plan, nodes=nodes))


def _gone(
    server: ChefServer | None, repository: Repository, objects: Collection[str]
) -> tuple[str, ...]:
    """What the server has of ``objects``."""
    if not server or not objects:
        return ()
    with ChefClient(server) as client:
        return tuple(each.label for each in named(client, repository, objects))


def _difference(
    server: ChefServer | None,
    repository: Repository,
    objects: Collection[str],
    keep: Collection[str],
) -> Difference | None:
    """What the server lacks of ``objects``; everything, if there is none."""
    if not objects:
        return None
    if not server:
        return preview.everything(repository, objects)
    with ChefClient(server) as client:
        return compare(client, repository, sections=objects, keep=keep)


def _passwords(manifest: Manifest, *, anew: bool) -> Iterator[str]:
    """The passwords that a deploy would generate: those that are missing, or all ``anew``."""
    for bag, items in generated_bags(manifest).items():
        for item in items:
            if anew or not generated_item(manifest, bag, item).is_file():
                yield f"{bag}/{item}"
