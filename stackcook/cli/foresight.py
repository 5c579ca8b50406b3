"""Asks the machines and the Chef server what a plan is made of; changes neither."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from stackcook.chef.client import ChefClient
from stackcook.chef.databags import generated_bags, generated_item
from stackcook.chef.difference import compare
from stackcook.chef.repository import Repository
from stackcook.cli.chefsite import ChefSite
from stackcook.deploy import outlook
from stackcook.deploy.outlook import Creation, Deletion, Outlook
from stackcook.deploy.plan import Facts, Plan, plan, removals
from stackcook.manifest.model import ChefServer, Manifest

_OBJECTS = ("cookbooks", "environments", "roles", "data bags")


def foresee(
    manifest: Manifest,
    sections: Collection[str],
    nodes: Collection[str] | None,
    *,
    delete: bool,
    create: bool,
) -> Outlook:
    """What would be done in ``sections`` to ``nodes`` (all, if None); with both, all made anew.

    Raises InputError for a bad Chef repository, ChefServerError where a server does not answer.
    """
    repository = Repository.read(manifest)
    site = ChefSite(manifest)
    server = _server(site)
    objects = [section for section in _OBJECTS if section in sections]
    difference = outlook.everything(repository, objects)
    if server and objects:
        with ChefClient(server) as client:
            difference = compare(client, repository, sections=objects, keep=manifest.passwords)
    names = outlook.chosen(manifest, sections, nodes)
    facts = Facts()
    if names:
        asked = [node for node in manifest.nodes if node.name in names]
        facts = Facts(site.machines.states(asked), site.registered())
    deletion = creation = None
    if delete:
        gone = removals(manifest, facts, names) if names else ()
        deletion = Deletion(gone, outlook.standing(difference))
        difference, facts = outlook.everything(repository, objects), Facts()
    if create:
        creation = Creation(
            difference if objects else None,
            tuple(_passwords(manifest)) if "data bags" in sections else (),
            plan(manifest, facts, names) if names else Plan(()),
            tuple(_last(manifest)) if "knife" in sections else (),
        )
    return Outlook(server.url if server else None, deletion, creation)


def _server(site: ChefSite) -> ChefServer | None:
    """The user's Chef server, or the embedded one if it is running."""
    if site.own_server or not site.embedded.status().running:
        return site.own_server
    return site.embedded.chef_server


def _passwords(manifest: Manifest) -> Iterator[str]:
    """The passwords that a deploy would generate."""
    for bag, items in generated_bags(manifest).items():
        for item in items:
            if not generated_item(manifest, bag, item).is_file():
                yield f"{bag}/{item}"


def _last(manifest: Manifest) -> Iterator[str]:
    """The commands of the section ``knife``, which a deploy runs when all else is done."""
    for command in manifest.knife:
        for arguments in command.arguments or ("",):
            yield f"knife {command.name} {arguments}".rstrip()
