"""Puts a policy on a Chef server that has policies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stackcook.chef.rest.answers import Conflict, NotFound, UnexpectedAnswer
from stackcook.chef.rest.client import ChefClient
from stackcook.chef.sync.changes import PolicyChange
from stackcook.chef.sync.sandbox import send_files
from stackcook.chef.repository.policylock import PolicyLock
from stackcook.errors import ChefServerError


def compare_policy(client: ChefClient, policy: PolicyLock) -> PolicyChange | None:
    """What the server lacks of a policy, if anything.

    Raises ChefServerError, also for a server without policies.
    """
    there = {
        version["identifier"]
        for known in _artifacts(client).values()
        for version in known.get("versions", ())
    }
    lacking = {key: book for key, book in policy.artifacts.items() if key not in there}
    try:
        current = client.get_map(_path(policy))
    except NotFound:
        return PolicyChange(policy, lacking, new=True)
    if not lacking and current.get("revision_id") == policy.document["revision_id"]:
        return None
    return PolicyChange(policy, lacking, new=False)


def put_policy(
    client: ChefClient,
    change: PolicyChange,
    on_event: Callable[[str], None] = lambda text: None,
) -> None:
    """Make the group have this revision of the policy.

    Cookbooks go first, so that no node sees a policy without them. Raises ChefServerError.
    """
    send_files(client, (f for book in change.artifacts.values() for f in book.files), on_event)
    for identifier, cookbook in change.artifacts.items():
        on_event(f"cookbook {cookbook.name} {cookbook.version} ({identifier[:10]})")
        body = {**cookbook.manifest(client.api_version), "name": cookbook.name}
        del body["cookbook_name"]
        try:
            path = f"/cookbook_artifacts/{cookbook.name}/{identifier}"
            client.put(path, {**body, "identifier": identifier})
        except Conflict:
            pass  # somebody has just put the same: its identifier is that of its content
    on_event(change.label)
    client.put(_path(change.policy), change.policy.document)


def _path(policy: PolicyLock) -> str:
    return f"/policy_groups/{policy.group}/policies/{policy.name}"


def _artifacts(client: ChefClient) -> Mapping[str, Any]:
    """What the server has under ``/cookbook_artifacts``: by name, the ``versions``."""
    try:
        return client.get_map("/cookbook_artifacts")
    except (NotFound, UnexpectedAnswer) as error:
        raise ChefServerError(
            "this Chef server has no policies",
            where=client.server.url,
            remedy="take `policy` out of the manifest, or name another server in `chef_server`",
        ) from error
