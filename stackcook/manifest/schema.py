"""The manifest's JSON Schema (draft 7), for editors: structure and names, not what is on disk.

It is made of the reader's own constants; tests/unit/manifest/test_schema.py compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from stackcook.manifest import interfaces, inventory, nodes, nodesettings, sections, settings
from stackcook.manifest.model import (
    Amount,
    BootstrapKind,
    InterfaceKind,
    MachineKind,
    Node,
    Verification,
)
from stackcook.manifest.read import SECTIONS
from stackcook.manifest.runlist import RECIPE, RUN_LIST_ENTRY
from stackcook.manifest.fields import BOOLEANS, DURATION, ROLE

Schema = dict[str, Any]

_SCALAR = ["string", "number"]  # YAML reads 1.2 as a number, the manifest's reader as a text
_OCTET = r"(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4 = rf"^{_OCTET}(\.{_OCTET}){{3}}"
_IPV6 = r"^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%\w+)?$"
_NAME = r"^(\w[\w-]*\.)*(?!\d+$)\w[\w-]*$"
_RANGE = r"^[^\s\[\]]*(\[\d[\d,-]*\][^\s\[\]]*)+$"
_MEMORY = r"^\d{1,9} *([MmGgTt]([Ii]?[Bb])?)?$"
_ENTRY = f"({RUN_LIST_ENTRY.pattern}|{RECIPE.pattern})"
_RUN_LIST = rf"^[\s,]*({_ENTRY}([\s,]+{_ENTRY})*)?[\s,]*$"
_ANY_NAME = re.compile(r".*\S.*")


def schema() -> Schema:
    """The schema, as JSON holds it."""
    known = {
        "berksfile": _berksfile(),
        "cookbooks": _cookbooks(),
        "environments": _listed(
            "Environments in environments/: names, sub/name, or quoted globs.",
            sections.PATTERN,
            _body({}),
            several=True,
        ),
        "roles": _listed(
            "Roles in roles/: names, sub/name, or quoted globs.",
            sections.PATTERN,
            _body({}),
            several=True,
        ),
        "data bags": _data_bags(),
        "nodes": _nodes(
            "The nodes: names, ranges (`web[01-80]`), or a provider and a number (`ec2 3`)."
        ),
        "clusters": _listed(
            "Nodes by environment: the name of a cluster is the environment of its nodes.",
            nodes.ENVIRONMENT,
            _nodes("The nodes of this environment."),
        ),
        "options": _words("Options of knife bootstrap for all nodes."),
        "knife": _knife(),
        "stackcook": _stackcook(),
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "stackcook's manifest",
        "description": "What to upload to the Chef server, the nodes, and how to reach them.",
        "type": "object",
        **_keys({name: known[name] for name in SECTIONS}),
    }


def _berksfile() -> Schema:
    keys = {
        "path": _text("The Berksfile; by default ./Berksfile."),
        "options": _words("Options of berks, such as `-e test`."),
    }
    about = (
        "A Berksfile whose cookbooks to upload: null for ./Berksfile, a path, or path and options."
    )
    return {"description": about, "type": ["string", "object", "null"], **_keys(keys)}


def _cookbooks() -> Schema:
    version = "The version that cookbooks/ must have."
    keys = {
        "version": _text(version, sections.VERSION),
        "options": _words(f"{', '.join(sections.COOKBOOK_OPTIONS)}, or both."),
    }
    return _listed("Cookbooks in cookbooks/.", sections.NAME, _body(keys))


def _data_bags() -> Schema:
    keys = {
        "items": _words("The items: file names, sub/name, or quoted globs.", sections.PATTERN),
        "secret": _text("The file with the secret that encrypts the items."),
    }
    return _listed("Data bags in data_bags/.", sections.NAME, _body(keys))


def _nodes(about: str) -> Schema:
    keys = {
        "run_list": _words(
            "role[NAME] and recipe[COOKBOOK::RECIPE], as a list or separated by commas."
        ),
        "options": _words("Options of knife bootstrap, such as `-E lab -x debian`."),
        "name": _text("The name on the Chef server; {{n}} is replaced by the node's number."),
        "timeout": _number(
            "Time limit of its bootstrap and of each converge, in seconds.",
            1,
            nodes.LONGEST_TIMEOUT,
        ),
        "additional_commands": _words(
            "Commands that `plan --format knife` prints after those of the node."
        ),
        "allow_create_failure": {
            "description": "Has no effect: failure_budget says how many nodes may fail.",
            "enum": [True, False, *BOOLEANS],
        },
    }
    for run_list in (keys["run_list"], keys["run_list"]["items"]):
        run_list["pattern"] = _RUN_LIST
    return _listed(about, _ANY_NAME, _body({key: keys[key] for key in nodes.KEYS}))


def _knife() -> Schema:
    run = _words("The arguments, one text for each run.")
    return _listed("Commands of knife that `deploy` runs last.", _ANY_NAME, run, several=True)


def _stackcook() -> Schema:
    of_node = _node_settings()
    network = rf"{_IPV4}/(3[0-2]|[12]?\d)$"
    keys = {
        "name": _text("The lab's name: machines are called NAME-NODE.", settings.NAME),
        "machines": _choice(
            "vagrant: stackcook creates the machines (the default with a network). "
            "ssh: they already exist (the default without).",
            [kind.value for kind in MachineKind],
        ),
        "provider": _choice(
            "The Vagrant provider; by default the first one that works on this machine.",
            settings.PROVIDERS,
        ),
        "network": _text("The management network, such as 10.0.112.0/24.", pattern=network),
        "external_network": _text(
            "The network of floating IPs, such as 10.0.113.0/24.", pattern=network
        ),
        "external_interface": _text(
            "The interface of the nodes on the external network; eth1 for LXC machines.",
            pattern=_whole(interfaces.NAME),
        ),
        "nodes": {
            "description": "Address, hardware and login of each node, or of a range of nodes.",
            "type": ["object", "null"],
            "additionalProperties": _body(of_node),
        },
        "inventory": _inventory(),
        "node_defaults": {
            "description": "Role → what its nodes have if nothing nearer to them says otherwise.",
            "type": ["object", "null"],
            "propertyNames": {"pattern": _whole(ROLE)},
            "additionalProperties": _body({key: of_node[key] for key in nodesettings.ROLE_KEYS}),
        },
        "stages": {
            **_words(
                "Roles in the order in which their nodes converge; an inner list is one stage."
            ),
            "items": {"type": [*_SCALAR, "array"], "items": {"type": _SCALAR}},
        },
        "bootstrap": _choice(
            "What bootstraps new nodes: stackcook itself over SSH, or knife bootstrap.",
            [kind.value for kind in BootstrapKind],
        ),
        "failure_budget": _failure_budget(),
        "client": _client(),
        "chef_server": _chef_server(),
        "server_address": _address(
            "The address of this machine on which the embedded Chef server listens."
        ),
        "server_port": _number(
            "The port of the embedded Chef server; by default the first free one from 4545 on.",
            1,
            65535,
        ),
        "passwords": {
            "description": "Data bags, and the items of each that get generated passwords.",
            "type": ["object", "null"],
            "propertyNames": {"pattern": _whole(sections.NAME)},
            "additionalProperties": _words("The items.", sections.NAME),
        },
        "policy": _policy(),
        "verify": _verify(),
        "firewall": _choice(
            "nodes: only the nodes of the cloud may connect to the database and other internal "
            "services (the default). none: everybody may.",
            settings.FIREWALLS,
        ),
        "os_cloud": _text(
            "The cloud's name in clouds.yaml, for `openstack --os-cloud`; by default stackcook.",
            settings.OS_CLOUD,
        ),
        "snapshots_of": _snapshots_of(network),
        "tls": _tls(),
        "virtual_address": _virtual_address(),
    }
    about = "The machines, the Chef server, and how to deploy."
    return {**_body({key: keys[key] for key in settings.KEYS}), "description": about}


def _snapshots_of(network: str) -> Schema:
    keys = {
        "name": _text("Its name.", settings.NAME),
        "network": _text("Its management network.", pattern=network),
        "external_network": _text("Its external network, if it has one.", pattern=network),
    }
    about = "A cloud of the same nodes elsewhere: a deploy may begin with its snapshots, too."
    return {**_body(keys), "description": about}


def _tls() -> Schema:
    keys = {
        "mode": _choice(
            "public: public endpoints and Horizon. all: also everything between the nodes.",
            settings.TLS_MODES,
        ),
        "certificate": _text("Your own certificate, followed by those of intermediate CAs."),
        "key": _text("The private key of the certificate."),
        "ca": _text("The CA certificates that clients need; by default those of their system."),
    }
    about = "TLS for public endpoints and Horizon (public), also between the nodes (all)."
    pattern = {"pattern": f"^({'|'.join(settings.TLS_MODES)})$"}
    return {**_keys(keys), "type": ["string", "object"], **pattern, "description": about}


def _virtual_address() -> Schema:
    pattern = f"{_IPV4}$"
    return {
        "description": "The address that three controllers share; with zones, zone → address.",
        "type": ["string", "object"],
        "pattern": pattern,
        "additionalProperties": _text("The address of the zone's controllers.", pattern=pattern),
    }


def _inventory() -> Schema:
    run_list = _words("The run list of the group's hosts.")
    run_list["pattern"] = run_list["items"]["pattern"] = _RUN_LIST
    keys = {
        "file": _text("A hosts file as Ansible's, in INI format."),
        "command": {
            "description": "A program with its arguments that prints what such a file says, as "
            "JSON: [./hosts.py, --list].",
            "type": "array",
            "items": {"type": _SCALAR, "minLength": 1},
        },
        "groups": {
            "description": "Group → the run list of its hosts, which become nodes.",
            "type": ["object", "null"],
            "additionalProperties": run_list,
        },
    }
    about = "Nodes from a hosts file, or from a command that prints one."
    return {**_body({key: keys[key] for key in inventory.KEYS}), "description": about}


def _client() -> Schema:
    keys = {
        "package": _text("A Debian package: a path on this machine, or a URL for the nodes."),
        "sha256": _text("Its SHA-256; required for a URL.", settings.SHA256),
        "ca_file": _text("Certificate authorities for the downloads of the installation."),
        "interval": _duration(
            "How often chef-client runs on the nodes by itself, such as 30m; never on controllers"
            " that share a virtual_address."
        ),
        "splay": _duration("A random time of at most this is added to each wait; 5m by default."),
    }
    about = "Your own package of the Chef client; a timer that runs chef-client."
    return {**_body(keys), "description": about}


def _duration(about: str) -> Schema:
    kinds = {"type": ["string", "integer"], "minimum": 0, "pattern": _whole(DURATION)}
    return {**kinds, "description": about}


def _failure_budget() -> Schema:
    amount = {"type": ["string", "integer"], "minimum": 0, "pattern": _whole(Amount.PATTERN)}
    return {
        "description": "Role → how many of its nodes may fail, as a number or a percentage.",
        "type": ["object", "null"],
        "propertyNames": {"pattern": _whole(ROLE)},
        "additionalProperties": amount,
    }


def _node_settings() -> Mapping[str, Schema]:
    places = (_NAME, _RANGE)
    memory = f"In MiB, or with a unit: 8G; by default {Node.memory}."
    keys = {
        "address": _address(
            "The node's IP address; for existing hosts also a name; for a range of nodes also one.",
            *places,
        ),
        "ssh_address": _address(
            "Where SSH reaches an existing host if that is not its address, as behind NAT.",
            *places,
        ),
        "memory": {
            "description": memory,
            "type": ["integer", "string"],
            "minimum": nodesettings.LEAST_MEMORY,
            "pattern": _MEMORY,
        },
        "cpus": _number(f"Number of CPUs; by default {Node.cpus}.", 1, nodesettings.MOST_CPUS),
        "user": _text("The SSH user; by default that of ~/.ssh/config, else root."),
        "key": _text("The SSH user's private key; by default those that ssh would use."),
        "port": _number("The SSH port; by default that of ~/.ssh/config, else 22.", 1, 65535),
        "host_key": _text("The fingerprint of the SSH host key: SHA256:...", nodesettings.HOST_KEY),
        "interfaces": _interfaces(),
    }
    return {key: keys[key] for key in nodesettings.KEYS}


def _interfaces() -> Schema:
    """The network interfaces of a host, in netplan's words."""
    order = "Its place among the cards that match, from 1, by PCI address."
    match = {
        "name": _text("Its name on the host, or a quoted glob such as 'enp*'."),
        "macaddress": _text("Its MAC address.", pattern="^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$"),
        "speed": _text("The speed of its link in Mbit/s, or with a unit: 10G.", interfaces.SPEED),
        "order": _number(order, 1, 64),
    }
    address = _text("A network, or default.", pattern=r"^(default|[0-9A-Fa-f.:]+(/\d{1,3})?)$")
    router = _address("The address of the router.")
    metric = _number("Of several routes the one with the least metric counts.", 1, 2**31 - 1)
    route = {"to": address, "via": router, "metric": metric}
    members = _words("The interfaces that it is made of.", interfaces.NAME)
    keys: Mapping[str, Schema] = {
        "match": {
            "description": "Which network card it is; default: of this name.",
            **_body(match),
        },
        "interfaces": members,
        "mode": _choice("The mode; by default active-backup.", interfaces.MODES),
        "lacp_rate": _choice("How often LACP packets are sent.", interfaces.LACP_RATES),
        "transmit_hash_policy": _choice("How packets are spread.", interfaces.HASH_POLICIES),
        "id": _number("The VLAN's tag.", 1, interfaces.LAST_VLAN),
        "link": _text("The interface that carries the VLAN.", interfaces.NAME),
        "mtu": _number("In bytes.", interfaces.LEAST_MTU, interfaces.MOST_MTU),
        "addresses": _words("Addresses with their prefixes, such as 10.1.0.11/24; also ranges."),
        "gateway": _address("The router of the default route."),
        "routes": {
            "description": "Other routes.",
            "type": "array",
            "items": {**_keys(route), "type": "object", "required": ["to", "via"]},
        },
        "dhcp4": {"description": "Ask DHCP for an address.", "enum": [True, False, *BOOLEANS]},
    }
    about = {
        InterfaceKind.ETHERNET: "Network cards.",
        InterfaceKind.BOND: "Several interfaces that are used as one.",
        InterfaceKind.VLAN: "VLANs.",
        InterfaceKind.BRIDGE: "Bridges.",
    }
    sections = {
        kind.value: {
            "description": about[kind],
            "type": ["object", "null"],
            "propertyNames": {"pattern": _whole(interfaces.NAME)},
            "additionalProperties": _body({key: keys[key] for key in interfaces.KEYS[kind]}),
        }
        for kind in InterfaceKind
    }
    about_all = (
        "The host's network interfaces, which stackcook sets up: netplan's sections and keys."
    )
    return {**_body(sections), "description": about_all}


def _chef_server() -> Schema:
    keys = {
        "url": _text("https://NAME/organizations/ORGANISATION", pattern=r"^https?://\S+$"),
        "user": _text("Your user name on this server."),
        "key": _text("The file with that user's private key."),
        "ca_file": _text("A file with the CA certificates for TLS."),
    }
    about = "Your Chef server; by default the one in knife's configuration, or the embedded one."
    required = ["url", "user", "key"]
    return {**_body(keys), "type": "object", "required": required, "description": about}


def _policy() -> Schema:
    keys = {
        "lock": _text("The lock file of a Policyfile, such as Policyfile.lock.json."),
        "group": _text("The policy group on the Chef server.", settings.POLICY_GROUP),
    }
    about = "A policy, which replaces run lists and environments."
    return {**_body(keys), "type": "object", "required": [*keys], "description": about}


def _verify() -> Schema:
    about = (
        "What deploy and verify check: services (always), and instance: an instance on each "
        "compute node; by default if there is an external network and an image called test."
    )
    pattern = {"pattern": f"^({'|'.join(each.value for each in Verification)})$"}
    words = _words(about)
    return {**words, **pattern, "items": {**words["items"], **pattern}}


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


def _address(about: str, *others: str) -> Schema:
    pattern = "|".join((f"{_IPV4}$", _IPV6, *others))
    return {"description": about, "type": "string", "pattern": pattern}


def _whole(form: re.Pattern[str]) -> str:
    return f"^(?:{form.pattern})$"
