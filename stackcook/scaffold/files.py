"""The files that ``init`` writes: cookbooks, roles, an environment and recipes for CI.

``shipped/`` links to the directories of a checkout; an installed package has copies there.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from stackcook.chef.objects.chefignore import NAME, Chefignore
from stackcook.chef.objects.cookbook import read_files
from stackcook.errors import UsageError
from stackcook.files import creating, is_special
from stackcook.scaffold.lab import COMPUTE, CONTROLLER, ENVIRONMENT, HA_CONTROLLER, OPTIONAL

SHIPPED = Path(__file__).with_name("shipped")


def cookbooks(shipped: Path = SHIPPED) -> tuple[str, ...]:
    """Sorted names of the shipped cookbooks. Raises UsageError if there are none."""
    names = sorted(path.parent.name for path in shipped.glob("cookbooks/*/metadata.rb"))
    if not names:
        raise UsageError(
            "this installation of stackcook lacks the OpenStack cookbooks",
            where=str(shipped),
            remedy="install stackcook from a git clone, or from a wheel built in one",
        )
    return tuple(names)


def shipped(
    source: Path = SHIPPED, environments: Sequence[str] = (ENVIRONMENT,), *, hosts: bool = False
) -> Mapping[str, bytes]:
    """Path in the new repository → content, without the tests of the cookbooks.

    All ``environments`` have the same attributes. ``hosts``: for hosts that are not made for a lab.
    """
    paths = [
        *(
            Path("roles", f"{role}.json")
            for role in (CONTROLLER, HA_CONTROLLER, COMPUTE, *OPTIONAL)
        ),
        Path("cookbooks", NAME),
    ]
    for name in cookbooks(source):
        cookbook = source / "cookbooks" / name
        read = read_files(cookbook, Chefignore.find(cookbook))
        paths += [file.source.relative_to(source) for file in read]
    files = {path.as_posix(): (source / path).read_bytes() for path in paths}
    lab = json.loads((source / "environments" / f"{ENVIRONMENT}.json").read_text())
    if hosts:
        # It makes the hashes of passwords cheap, which is for the machines of a lab only.
        del lab["default_attributes"]["openstack"]["identity"]
    for name in environments:
        text = json.dumps({**lab, "name": name}, indent=2) + "\n"
        files[f"environments/{name}.json"] = text.encode()
    return files


CI = {
    "github": {
        ".github/workflows/stackcook.yml": "github.yml",
        ".github/stackcook-matcher.json": "github-matcher.json",
    },
    "gitlab": {".gitlab-ci.yml": "gitlab.yml"},
    "jenkins": {"Jenkinsfile": "Jenkinsfile"},
}
"""CI system → path in the repository → file of ``shipped/ci``."""


def recipe(system: str, source: Path = SHIPPED) -> Mapping[str, bytes]:
    """Path in the new repository → content, for one of :data:`CI`."""
    return {path: (source / "ci" / name).read_bytes() for path, name in CI[system].items()}


Check = Callable[[Path], None]
"""Gets a temporary directory with the files; raises an error to prevent that they are written."""


def write(
    directory: Path,
    files: Mapping[str, bytes],
    *,
    optional: Iterable[str] = (),
    force: bool = False,
    check: Check = lambda _: None,
) -> tuple[str, ...]:
    """Write ``files`` (path → content) below ``directory``; returns the paths that were written.

    Existing files are an error, or overwritten with ``force``; ``optional`` ones are kept.
    Either all files are written or none. Raises UsageError that names the files in the way.
    """
    left = {path for path in optional if os.path.lexists(directory / path)}
    wanted = {path: content for path, content in files.items() if path not in left}
    _refuse(directory, wanted, force)
    above = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    if not above.is_dir():
        remedy = "move this file away: stackcook needs a directory here"
        raise UsageError("is not a directory", where=str(above), remedy=remedy)
    with creating(directory):
        made = tempfile.TemporaryDirectory(dir=above, prefix=".stackcook-init-")
    with made as name:
        staged = Path(name)
        for path, content in wanted.items():
            (staged / path).parent.mkdir(parents=True, exist_ok=True)
            (staged / path).write_bytes(content)
        check(staged)
        for path in wanted:
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(staged / path, directory / path)
    return tuple(wanted)


def _refuse(directory: Path, files: Iterable[str], force: bool) -> None:
    """Raise UsageError if something exists in place of a file, or of its directory."""
    if os.path.lexists(directory) and not directory.is_dir():
        raise UsageError("is not a directory", where=str(directory), remedy="use another path")
    there, blocking = set(), set()
    for path in files:
        if (directory / path).is_dir():
            blocking.add(f"{path}/")
        elif is_special(directory / path):
            blocking.add(path)
        elif os.path.lexists(directory / path):
            there.add(_unit(path))
        for parent in (str(parent) for parent in Path(path).parents):
            if os.path.lexists(directory / parent) and not (directory / parent).is_dir():
                blocking.add(parent)
    if blocking:
        raise _in_the_way(directory, blocking, "move them, or use another directory")
    if there and not force:
        raise _in_the_way(directory, there, "use another directory, or overwrite with --force")


def _unit(path: str) -> str:
    """The file, or the directory that contains it: ``cookbooks/NAME/``."""
    parts = path.split("/")
    return f"{'/'.join(parts[:2])}/" if len(parts) > 2 else path


def _in_the_way(directory: Path, paths: Iterable[str], remedy: str) -> UsageError:
    what = f"already exists: {', '.join(sorted(paths))}"
    return UsageError(what, where=str(directory), remedy=remedy)
