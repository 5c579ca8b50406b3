"""Checks that everything the repository's objects refer to exists, in a suitable version."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from stackcook.chef.checks.syntax import Use
from stackcook.chef.loader.findings import Findings, suggestion
from stackcook.chef.loader.sources import Sources
from stackcook.chef.objects import metadata
from stackcook.chef.objects.cookbook import Cookbook
from stackcook.chef.objects.runlist import RunListItem, cookbooks_of, entries, run_list_for
from stackcook.client import gems
from stackcook.errors import Position
from stackcook.manifest.model import Manifest


_ONE_COLON = re.compile(r"(?<!:):(?!:)")


@dataclass(frozen=True)
class Known:
    """The names that may be referred to, and their files, even if they could not be read.

    A cookbook without metadata is only in ``cookbook_names``. ``complete`` is false if vendoring
    failed, so that the manifest may provide more cookbooks than these. What the manifest names is
    known even if its file is missing: that has been reported.
    """

    cookbooks: Mapping[str, Cookbook]
    cookbook_files: Mapping[str, Path]
    cookbook_names: Collection[str]
    complete: bool
    role_files: Mapping[str, Path]
    environment_files: Mapping[str, Path]
    role_names: Collection[str]
    environment_names: Collection[str]

    def lacks(self, cookbook: str) -> bool:
        """Whether the cookbook certainly does not exist."""
        return self.complete and cookbook not in self.cookbook_names


Names = Mapping[str, Mapping[str, Collection[str]]]
"""Kind (``cookbook``, ``environment``, ``role``) → name → versions; only cookbooks have any."""


@dataclass(frozen=True)
class OwnServer:
    """The user's own Chef server, which may have what the repository lacks.

    ``names`` asks it, and raises ChefServerError; None for ``check``, which contacts no server.
    """

    url: str
    names: Callable[[], Names] | None = None


FindServer = Callable[[], OwnServer | None]
"""Gives the user's own Chef server; None if the embedded one is used, which has nothing more."""


@dataclass(frozen=True)
class Problem:
    """A problem with a name and its remedy; ``warning`` if the name may be right."""

    what: str
    remedy: str
    warning: bool = False


class References:
    """Checks the names and versions in the repository's objects; each distinct name only once.

    The user's own server is looked for, and asked, only if something is not in the repository.
    """

    def __init__(
        self,
        manifest: Manifest,
        known: Known,
        sources: Sources,
        findings: Findings,
        find_server: FindServer,
    ) -> None:
        self._manifest = manifest
        self._known = known
        self._sources = sources
        self._findings = findings
        self._entry = cache(self._check_entry)
        self._environment = cache(self._check_environment)
        self._needed = cache(self._cookbooks_needed)
        self._find_server = find_server
        self._on_server: dict[str, None] = {}
        # By name, as their files have them; empty for a file that can't be read.
        self._roles = {n: sources.values.get(path, {}) for n, path in known.role_files.items()}

    def check(self, uses: Mapping[Path, Iterable[Use]]) -> tuple[str, ...]:
        """Add a finding for each problem; the objects that only the server has: ``role web``, …

        ``uses`` are what recipes refer to, by their files.
        """
        self._check_nodes()
        for name, role in self._roles.items():
            self._check_role(self._known.role_files[name], role)
        self._check_cycles("roles", self._known.role_files, self._graphs())
        cookbooks = self._known.cookbooks
        for name, cookbook in cookbooks.items():
            self._check_dependencies(name)
            for file in cookbook.files:
                for use in uses.get(file.source, ()):
                    self._check_use(cookbook, file.source, use)
        graph = {name: list(cookbook.dependencies) for name, cookbook in cookbooks.items()}
        self._check_cycles("cookbooks", self._known.cookbook_files, [graph])
        for environment, path in self._known.environment_files.items():
            self._check_pins(environment, path)
        self._check_client()
        return tuple(self._on_server)

    def _check_nodes(self) -> None:
        found: dict[tuple[Position, Problem], list[str]] = {}  # nodes of one entry share problems
        for node in self._manifest.nodes:
            if node.policy_name:
                continue
            if problem := self._environment(node.environment):
                found.setdefault((node.environment_at or node.at, problem), []).append(node.name)
            for problem in filter(None, map(self._entry, node.run_list)):
                found.setdefault((node.at, problem), []).append(node.name)
        for (at, problem), (name, *others) in found.items():
            nodes = f"{name} and {len(others)} more" if others else name
            self._add(self._manifest.path, problem, at, f"{nodes}: ")

    def _check_role(self, path: Path, role: Mapping[str, Any]) -> None:
        for keys, item in entries(role):
            if problem := self._entry(str(item)):
                self._add(path, problem, self._sources.place(path, *keys))
        lists = role.get("env_run_lists")
        for environment in lists if isinstance(lists, Mapping) else ():
            if problem := self._environment(environment):
                at = self._sources.place(path, "env_run_lists", environment)
                self._add(path, replace(problem, warning=True), at)

    def _check_dependencies(self, name: str) -> None:
        path = self._known.cookbook_files[name]
        for other, wanted in self._known.cookbooks[name].dependencies.items():
            cookbook = self._known.cookbooks.get(other)
            if self._known.lacks(other):
                what = f'{name} depends on "{other}", which is not in the manifest'
                remedy = self._cookbook_remedy(other)
            elif cookbook and not metadata.satisfies(cookbook.version, wanted):
                what = f"{name} depends on {other} {wanted}, but cookbooks/ has {cookbook.version}"
                remedy = "change the constraint or the cookbook's version"
            else:
                continue
            if problem := self._unless_on_server(Problem(what, remedy), "cookbook", other, wanted):
                self._add(path, problem, self._sources.place(path, "dependencies", other))

    def _check_use(self, cookbook: Cookbook, path: Path, use: Use) -> None:
        """Check what a recipe refers to: an error if the recipe certainly fails."""
        if use.kind == "recipe":
            problem = self._used_recipe(use.recipe(cookbook.name))
        elif use.kind not in ("template", "file"):
            return  # only apt knows which packages there are
        else:
            name = use.cookbook or cookbook.name
            problem = None if "*" in name else self._entry_cookbook(name)
            if not problem and (there := self._known.cookbooks.get(name)):
                problem = _used_file(there, use)
        if problem:
            own = path.is_relative_to(self._manifest.root / "cookbooks")
            certain = use.certain and own  # a vendored cookbook has unused recipes
            problem = replace(problem, warning=problem.warning or not certain)
            self._add(path, problem, Position(use.line, use.column))

    def _used_recipe(self, name: str) -> Problem | None:
        cookbook, _, recipe = name.partition("::")
        if "*" not in name:
            return self._entry(f"recipe[{name}]")
        if "*" in cookbook:
            return None
        problem = self._entry_cookbook(cookbook)
        there = self._known.cookbooks.get(cookbook)
        if problem or not there or any(fnmatchcase(each, name) for each in there.recipes):
            return problem
        return Problem(f'cookbook {cookbook} has no recipe that matches "{name}"', "create one")

    def _graphs(self) -> Iterator[Mapping[str, list[str]]]:
        """Role → the roles in its run list, for each environment that has its own run lists."""
        named = (role.get("env_run_lists") for role in self._roles.values())
        environments = {key for lists in named if isinstance(lists, Mapping) for key in lists}
        for environment in ("_default", *sorted(environments - {"_default"})):
            yield {
                name: [item.name for item in run_list_for(role, environment) if item.kind == "role"]
                for name, role in self._roles.items()
            }

    def _check_cycles(
        self, kind: str, files: Mapping[str, Path], graphs: Iterable[Mapping[str, list[str]]]
    ) -> None:
        for cycle in dict.fromkeys(cycle for graph in graphs for cycle in cycles(graph)):
            path, following = files[cycle[0]], cycle[1 % len(cycle)]
            verb = "include" if kind == "roles" else "depend on"
            what = f"{kind} {verb} each other: {' -> '.join((*cycle, cycle[0]))}"
            self._add(path, Problem(what, "break the cycle"), self._place_of(path, following))

    def _check_pins(self, environment: str, path: Path) -> None:
        """Check that the repository satisfies each of the environment's ``cookbook_versions``.

        A pin that no cookbook satisfies is an error if a node of the environment needs the
        cookbook, otherwise a warning.
        """
        pins = self._sources.values.get(path, {}).get("cookbook_versions")
        for name, wanted in pins.items() if isinstance(pins, Mapping) else ():
            at = self._sources.place(path, "cookbook_versions", name)
            try:
                constraint = metadata.constraint(wanted)
            except ValueError:
                continue  # it has been reported as a fault of the environment
            cookbook = self._known.cookbooks.get(name)
            if cookbook and not metadata.satisfies(cookbook.version, constraint):
                what = f"the pin is {name} {constraint}, but cookbooks/ has {cookbook.version}"
            elif self._known.lacks(name):
                what = f"the pin is {name} {constraint}, but the cookbook is not in the manifest"
            else:
                continue
            if node := self._needed(environment).get(name):
                problem = Problem(what, f"change the pin; {node} needs the cookbook")
            else:
                remedy = "change the pin if a node should use this cookbook"
                problem = Problem(what, remedy, warning=True)
            if left := self._unless_on_server(problem, "cookbook", name, constraint):
                self._add(path, left, at)

    def _cookbooks_needed(self, environment: str) -> Mapping[str, str]:
        """Cookbook → the first node of that environment that needs it."""
        cookbooks = self._known.cookbooks.items()
        dependencies = {name: cookbook.dependencies for name, cookbook in cookbooks}
        users: dict[tuple[str, ...], str] = {}
        for node in self._manifest.nodes:
            if node.environment == environment:
                users.setdefault(node.run_list, node.name)
        found: dict[str, str] = {}
        for run_list, node_name in users.items():
            for name in cookbooks_of(run_list, environment, self._roles, dependencies):
                found.setdefault(name, node_name)
        return found

    def _check_client(self) -> None:
        """Warn of cookbooks whose ``chef_version`` excludes the client that nodes get."""
        client = gems()["chef"]
        for name, cookbook in self._known.cookbooks.items():
            wanted = cookbook.metadata["chef_versions"]
            if not metadata.suits(client, wanted):
                path = self._known.cookbook_files[name]
                asked = " or ".join(", ".join(each) for each in wanted)
                what = f"{name} requires Chef {asked}, but nodes get Chef {client}"
                remedy = "use a version of the cookbook that supports this client"
                problem = Problem(what, remedy, warning=True)
                self._add(path, problem, self._sources.place(path, "chef_versions"))

    def _place_of(self, path: Path, name: str) -> Position | None:
        """The position at which a role's or a cookbook's file names another one."""
        for keys, item in entries(self._sources.values.get(path, {})):
            if item == RunListItem("role", name):
                return self._sources.place(path, *keys)
        return self._sources.place(path, "dependencies", name)

    def _add(self, path: Path, problem: Problem, at: Position | None, who: str = "") -> None:
        add = self._findings.warning if problem.warning else self._findings.error
        add(path, at, f"{who}{problem.what}", problem.remedy)

    def _check_environment(self, name: str) -> Problem | None:
        known = self._known.environment_names
        if name == "_default" or name in known:
            return None
        remedy = suggestion(name, known, "add it to `environments`")
        problem = Problem(f'environment "{name}" is not in the manifest', remedy)
        return self._unless_on_server(problem, "environment", name)

    def _check_entry(self, entry: str) -> Problem | None:
        try:
            item = RunListItem.parse(entry)
        except ValueError as error:
            return Problem(str(error), "correct the run list")
        if item.kind == "role":
            roles = self._known.role_names
            if item.name in roles:
                return None
            remedy = suggestion(item.name, roles, "add it to `roles`")
            problem = Problem(f'role "{item.name}" is not in the manifest', remedy)
            return self._unless_on_server(problem, "role", item.name)
        if _ONE_COLON.search(item.name):
            meant = _ONE_COLON.sub("::", item.name)
            return Problem(f'invalid run list entry "{entry}"', f'did you mean "recipe[{meant}]"?')
        name = item.name.split("::")[0]
        wanted = f"= {item.version}" if item.version else metadata.ANY_VERSION
        if self._known.lacks(name):
            return self._entry_cookbook(name, wanted)
        cookbook = self._known.cookbooks.get(name)
        if cookbook and item.version and metadata.version(item.version) != cookbook.version:
            what = f"the run list has {name} {item.version}, but cookbooks/ has {cookbook.version}"
            problem = Problem(what, "use the same version")
            return self._unless_on_server(problem, "cookbook", name, wanted)
        if cookbook and item.name not in cookbook.recipes:
            remedy = suggestion(item.name, cookbook.recipes, "create it")
            return Problem(f'cookbook {name} has no recipe "{item.name}"', remedy)
        return None

    def _entry_cookbook(self, name: str, wanted: str = "") -> Problem | None:
        """The problem if there is no such cookbook."""
        if not self._known.lacks(name):
            return None
        what = f'cookbook "{name}" is not in the manifest'
        problem = Problem(what, self._cookbook_remedy(name))
        return self._unless_on_server(problem, "cookbook", name, wanted)

    def _unless_on_server(
        self, problem: Problem, kind: str, name: str, wanted: str = ""
    ) -> Problem | None:
        """The problem, unless the user's own server has the object (in a version that is wanted).

        A warning if the server may have it, but is not asked.
        """
        server = self._server
        if server is None:
            return problem
        if server.names is None:
            remedy = f"`plan`, `upload` and `deploy` look for it on {server.url}"
            if problem.remedy.startswith("did you mean"):
                remedy = f"{problem.remedy} Otherwise {remedy}"
            return replace(problem, remedy=remedy, warning=True)
        there = self._names[kind]
        if name not in there:
            what = f"{problem.what}, and {server.url} does not have it"
            return replace(problem, what=what, remedy=suggestion(name, there, problem.remedy))
        versions = sorted(there[name], key=metadata.numbers, reverse=True)
        if wanted and not any(metadata.satisfies(version, wanted) for version in versions):
            shown = ", ".join(versions[:3]) + ", …" * (len(versions) > 3)
            what = f"{problem.what}, and {server.url} has {shown}"
            return replace(
                problem, what=what, remedy=f"use a version that is there (wanted: {wanted})"
            )
        if kind != "cookbook" or self._known.lacks(name):
            self._on_server[f"{kind} {name}"] = None
        return None

    @cached_property
    def _server(self) -> OwnServer | None:
        return self._find_server()

    @cached_property
    def _names(self) -> Names:
        assert self._server and self._server.names
        return self._server.names()

    def _cookbook_remedy(self, name: str) -> str:
        known = self._known.cookbook_names
        return suggestion(name, known, "add it to `cookbooks`")


def _used_file(cookbook: Cookbook, use: Use) -> Problem | None:
    """The problem if the cookbook has no such template or file, for any platform."""
    folder = f"{use.kind}s"
    sources = set()
    for file in cookbook.files:
        first, _, rest = file.path.partition("/")
        if first == folder:  # of templates/default/a.erb: default/a.erb and a.erb
            sources |= {rest, rest.partition("/")[2]}
    if any(fnmatchcase(source, use.name) for source in sources):
        return None
    if "*" in use.name:
        what = f'cookbook {cookbook.name} has no {use.kind} that matches "{use.name}"'
        return Problem(what, "create one")
    what = f'cookbook {cookbook.name} has no {use.kind} "{use.name}"'
    return Problem(what, suggestion(use.name, sources - {""}, f"create {folder}/{use.name}"))


def cycles(graph: Mapping[str, Iterable[str]]) -> list[tuple[str, ...]]:
    """Cycles in the graph, each from its alphabetically first name: ``(a, b)`` for a → b → a.

    Not all of them, but each cycle has an edge of one that is found. Names that are not keys of
    ``graph`` have no edges.
    """
    found: dict[tuple[str, ...], None] = {}
    done: set[str] = set()
    for start in graph:
        if start in done:
            continue
        path = {start: 0}  # the names from start to here, numbered
        pending = [iter(graph[start])]
        while pending:
            name = next(pending[-1], None)
            if name is None:
                pending.pop()
                done.add(path.popitem()[0])
            elif name in path:
                cycle = list(path)[path[name] :]
                first = cycle.index(min(cycle))
                found[(*cycle[first:], *cycle[:first])] = None
            elif name in graph and name not in done:
                path[name] = len(path)
                pending.append(iter(graph[name]))
    return list(found)
