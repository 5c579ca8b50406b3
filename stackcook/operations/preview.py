"""Asks the machines and the Chef server what a plan is made of; changes neither."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from stackcook.chef.objects.databags import generated_bags, generated_item
from stackcook.chef.rest.client import ChefClient
from stackcook.chef.sync.difference import Difference, compare
from stackcook.chef.sync.prune import named
from stackcook.chef.repository.repository import Repository
from stackcook.operations.chefsite import ChefSite
from stackcook.run import outlook
from stackcook.knife import Form
from stackcook.knife.files import Files
from stackcook.knife.objects import knife
from stackcook.run.outlook import Creation, Deletion, Outlook
from stackcook.run.plan import Facts, Plan, plan, removals
from stackcook.manifest.model import ChefServer, Manifest

_OBJECTS = ("cookbooks", "environments", "roles", "data bags")


def foresee(manifest: Manifest, wanted: Form) -> Outlook:
    """What would be done in the wanted sections, to the wanted nodes.

    Raises InputError for a bad Chef repository, ChefServerError where a server does not answer.
    """
    repository = Repository.read(manifest)
    site = ChefSite(manifest)
    server = site.running_server
    objects = [section for section in _OBJECTS if section in wanted.sections]
    names = outlook.chosen(manifest, wanted.sections, wanted.nodes)
    facts = _facts(manifest, site, names)
    deletion = creation = state = None
    if wanted.delete:
        if wanted.nodes is None and {"nodes", "clusters"}.issubset(wanted.sections):
            state = manifest.state if manifest.state.is_dir() else None
        gone = _gone(server, repository, objects)
        deletion = Deletion(removals(manifest, facts, names) if names else (), gone, state)
        facts = Facts()
    if wanted.create:
        before = None if wanted.delete else server
        bags = "data bags" in wanted.sections
        creation = Creation(
            _difference(before, repository, objects, manifest.passwords),
            tuple(_passwords(manifest, anew=state is not None)) if bags else (),
            plan(manifest, facts, names) if names else Plan(()),
            knife(manifest, Files()).create if "knife" in wanted.sections else (),
        )
    return Outlook(server.url if server else None, deletion, creation)


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
        return outlook.everything(repository, objects)
    with ChefClient(server) as client:
        return compare(client, repository, sections=objects, keep=keep)


def _facts(manifest: Manifest, site: ChefSite, names: Collection[str]) -> Facts:
    if not names:
        return Facts()
    nodes = [node for node in manifest.nodes if node.name in names]
    return Facts(site.machines.states(nodes), site.registered())


def _passwords(manifest: Manifest, *, anew: bool) -> Iterator[str]:
    """The passwords that a deploy would generate: those that are missing, or all ``anew``."""
    for bag, items in generated_bags(manifest).items():
        for item in items:
            if anew or not generated_item(manifest, bag, item).is_file():
                yield f"{bag}/{item}"
