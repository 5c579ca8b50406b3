"""The cookbooks, roles and environment that stackcook ships, for a new Chef repository.

``shipped/`` holds links to the directories of a checkout; an installed package has copies there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stackcook.chef.objects.chefignore import NAME, Chefignore
from stackcook.chef.objects.cookbook import read_files
from stackcook.errors import UsageError
from stackcook.scaffold.lab import COMPUTE, CONTROLLER, ENVIRONMENT

SHIPPED = Path(__file__).with_name("shipped")


def cookbooks(shipped: Path = SHIPPED) -> tuple[str, ...]:
    """Their names, sorted. Raises UsageError where this installation has none."""
    names = sorted(path.parent.name for path in shipped.glob("cookbooks/*/metadata.rb"))
    if not names:
        raise UsageError(
            "this stackcook came without its cookbooks",
            where=str(shipped),
            remedy="install it from a checkout or from a wheel that was built in one",
        )
    return tuple(names)


def files(shipped: Path = SHIPPED) -> Mapping[str, bytes]:
    """Path in the new repository → content; tests of cookbooks stay at home."""
    paths = [
        Path("environments", f"{ENVIRONMENT}.json"),
        *(Path("roles", f"{role}.json") for role in (CONTROLLER, COMPUTE)),
        Path("cookbooks", NAME),
    ]
    for name in cookbooks(shipped):
        cookbook = shipped / "cookbooks" / name
        read = read_files(cookbook, Chefignore.find(cookbook))
        paths += [file.source.relative_to(shipped) for file in read]
    return {path.as_posix(): (shipped / path).read_bytes() for path in paths}
