"""``stackcook upload``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import click

from stackcook.chef.repository.repository import parse_sections
from stackcook.chef.sync import prune
from stackcook.chef.sync.changes import Gone
from stackcook.chef.sync.compare import compare
from stackcook.chef.sync.upload import UploadResult, apply, marked
from stackcook.cli.context import Context, only_option
from stackcook.cli.help import Command
from stackcook.errors import ExitCode, UsageError
from stackcook.manifest.model import Manifest
from stackcook.operations.chefsite import ChefSite


@dataclass(frozen=True)
class _Wishes:
    """The options, by their names."""

    only: tuple[str, ...]
    freeze: bool
    force: bool
    prune: bool
    keep: int | None
    delete: bool
    yes: bool


@click.command(
    cls=Command,
    examples="""
    stackcook upload
    # only the cookbooks
    stackcook upload --only cookbooks
    # also delete what the manifest no longer has
    stackcook upload --prune
    """,
)
@only_option
@click.option("--freeze", is_flag=True, help="Freeze the uploaded cookbook versions.")
@click.option("--force", is_flag=True, help="Replace frozen cookbooks too.")
@click.option("--prune", is_flag=True, help="Delete objects that are not in the manifest.")
@click.option(
    "--keep",
    type=click.IntRange(1),
    metavar="N",
    help="Delete all but the N newest versions of each cookbook.",
)
@click.option(
    "--delete", is_flag=True, help="Delete the objects of the manifest instead of uploading them."
)
@click.option(
    "--yes",
    is_flag=True,
    help="Do not ask before deleting. Without a terminal, --prune and --keep never ask;"
    " --delete requires --yes.",
)
@click.pass_obj
def command(context: Context, **options: object) -> ExitCode:
    """Upload cookbooks, roles, environments and data bags to the Chef server.

    Starts the embedded Chef server if no other is configured, generates missing passwords, and
    sends only what differs. Other objects on the server are kept, unless you use --prune or --keep.
    Cookbook versions that an environment needs are never deleted.
    """
    wishes = _Wishes(**options)  # type: ignore[arg-type]  # click has checked the types
    if wishes.delete and (wishes.freeze or wishes.force or wishes.prune or wishes.keep):
        raise UsageError(
            "--delete cannot be combined with --freeze, --force, --prune or --keep",
            remedy="omit these, or --delete",
        )
    manifest = context.load("upload", warn=True)
    site = ChefSite(manifest)
    site.check()
    if wishes.prune and (used := site.repository.on_server):
        raise UsageError(
            f"--prune would delete what the manifest uses, but only the server has: "
            f"{', '.join(used)}",
            remedy="add it to the manifest, or omit --prune",
        )
    site.reach()
    return (_delete if wishes.delete else _upload)(context, manifest, site, wishes)


def _upload(context: Context, manifest: Manifest, site: ChefSite, wishes: _Wishes) -> ExitCode:
    sections, say = parse_sections(wishes.only), context.console.note
    site.secrets()
    site.prepare()
    _warn(context, site)
    repository = marked(site.repository, freeze=wishes.freeze, force=wishes.force)
    difference = compare(site.client, repository, sections=sections, keep=manifest.passwords)
    gone = difference.gone if wishes.prune else ()
    if wishes.keep:
        chosen = repository.select(sections)
        gone = (*gone, *prune.superseded(site.client, chosen, wishes.keep))
    _confirm(context, gone, wishes, alone=False)
    result = apply(site.client, difference, on_event=say)
    result = replace(result, deleted=prune.delete(site.client, gone, on_event=say))
    if result.changed:
        site.settle()
    context.console.result(f"{site.server.url}: {result}", result.data())
    return ExitCode.DONE


def _delete(context: Context, manifest: Manifest, site: ChefSite, wishes: _Wishes) -> ExitCode:
    site.prepare()
    _warn(context, site)
    gone = prune.named(site.client, site.repository, parse_sections(wishes.only))
    _confirm(context, gone, wishes, alone=True)
    deleted = prune.delete(site.client, gone, on_event=context.console.note)
    site.settle()
    result = UploadResult(deleted=deleted)
    context.console.result(f"{site.server.url}: {len(deleted)} deleted", result.data())
    return ExitCode.DONE


def _confirm(context: Context, gone: Sequence[Gone], wishes: _Wishes, *, alone: bool) -> None:
    """Ask the user; raises UsageError if they decline.

    Without a terminal, only deletion ``alone`` needs --yes.
    """
    if not gone or wishes.yes:
        return
    if not sys.stdin.isatty():
        if alone:
            raise UsageError("cannot ask for confirmation without a terminal", remedy="add --yes")
        return
    for each in gone:
        context.console.note(f"will be deleted: {each.label}")
    what = "this object" if len(gone) == 1 else f"these {len(gone)} objects"
    if not click.confirm(f"Delete {what} from the Chef server?", err=True):
        raise UsageError("nothing was deleted or uploaded")


def _warn(context: Context, site: ChefSite) -> None:
    if not site.server.verify:
        what = (
            "the TLS certificate is not verified because of ssl_verify_mode; set it to :verify_peer"
        )
        context.console.note(f"{site.server.url}: warning: {what}")
