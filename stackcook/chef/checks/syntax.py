"""Syntax errors of cookbooks' Ruby files and templates, and what recipes refer to.

One Ruby process for all files; results are cached.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from hashlib import sha256
from pathlib import Path

from stackcook.chef.loader import ruby
from stackcook.chef.loader.findings import Findings
from stackcook.chef.objects.cookbook import CookbookFile
from stackcook.command import find_program
from stackcook.errors import Position
from stackcook.files import keep

MOST_KEPT = 20_000
"""Results in the cache, of about a megabyte."""

_SCRIPT = Path(__file__).with_name("syntax.rb")
_USES = Path(__file__).with_name("uses.rb")


@dataclass(frozen=True)
class Fault:
    """A syntax error, or why the file can't be read, and the position."""

    line: int
    column: int
    what: str


@dataclass(frozen=True)
class Use:
    """Something that a recipe names, and the position.

    ``kind`` is ``recipe``, ``template``, ``file``, ``package`` for Chef's own resources, or
    ``openstack_packages``. ``cookbook`` is None for the recipe's own; ``*`` stands for what Ruby
    computes. ``certain`` is false if it may never be reached, or if part of the name is computed.
    """

    kind: str
    name: str
    cookbook: str | None
    line: int
    column: int
    certain: bool

    def recipe(self, cookbook: str) -> str:
        """The recipe that it names, in a recipe of ``cookbook``: ``::b`` is one of its own."""
        return f"{cookbook}{self.name}" if self.name.startswith("::") else self.name


Result = Fault | tuple[Use, ...]
Results = dict[str, Result]
"""Checksum and kind of a file (``d41d….rb``) → its fault, or what it names."""


def check_syntax(
    files: Iterable[CookbookFile], cache: Path, findings: Findings
) -> Mapping[Path, tuple[Use, ...]]:
    """Add the first syntax error of each Ruby file and template; what each recipe refers to.

    ``cache`` is a directory for the results. Raises UsageError if there are files but no Ruby.
    """
    wanted = {file.source: f"{file.md5}.{kind}" for file in files if (kind := _kind(file.path))}
    if not wanted:
        return {}
    kept = cache / f"syntax-{_checker_version()}.json"
    known = _read(kept)
    new = {key: path for path, key in wanted.items() if key not in known}
    if new:
        fresh, temporary = _compile(new)
        known = {**fresh, **known}
        latest = {key: known[key] for key in wanted.values() if key in known}
        _write(kept, {**latest, **known})
        known = {**known, **temporary}
    uses: dict[Path, tuple[Use, ...]] = {}
    for path, key in wanted.items():
        result = known[key]
        if isinstance(result, Fault):
            at = Position(result.line, result.column)
            findings.error(path, at, f"Ruby: {result.what}", "correct the file")
        elif result:
            uses[path] = result
    return uses


def _kind(path: str) -> str | None:
    """``rb``, ``erb``, ``recipe``, or None for a file that Ruby does not evaluate, as in knife."""
    parts = path.split("/")
    if path.endswith(".rb") and (parts[0] == "recipes" or path == "recipe.rb"):
        return "recipe"
    if path.endswith(".erb") and "templates" in parts[:-1]:
        return "erb"
    return "rb" if path.endswith(".rb") and parts[0] not in ("files", "templates") else None


def _checker_version() -> str:
    """A hash of what results depend on besides the files: the Ruby program and this checker."""
    program = find_program("ruby").resolve()
    made = program.stat()
    own = [p.read_text("utf-8") for p in (_SCRIPT, _USES, Path(ruby.__file__), Path(__file__))]
    of = [str(program), made.st_size, made.st_mtime_ns, *own]
    with program.open("rb") as file:
        if file.read(2) == b"#!":  # a version manager's script, which may start different Rubies
            of.append(ruby.version())
    return sha256(json.dumps(of).encode()).hexdigest()[:16]


def _compile(files: Mapping[str, Path]) -> tuple[Results, Results]:
    """The results to cache, and those of files that Ruby could not check this time."""
    wanted = [{"kind": key.rpartition(".")[2], "path": str(path)} for key, path in files.items()]
    results: Results = {}
    temporary: Results = {}
    for key, answer in zip(files, ruby.ask(_SCRIPT, wanted)):
        if "error" in answer:
            temporary[key] = Fault(1, 1, answer["error"])
        elif "syntax" in answer:
            at, what = ruby.syntax_error(answer["syntax"])
            # A template keeps its lines when it is compiled to Ruby, but not its columns.
            column = 1 if key.endswith(".erb") else at.column
            results[key] = Fault(max(1, min(at.line, answer["last"])), column, what)
        else:
            results[key] = tuple(Use(*use) for use in answer.get("uses", ()))
    return results, temporary


def _read(path: Path) -> Results:
    """The cached results; empty if the file is missing or damaged."""
    try:
        kept = json.loads(path.read_text())
        return {key: _result(result) for key, result in kept.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _result(kept: object) -> Result:
    """A result from the cache. Raises TypeError."""
    match kept:
        case [int(line), int(column), str(what)] if line > 0 and column > 0:
            return Fault(line, column, what)
        case {"uses": list(uses)} if all(map(_is_use, uses)):
            return tuple(Use(*use) for use in uses)
    raise TypeError(f"{kept!r} is not a result")


def _is_use(kept: object) -> bool:
    match kept:
        case [str(), str(), str() | None, int(line), int(column), bool()]:
            return line > 0 and column > 0
    return False


def _write(path: Path, results: Results) -> None:
    """Write the first results to the cache."""
    kept = {
        key: astuple(result) if isinstance(result, Fault) else {"uses": list(map(astuple, result))}
        for key, result in list(results.items())[:MOST_KEPT]
    }
    keep(path, json.dumps(kept))
