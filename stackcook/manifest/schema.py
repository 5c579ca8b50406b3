"""The manifest's JSON Schema (draft 7), for editors: shapes and names, not what is on disk.

Made of the reader's own constants; tests/unit/manifest/test_schema.py holds the two together.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from stackcook.manifest import nodes, sections, settings
from stackcook.manifest.model import BootstrapKind, MachineKind, Node
from stackcook.manifest.read import SECTIONS
from stackcook.manifest.fields import BOOLEANS

Schema = dict[str, Any]

_SCALAR = ["string", "number"]  # YAML reads 1.2 as a number, the manifest's reader as a text
_OCTET = r"(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4 = rf"^{_OCTET}(\.{_OCTET}){{3}}"
_MEMORY = r"^\d{1,9} *([MmGgTt]([Ii]?[Bb])?)?$"
_ENTRY = f"({nodes.RUN_LIST_ENTRY.pattern}|{nodes.RECIPE.pattern})"
_RUN_LIST = rf"^[\s,]*({_ENTRY}([\s,]+{_ENTRY})*)?[\s,]*$"
_ANY_NAME = re.compile(r".*\S.*")


def schema() -> Schema:
    """The schema, as JSON holds it."""
    known = {
        "berksfile": _berksfile(),
        "cookbooks": _cookbooks(),
        "environments": _listed(
            "Chef environments of environments/: names, sub/name, or quoted globs.",
            sections.PATTERN,
            _body({}),
            several=True,
        ),
        "roles": _listed(
            "Chef roles of roles/: names, sub/name, or quoted globs.",
            sections.PATTERN,
            _body({}),
            several=True,
        ),
        "data bags": _data_bags(),
        "nodes": _nodes("The nodes: one or several names, or a provider and a count (`ec2 3`)."),
        "clusters": _listed(
            "Nodes by environment: the cluster's name is that of its nodes' environment.",
            nodes.ENVIRONMENT,
            _nodes("The nodes of this environment."),
        ),
        "options": _words("Options of knife bootstrap, added to every node's own."),
        "knife": _knife(),
        "stackcook": _stackcook(),
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "stackcook's manifest",
        "description": "What goes on the Chef server, which nodes there are, how they are reached.",
        "type": "object",
        **_keys({name: known[name] for name in SECTIONS}),
    }


def _berksfile() -> Schema:
    keys = {
        "path": _text("The Berksfile; without it, the one beside the manifest."),
        "options": _words("Options of berks, such as `-e test`."),
    }
    about = "A Berksfile whose cookbooks are uploaded, too: null for ./Berksfile, a path, or both."
    return {"description": about, "type": ["string", "object", "null"], **_keys(keys)}


def _cookbooks() -> Schema:
    version = "An error where cookbooks/ has another version."
    keys = {
        "version": _text(version, sections.VERSION),
        "options": _words(f"{' and '.join(sections.COOKBOOK_OPTIONS)}, or both."),
    }
    return _listed("Cookbooks of cookbooks/.", sections.NAME, _body(keys))


def _data_bags() -> Schema:
    keys = {
        "items": _words("The items: names of files, sub/name, or quoted globs.", sections.PATTERN),
        "secret": _text("The file whose secret the items are encrypted with."),
    }
    return _listed("Data bags of data_bags/.", sections.NAME, _body(keys))


def _nodes(about: str) -> Schema:
    keys = {
        "run_list": _words("role[NAME] and recipe[COOKBOOK::RECIPE], a list or one text."),
        "options": _words("Options of knife bootstrap, such as `-E lab -x debian`."),
        "name": _text("The name on the Chef server; {{n}} in it is the node's number."),
        "timeout": _number(
            "Seconds that its bootstrap, or a converge, may take.", 1, nodes.LONGEST_TIMEOUT
        ),
        "additional_commands": _words(
            "Commands that `plan --format knife` prints after the node's."
        ),
        "allow_create_failure": {
            "description": "Nothing: a node that fails never stops the others.",
            "enum": [True, False, *BOOLEANS],
        },
    }
    for run_list in (keys["run_list"], keys["run_list"]["items"]):
        run_list["pattern"] = _RUN_LIST
    return _listed(about, _ANY_NAME, _body({key: keys[key] for key in nodes.KEYS}))


def _knife() -> Schema:
    run = _words("The arguments, one text for each time that it is run.")
    return _listed("knife's commands that are run last.", _ANY_NAME, run, several=True)


def _stackcook() -> Schema:
    network = rf"{_IPV4}/(3[0-2]|[12]?\d)$"
    keys = {
        "name": _text("The lab's name: machines are called NAME-NODE.", settings.NAME),
        "machines": _choice(
            "vagrant: stackcook makes the machines. ssh: they are there already.",
            [kind.value for kind in MachineKind],
        ),
        "provider": _choice("Vagrant's; by default the one that works.", settings.PROVIDERS),
        "network": _text("The management network, such as 10.0.112.0/24.", pattern=network),
        "nodes": {
            "description": "Of each node what Chef need not know.",
            "type": ["object", "null"],
            "additionalProperties": _node_settings(),
        },
        "stages": {
            **_words("Roles in the order in which their nodes converge; a list is one stage."),
            "items": {"type": [*_SCALAR, "array"], "items": {"type": _SCALAR}},
        },
        "bootstrap": _choice(
            "Who brings new nodes under Chef: stackcook itself over SSH, or knife bootstrap.",
            [kind.value for kind in BootstrapKind],
        ),
        "failure_budget": _failure_budget(),
        "chef_server": _chef_server(),
        "server_address": _address("This machine's, where the embedded Chef server listens."),
        "passwords": {
            "description": "Data bags, and their items to fill with generated passwords.",
            "type": ["object", "null"],
            "propertyNames": {"pattern": _whole(sections.NAME)},
            "additionalProperties": _words("The items.", sections.NAME),
        },
        "policy": _policy(),
    }
    about = "How machines come up, and all else that is no matter of Chef's."
    return {**_body({key: keys[key] for key in settings.KEYS}), "description": about}


def _failure_budget() -> Schema:
    amount = {"type": ["string", "integer"], "minimum": 0, "pattern": _whole(settings.BUDGET)}
    return {
        "description": "Role → how many of its nodes may fail: a number, or a percentage.",
        "type": ["object", "null"],
        "propertyNames": {"pattern": _whole(settings.ROLE)},
        "additionalProperties": amount,
    }


def _node_settings() -> Schema:
    memory = f"MiB, or with a unit as 8G; {Node.memory} if it isn't given."
    keys = {
        "address": _address("The node's IPv4 address."),
        "memory": {
            "description": memory,
            "type": ["integer", "string"],
            "minimum": settings.LEAST_MEMORY,
            "pattern": _MEMORY,
        },
        "cpus": _number(f"Processors; {Node.cpus} if it isn't given.", 1, 1024),
        "user": _text("Who SSH logs in as; root if it isn't given."),
        "key": _text("That user's private key."),
        "port": _number(f"SSH's port; {Node.port} if it isn't given.", 1, 65535),
    }
    return _body({key: keys[key] for key in settings.NODE_KEYS})


def _chef_server() -> Schema:
    keys = {
        "url": _text("https://NAME/organizations/ORGANISATION", pattern=r"^https?://\S+$"),
        "user": _text("Your name there."),
        "key": _text("Your private key there, a file."),
        "ca_file": _text("The authorities that may have signed its certificate, a file."),
    }
    about = "A Chef server of yours; without it knife's configuration, or the embedded one."
    required = ["url", "user", "key"]
    return {**_body(keys), "type": "object", "required": required, "description": about}


def _policy() -> Schema:
    keys = {
        "lock": _text("The Policyfile's lock, such as Policyfile.lock.json."),
        "group": _text("The policy group of its nodes.", settings.POLICY_GROUP),
    }
    about = "A policy that takes the place of run lists and environments."
    return {**_body(keys), "type": "object", "required": [*keys], "description": about}


def _keys(keys: Mapping[str, Schema]) -> Schema:
    return {"properties": keys, "additionalProperties": False}


def _body(keys: Mapping[str, Schema]) -> Schema:
    """What stands below a name: nothing, or these keys."""
    return {"type": ["object", "null"], **_keys(keys)}


def _listed(about: str, name: re.Pattern[str], body: Schema, *, several: bool = False) -> Schema:
    """A section: a list of names, each with or without its body, or ``several`` in one mapping."""
    pattern: Schema = {"pattern": _whole(name)}
    entry = {
        "type": [*_SCALAR, "object"],
        **pattern,
        "propertyNames": pattern,
        "minProperties": 1,
        **({} if several else {"maxProperties": 1}),
        "additionalProperties": body,
    }
    return {"description": about, "type": ["array", "null"], "items": entry}


def _text(about: str, form: re.Pattern[str] | None = None, pattern: str = r"\S") -> Schema:
    pattern = _whole(form) if form else pattern
    return {"description": about, "type": _SCALAR, "pattern": pattern}


def _words(about: str, form: re.Pattern[str] | None = None) -> Schema:
    """One text, or a list of them."""
    pattern: Schema = {"pattern": _whole(form)} if form else {}
    one = {"type": _SCALAR, "minLength": 1, **pattern}
    return {"description": about, "type": [*_SCALAR, "array", "null"], **pattern, "items": one}


def _number(about: str, least: int, most: int) -> Schema:
    return {"description": about, "type": "integer", "minimum": least, "maximum": most}


def _choice(about: str, known: Collection[str]) -> Schema:
    return {"description": about, "enum": [*known]}


def _address(about: str) -> Schema:
    return {"description": about, "type": "string", "pattern": f"{_IPV4}$"}


def _whole(form: re.Pattern[str]) -> str:
    return f"^(?:{form.pattern})$"
