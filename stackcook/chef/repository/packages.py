"""The Debian packages that a node's recipes name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stackcook.chef.objects.runlist import full_name

if TYPE_CHECKING:  # every command that has machines imports this module, and reads no Ruby
    from stackcook.chef.checks.syntax import Use


@dataclass(frozen=True)
class Packages:
    """Names of packages, sorted.

    ``openstack`` are those of the resource ``openstack_packages``, which installs no recommended
    packages and starts no services; ``chef`` are those of Chef's own resources, which do both.
    """

    openstack: tuple[str, ...] = ()
    chef: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.openstack or self.chef)


def packages_of(
    recipes: Iterable[str], uses: Mapping[str, Iterable[Use]], *, certain: bool = True
) -> Packages:
    """The packages that the recipes, and those that they include, are certain to install.

    ``uses`` is what each recipe (``COOKBOOK::RECIPE``) names. What Ruby computes is left out, and
    what depends on a condition as well, unless ``certain`` is false.
    """
    found: dict[str, set[str]] = {"openstack_packages": set(), "package": set()}
    left = [full_name(recipe) for recipe in recipes]
    seen: set[str] = set()
    while left:
        recipe = left.pop()
        if recipe in seen:
            continue
        seen.add(recipe)
        for use in uses.get(recipe, ()):
            if "*" in use.name or certain and not use.certain:
                continue
            if use.kind == "recipe":
                left.append(full_name(use.recipe(recipe.partition("::")[0])))
            elif use.kind in found:
                found[use.kind].add(use.name)
    openstack = found["openstack_packages"]
    return Packages(tuple(sorted(openstack)), tuple(sorted(found["package"] - openstack)))
