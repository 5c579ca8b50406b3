"""The sections ``nodes``, ``clusters`` and ``options``, entry by entry, as they were written."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from stackcook.errors import Position
from stackcook.manifest import options
from stackcook.manifest.document import List, Scalar, Value
from stackcook.manifest.model import Group
from stackcook.manifest.options import Options
from stackcook.manifest.shapes import Fields, Shapes, suggest
from stackcook.nearest import nearest

KEYS = "run_list options name timeout additional_commands allow_create_failure".split()
PROVIDERS = (
    "bluebox clodo cs digital_ocean ec2 gandi google hp joyent kvm linode lxc openstack "
    "rackspace vagrant vcair vsphere"
).split()
WINDOWS = ("windows_ssh", "windows_winrm")
MOST_MACHINES = 10_000
LONGEST_TIMEOUT = 86_400  # seconds: a day
RECIPE = re.compile(r"[\w.-]+(::[\w.-]+)?(@\d+(\.\d+){1,2})?", re.ASCII)
RUN_LIST_ENTRY = re.compile(rf"role\[[\w:.-]+\]|recipe\[{RECIPE.pattern}\]", re.ASCII)
ENVIRONMENT = re.compile(r"[\w-]+", re.ASCII)

_IN_VAIN = {
    "additional_commands": (
        "deploy doesn't run additional_commands",
        "run them yourself: `stackcook plan --format knife` prints them",
    ),
    "allow_create_failure": (
        "allow_create_failure has no effect",
        "remove it: a node that fails never stops the others",
    ),
}


@dataclass(frozen=True)
class Entry:
    """One entry: as written, and what stackcook makes of its run list and options."""

    group: Group
    run_list: tuple[str, ...]
    options: Options
    options_at: Position


@dataclass(frozen=True)
class Common:
    """The section ``options``: as written, what stackcook takes from it, and its place."""

    text: str = ""
    options: Options = Options()
    at: Position | None = None


@dataclass(frozen=True)
class _Kind:
    """Who the words of an entry's key are."""

    hosts: tuple[str, ...] = ()
    provider: str | None = None
    count: int = 0


def listed(shapes: Shapes, fields: Fields, seats: Collection[str]) -> Iterator[Entry]:
    """The entries of ``nodes``, then those of ``clusters``.

    A name in ``seats`` is a host's even if it is a provider's too.
    """
    if "nodes" in fields:
        yield from _entries(shapes, fields["nodes"][1], "nodes", None, seats)
    if "clusters" in fields:
        yield from _clusters(shapes, fields["clusters"][1], seats)


def _clusters(shapes: Shapes, value: Value, seats: Collection[str]) -> Iterator[Entry]:
    """Environment → list as in ``nodes``."""
    lines: dict[str, int] = {}
    for name, body in shapes.entries(value, "clusters"):
        what = f"clusters: {name.text}"
        if not ENVIRONMENT.fullmatch(name.text):
            remedy = "a cluster is called like an environment: letters, digits, `_` and `-`"
            shapes.error(name.at, f'clusters: "{name.text}" is no name', remedy)
        elif name.text in lines:
            remedy = "list its nodes there"
            first = f"first in line {lines[name.text]}"
            shapes.warning(name.at, f"{what} is there twice, {first}", remedy)
        elif _empty(body):
            shapes.warning(name.at, f"{what} has no nodes", "list them below it, or remove it")
        lines.setdefault(name.text, name.at.line)
        yield from _entries(shapes, body, what, name.text, seats)


def common(shapes: Shapes, value: Value) -> Common:
    """The section ``options``."""
    text = shapes.words(value, "options")
    found = options.parse(text)
    note_broken(shapes, value.at, "options", found.broken)
    return Common(text, found, value.at)


def note_broken(shapes: Shapes, at: Position, what: str, *reasons: str) -> None:
    """Note why options can't be read."""
    for reason in filter(None, reasons):
        shapes.error(at, f"{what}: {reason}", "write them as for knife bootstrap")


def note_unknown(shapes: Shapes, at: Position, what: str, found: Options) -> None:
    """Note the options that no ``knife bootstrap`` has."""
    for flag in found.unknown:
        what_is = f"{what}: {flag} is no option of knife bootstrap"
        shapes.warning(at, what_is, options.remedy(flag))


def _empty(value: Value) -> bool:
    return isinstance(value, Scalar) and value.null or isinstance(value, List) and not value.items


def _entries(
    shapes: Shapes, value: Value, section: str, cluster: str | None, seats: Collection[str]
) -> Iterator[Entry]:
    for key, body in shapes.entries(value, section):
        kind = _kind(shapes, key, section, seats)
        if kind is None:
            continue
        what = f"{section}: {key.text}"
        fields = _body(shapes, body, what)
        run_list = tuple(_run_list(shapes, fields, what))
        group = _group(shapes, key.at, kind, fields, what, cluster, run_list)
        at = fields["options"][1].at if "options" in fields else key.at
        entry = Entry(group, tuple(map(_canonical, run_list)), options.parse(group.options), at)
        _check(shapes, entry, fields, what)
        yield entry


def _body(shapes: Shapes, body: Value, what: str) -> Fields:
    """What stands below a key; a run list that stands there itself is noted."""
    first = body.items[0] if isinstance(body, List) and body.items else body
    if isinstance(first, Scalar) and not first.null and "[" in first.text:
        shapes.error(body.at, f"{what} is a run list", "write `run_list:` before it")
        return {}
    return shapes.fields(body, what, KEYS)


def _group(
    shapes: Shapes,
    at: Position,
    kind: _Kind,
    fields: Fields,
    what: str,
    cluster: str | None,
    run_list: tuple[str, ...],
) -> Group:
    if not fields:
        return Group(at, kind.hosts, kind.provider, kind.count, cluster=cluster)
    own = commands = name = timeout = failing = None
    if "options" in fields:
        own = shapes.words(fields["options"][1], f"{what}: options")
    if "name" in fields:
        name = shapes.text(fields["name"][1], f"{what}: name")
    if "timeout" in fields:
        value = fields["timeout"][1]
        timeout = shapes.number(value, f"{what}: timeout", 1, LONGEST_TIMEOUT)
    if "additional_commands" in fields:
        value = fields["additional_commands"][1]
        commands = shapes.texts(value, f"{what}: additional_commands", "COMMAND")
    if "allow_create_failure" in fields:
        value = fields["allow_create_failure"][1]
        failing = shapes.boolean(value, f"{what}: allow_create_failure")
    return Group(
        at=at,
        hosts=kind.hosts,
        provider=kind.provider,
        count=kind.count,
        run_list=run_list,
        options=own or "",
        cluster=cluster,
        name=name,
        timeout=timeout,
        additional_commands=tuple(command.text for command in commands or ()),
        allow_create_failure=bool(failing),
    )


def _check(shapes: Shapes, entry: Entry, fields: Fields, what: str) -> None:
    """Note what an entry's keys and options say against each other, or in vain."""
    group, found, at = entry.group, entry.options, entry.options_at
    where = f"{what}: options"
    note_broken(shapes, at, where, found.broken, "" if group.provider else found.faulty)
    if group.cluster and found.environment not in (None, group.cluster):
        problem = f"environment {found.environment} in the cluster {group.cluster}"
        shapes.error(at, f"{where}: {problem}", "a cluster is an environment: leave -E out")
    if not group.provider:
        note_unknown(shapes, at, where, found)
    for key, (problem, remedy) in _IN_VAIN.items():
        if key in fields:
            shapes.warning(fields[key][0].at, f"{what}: {problem}", remedy)


def _kind(shapes: Shapes, key: Scalar, section: str, seats: Collection[str]) -> _Kind | None:
    """What one key lists; ``None`` once it is noted that it is nothing."""
    first, *rest = words = key.text.split()
    if len(words) == 1 and first in seats:
        return _Kind((first,))
    if first in PROVIDERS:
        return _cloud(shapes, key, section, first, rest)
    if first in WINDOWS:
        if not rest:
            shapes.error(key.at, f"{section}: {first} has no hosts", f"write `- {first} HOST:`")
        return _Kind(tuple(rest), first) if rest else None
    if first.startswith("windows_") or first == "windows" and rest:
        meant = first if "_" in first else f"windows_{rest[0]}"
        shapes.error(key.at, f'{section}: "{first}" is no provider', suggest(meant, WINDOWS))
        return None
    if len(rest) == 1 and rest[0].isdigit():
        what = f'{section}: "{first}" is no provider that could make {rest[0]} machines'
        shapes.error(key.at, what, suggest(first, PROVIDERS, most=len(PROVIDERS)))
        return None
    return _Kind(tuple(words))


def _cloud(
    shapes: Shapes, key: Scalar, section: str, provider: str, words: list[str]
) -> _Kind | None:
    """A provider with how many machines it is to make (one, if it doesn't say), or their names."""
    google = provider == "google"
    if google and words and not words[0].isdigit():
        return _Kind(tuple(words), provider)
    number = words[0] if words else "" if google else "1"
    good = number.isascii() and number.isdigit() and len(number) < 9
    if len(words) < 2 and good and 1 <= int(number) <= MOST_MACHINES:
        return _Kind((), provider, int(number))
    remedy = f"write how many machines it is to make, 1 to {MOST_MACHINES}: `- {provider} 3:`"
    if google:
        remedy += ", or their names"
    shapes.error(key.at, f'{section}: "{key.text}" is no provider and a count', remedy)
    return None


def _run_list(shapes: Shapes, fields: Fields, what: str) -> Iterator[str]:
    """The entries of a run list as written; blanks and commas between them are all alike."""
    if "run_list" not in fields:
        return
    for text in shapes.texts(fields["run_list"][1], f"{what}: run_list"):
        for entry in text.text.replace(",", " ").split():
            if RUN_LIST_ENTRY.fullmatch(entry) or RECIPE.fullmatch(entry):
                yield entry
            else:
                shapes.error(text.at, f'{what}: run_list has "{entry}"', _run_list_remedy(entry))


def _run_list_remedy(entry: str) -> str:
    kind, bracket, name = entry.partition("[")
    near = nearest(kind.lower(), ("role", "recipe")) if bracket else ""
    meant = f"{near}[{name.rstrip(']')}]"
    if near and RUN_LIST_ENTRY.fullmatch(meant):
        return f'did you mean "{meant}"?'
    return "write role[NAME] or recipe[COOKBOOK::RECIPE]"


def _canonical(entry: str) -> str:
    """A run list's entry as Chef shows it: a bare name is a recipe's."""
    return entry if entry.endswith("]") else f"recipe[{entry}]"
