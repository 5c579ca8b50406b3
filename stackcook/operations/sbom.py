"""``sbom``: all software that stackcook and a deploy install, with versions and licenses."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from stackcook import setup
from stackcook.bundle import licenses
from stackcook.bundle.sbom import Component
from stackcook.cache import cache
from stackcook.client import gems as locked
from stackcook.command import Command, Runner
from stackcook.errors import UsageError
from stackcook.machines.box import LOCKS

DPKG = r"""
fields='${Package}\t${Version}\t${Architecture}\t${Provides}\t${Pre-Depends}, ${Depends}'
dpkg-query -Wf '${db:Status-Status}\t'"$fields"'\n' || exit
echo
cd /usr/share/doc && grep -aHE '^(Format|License):' */copyright
true
"""
"""A shell script that prints the packages of a system, an empty line, and lines of their licenses.

A system may have no copyright files; then grep fails, and the licenses are unknown.
"""


@dataclass(frozen=True)
class _Package:
    """An installed Debian package; ``provides`` and ``needs`` are names, also of alternatives."""

    component: Component
    provides: frozenset[str]
    needs: frozenset[str]


def gems(locks: Iterable[Path]) -> Iterator[Component]:
    """The gems of locks; licenses are known of those that `stackcook setup` has installed."""
    found: dict[str, str] = {}
    for lock in locks:
        for name, version in locked(lock).items():
            found[f"{name}-{version}"] = name
    for full, name in sorted(found.items()):
        paths = (cache() / "gems").glob(f"*/specifications/{full}.gemspec")
        text = next((path.read_text(errors="replace") for path in paths), "")
        version = full.removeprefix(f"{name}-")
        yield Component("gem", name, version, licenses=licenses.gem(text))


def libraries(name: str = "stackcook") -> Iterator[Component]:
    """stackcook, and the Python libraries that it needs, as installed."""
    waiting, seen = deque([name]), set[str]()
    while waiting:
        wanted = waiting.popleft()
        plain = re.sub(r"[-_.]+", "-", wanted).lower()
        if plain in seen:
            continue
        seen.add(plain)
        try:
            found = distribution(wanted)
        except PackageNotFoundError:
            continue  # for another system, or Debian has it under another name
        fields = {name: found.metadata.get_all(name) or [] for name in licenses.PYTHON_FIELDS}
        yield Component("pypi", plain, found.version, licenses=licenses.python(fields))
        for line in found.requires or ():
            if ";" not in line:  # extras, other systems, other versions of Python
                waiting.append(re.split(r"[^\w.-]", line, maxsplit=1)[0])


def packages(printed: str, roots: Collection[str] = ()) -> Iterator[Component]:
    """The Debian packages that DPKG has printed; with ``roots``, only these and what they need."""
    found = _installed(printed)
    if not roots:
        yield from (package.component for package in found.values())
        return
    providers: dict[str, list[str]] = {}
    for name, package in found.items():
        for provided in {name, *package.provides}:
            providers.setdefault(provided, []).append(name)
    waiting, seen = deque(sorted(roots)), set[str]()
    while waiting:
        for name in providers.get(waiting.popleft(), ()):
            if name not in seen:
                seen.add(name)
                waiting.extend(found[name].needs)
    yield from (found[name].component for name in sorted(seen))


def _installed(printed: str) -> dict[str, _Package]:
    table, _, copyrights = printed.partition("\n\n")
    known = licenses.debian(copyrights.splitlines())
    found = {}
    for line in table.splitlines():
        status, name, version, architecture, provides, needs = line.split("\t")
        if status == "installed":
            declared = known.get(name, ())
            component = Component("deb", name, version, "", "debian", architecture, declared)
            found[name] = _Package(component, _names(provides), _names(needs))
    return found


def _names(field: str) -> frozenset[str]:
    """The packages in a field: ``a (>= 1), b:any | c`` → a, b, c."""
    parts = (part.split("(")[0].split(":")[0].strip() for part in re.split(r"[,|]", field))
    return frozenset(filter(None, parts))


def components(run: Runner, nodes: Iterable[str] = ()) -> tuple[Component, ...]:
    """All of it, without repeats: gems, Python libraries, and Debian packages.

    Of this machine, those of `stackcook setup` and what they need; ``nodes`` is what DPKG has
    printed on nodes. Raises UsageError.
    """
    done = run(Command(("sh", "-c", DPKG), apart=True))
    if done.status:
        raise UsageError(
            f"cannot list Debian packages: {done.errors.strip()}",
            remedy="run it on a Debian machine, where `dpkg-query --list` works",
        )
    roots = (*setup.wanted(), "stackcook")
    found = [*libraries(), *gems((*LOCKS, *setup.GEM_LOCKS)), *packages(done.output, roots)]
    for printed in nodes:
        found += packages(printed)
    return tuple({component.url: component for component in found}.values())
