"""Whether all that the repository's parts name is there: pure checks over what was read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from stackcook.chef.checks.circles import circles, shown
from stackcook.chef.checks.expansion import entries, run_list_for
from stackcook.chef.objects import metadata
from stackcook.chef.objects.cookbook import Cookbook
from stackcook.chef.objects.objects import RunListItem
from stackcook.chef.loader.findings import Findings, suggestion
from stackcook.chef.loader.load import Sources
from stackcook.errors import Position
from stackcook.manifest.model import Manifest


@dataclass(frozen=True)
class Known:
    """What may be named, and the file of each: what could not be read has one, too.

    A cookbook without any metadata is in ``cookbook_names`` only; ``all_there`` says whether these
    are all that the manifest brings.
    """

    cookbooks: Mapping[str, Cookbook]
    cookbook_files: Mapping[str, Path]
    cookbook_names: Collection[str]
    all_there: bool
    role_files: Mapping[str, Path]
    environment_files: Mapping[str, Path]

    def lacks(self, cookbook: str) -> bool:
        """Whether there is surely no such cookbook."""
        return self.all_there and cookbook not in self.cookbook_names


@dataclass(frozen=True)
class Wrong:
    """What is wrong with a name, and what would be right; some faults are no more than doubts."""

    what: str
    remedy: str
    doubt: bool = False


class References:
    """Notes each name that means nothing: in nodes, roles and dependencies.

    What is wrong with a name is found out once, however many nodes have it.
    """

    def __init__(
        self, manifest: Manifest, known: Known, sources: Sources, findings: Findings
    ) -> None:
        self._manifest = manifest
        self._known = known
        self._sources = sources
        self._findings = findings
        self._entries: dict[str, Wrong | None] = {}
        self._environments: dict[str, Wrong | None] = {"_default": None}

    def check(self) -> None:
        """Note all that is wrong."""
        self._check_nodes()
        roles = self._known.role_files
        for path in roles.values():
            self._check_role(path)
        self._note_circles("roles", roles, self._graphs())
        cookbooks = self._known.cookbooks
        for name in cookbooks:
            self._check_dependencies(name)
        graph = {name: list(cookbook.dependencies) for name, cookbook in cookbooks.items()}
        self._note_circles("cookbooks", self._known.cookbook_files, [graph])

    def _check_nodes(self) -> None:
        who: dict[tuple[Position, Wrong], list[str]] = {}  # nodes of one entry share its faults
        for node in self._manifest.nodes:
            if node.policy_name:
                continue
            wrong = [self._environment(node.environment), *map(self._entry, node.run_list)]
            for fault in filter(None, wrong):
                who.setdefault((node.at, fault), []).append(node.name)
        for (at, fault), (name, *others) in who.items():
            nodes = f"{name} and {len(others)} more" if others else name
            self._note(self._manifest.path, fault, at, f"{nodes}: ")

    def _check_role(self, path: Path) -> None:
        for keys, item in entries(self._sources.values.get(path, {})):
            if fault := self._entry(str(item)):
                self._note(path, fault, self._sources.place(path, *keys))
        lists = self._sources.values.get(path, {}).get("env_run_lists")
        for environment in lists if isinstance(lists, Mapping) else ():
            if fault := self._environment(environment):
                at = self._sources.place(path, "env_run_lists", environment)
                self._note(path, Wrong(fault.what, fault.remedy, doubt=True), at)

    def _check_dependencies(self, name: str) -> None:
        path = self._known.cookbook_files[name]
        for other, wanted in self._known.cookbooks[name].dependencies.items():
            there = self._known.cookbooks.get(other)
            if self._known.lacks(other):
                what = f'it depends on "{other}", which is not in the manifest'
                remedy = self._cookbook_remedy(other)
            elif there and not metadata.satisfies(there.version, wanted):
                what = f"it depends on {other} {wanted}, but cookbooks/ has {there.version}"
                remedy = "make them fit"
            else:
                continue
            self._note(path, Wrong(what, remedy), self._sources.place(path, "dependencies", other))

    def _graphs(self) -> Iterator[Mapping[str, list[str]]]:
        """Role → the roles that it names, for each environment that makes a difference."""
        roles = {
            name: self._sources.values.get(p, {}) for name, p in self._known.role_files.items()
        }
        named = (role.get("env_run_lists") for role in roles.values())
        environments = {key for lists in named if isinstance(lists, Mapping) for key in lists}
        for environment in ("_default", *sorted(environments - {"_default"})):
            yield {
                name: [item.name for item in run_list_for(role, environment) if item.kind == "role"]
                for name, role in roles.items()
            }

    def _note_circles(
        self, kind: str, files: Mapping[str, Path], graphs: Iterable[Mapping[str, list[str]]]
    ) -> None:
        for circle in dict.fromkeys(circle for graph in graphs for circle in circles(graph)):
            path, following = files[circle[0]], circle[1 % len(circle)]
            verb = "include" if kind == "roles" else "depend on"
            what = f"{kind} {verb} each other in a circle: {shown(circle)}"
            self._note(path, Wrong(what, "take one of them out"), self._place_of(path, following))

    def _place_of(self, path: Path, name: str) -> Position | None:
        """Where a role's or a cookbook's file names another."""
        for keys, item in entries(self._sources.values.get(path, {})):
            if item == RunListItem("role", name):
                return self._sources.place(path, *keys)
        return self._sources.place(path, "dependencies", name)

    def _note(self, path: Path, wrong: Wrong, at: Position | None, who: str = "") -> None:
        note = self._findings.warning if wrong.doubt else self._findings.error
        note(path, at, f"{who}{wrong.what}", wrong.remedy)

    def _environment(self, name: str) -> Wrong | None:
        if name not in self._environments:
            known = self._known.environment_files
            remedy = "" if name in known else suggestion(name, known, "")
            self._environments[name] = (
                None
                if name in known
                else Wrong(
                    f'there is no environment "{name}" in the manifest',
                    remedy or "add it to `environments`",
                )
            )
        return self._environments[name]

    def _entry(self, entry: str) -> Wrong | None:
        if entry not in self._entries:
            self._entries[entry] = self._wrong_with(entry)
        return self._entries[entry]

    def _wrong_with(self, entry: str) -> Wrong | None:
        try:
            item = RunListItem.parse(entry)
        except ValueError as error:
            return Wrong(str(error), "correct the run list")
        if item.kind == "role":
            if item.name in self._known.role_files:
                return None
            roles = self._known.role_files
            remedy = suggestion(item.name, roles, "add it to `roles`")
            return Wrong(f'there is no role "{item.name}" in the manifest', remedy)
        name = item.name.split("::")[0]
        if self._known.lacks(name):
            what = f'there is no cookbook "{name}" in the manifest'
            return Wrong(what, self._cookbook_remedy(name))
        cookbook = self._known.cookbooks.get(name)
        if cookbook and item.name not in cookbook.recipes:
            remedy = suggestion(item.name, cookbook.recipes, "write it")
            return Wrong(f'cookbook {name} has no recipe "{item.name}"', remedy)
        if cookbook and item.version and metadata.version(item.version) != cookbook.version:
            what = f"{name} {item.version} is wanted, but cookbooks/ has {cookbook.version}"
            return Wrong(what, "make them fit", doubt=self._manifest.chef_server is not None)
        return None

    def _cookbook_remedy(self, name: str) -> str:
        known = self._known.cookbook_names
        return suggestion(name, known, "add it to `cookbooks`")
