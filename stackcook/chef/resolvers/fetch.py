"""Vendors the cookbooks of a Berksfile and a Cheffile with Berkshelf and librarian-chef.

Each program runs only if its file, its lock, its options or the files of its path sources have
changed since the last run.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from stackcook.chef.loader.findings import Findings, place
from stackcook.chef.resolvers.vendored import ENVIRONMENT, Programs, Vendored
from stackcook.command import Command, Completed
from stackcook.files import write_private
from stackcook.manifest.model import Berksfile, Manifest

_GROUPS = ("-e", "--except", "-o", "--only")
_UPLOAD_OPTIONS = frozenset(
    "-f --force --no-freeze --halt-on-frozen -s --skip-syntax-check --ssl-verify --no-ssl-verify"
    " -q --quiet -d --debug".split()
)
_BERKS = {**ENVIRONMENT, "BERKSHELF_DEBUG": "1"}  # so that an error names the Berksfile's line
_OFFLINE = {
    **_BERKS,  # with a proxy that refuses connections at once
    **dict.fromkeys(
        ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9"
    ),
    **dict.fromkeys(("no_proxy", "NO_PROXY"), ""),
}
_OFFLINE_CONFIG = "http_retry_count 0\nhttp_retry_delay 0\n"
_NEEDS_NETWORK = re.compile(r"Error retrieving universe|127\.0\.0\.1(?: port |:)9\b")
_BERKS_PATHS = re.compile(r"^    path: (.+)$", re.MULTILINE)
_LIBRARIAN_PATHS = re.compile(r"^PATH\n  remote: (.+)$", re.MULTILINE)
_LIBRARIAN_TARGET = "LIBRARIAN_CHEF_PATH"


def fetch(
    manifest: Manifest, findings: Findings, programs: Programs = Programs()
) -> Mapping[str, Path]:
    """Name → directory of each cookbook of the Berksfile and the Cheffile; adds findings.

    The directories are below ``.stackcook`` and stay until their sources change.
    """
    found = dict(_librarian(manifest, findings, programs))
    if manifest.berksfile:
        berks = _berkshelf(manifest, manifest.berksfile, findings, programs)
        for name in sorted(found.keys() & berks.keys()):
            what = f"both the Berksfile and the Cheffile provide {name}; the Berksfile's is used"
            findings.warning(
                manifest.berksfile.path, None, what, "remove it from one of the two files"
            )
        found.update(berks)
    return found


def restore(manifest: Manifest, directory: Path) -> None:
    """Take over what was resolved on another machine, unless it was resolved here as well.

    ``directory`` has the cookbooks in ``berkshelf`` and ``librarian``, as ``.stackcook`` does.
    """
    found = []
    if manifest.berksfile:
        options = _berks_options(manifest, manifest.berksfile, Findings())
        found.append(_of_berks(manifest, manifest.berksfile, Programs(), options or ()))
    found.append(_of_librarian(manifest, manifest.root / "Cheffile", Programs()))
    for vendored in found:
        source = directory / vendored.directory.name
        if source.is_dir():
            vendored.restore(source)


def _of_berks(
    manifest: Manifest, wanted: Berksfile, programs: Programs, options: tuple[str, ...]
) -> Vendored:
    directory = manifest.state / "berkshelf"
    return Vendored("berks", wanted.path, directory, _BERKS_PATHS, programs, options)


def _of_librarian(manifest: Manifest, file: Path, programs: Programs) -> Vendored:
    directory = manifest.state / "librarian"
    return Vendored("librarian-chef", file, directory, _LIBRARIAN_PATHS, programs)


def _berkshelf(
    manifest: Manifest, wanted: Berksfile, findings: Findings, programs: Programs
) -> Mapping[str, Path]:
    options = _berks_options(manifest, wanted, findings)
    if options is None:
        return {}
    vendored = _of_berks(manifest, wanted, programs, options)

    def install(new: Path) -> Completed:
        """Run ``berks vendor``, which also installs.

        berks first asks every ``source`` for its whole index, even if path and git sources provide
        all cookbooks. So it runs offline, and again with a network only if it needs one.
        """
        berks = str(programs.find("berks"))
        argv = (berks, "vendor", str(new), "--berksfile", str(wanted.path), *vendored.options)
        command = Command(argv, env=_BERKS, cwd=manifest.root)
        config = vendored.directory / "config.rb"
        write_private(config, _OFFLINE_CONFIG)
        offline = replace(command, env={**_OFFLINE, "BERKSHELF_CHEF_CONFIG": str(config)})
        done = vendored.run(offline)
        if done.status and _NEEDS_NETWORK.search(done.output):
            done = vendored.run(command)
        return done

    return vendored.cookbooks(install, findings)


def _berks_options(
    manifest: Manifest, wanted: Berksfile, findings: Findings
) -> tuple[str, ...] | None:
    """The options for ``berks vendor``; ``None`` after adding a finding for a wrong one."""
    try:
        words = shlex.split(wanted.options)
    except ValueError as error:
        findings.error(manifest.path, wanted.at, f"berks options: {error}", "close the quote")
        return None
    taken: list[str] = []
    takes_value = False
    for word in words:
        option = word.partition("=")[0]
        if word.startswith("-"):
            takes_value = option in _GROUPS
            if option in _UPLOAD_OPTIONS:
                what = f"the berks option {word} has no effect"
                remedy = "use --freeze or --force of `stackcook upload`"
                findings.warning(manifest.path, wanted.at, what, remedy)
            elif not takes_value:
                what = f"unsupported berks option {word}"
                findings.error(manifest.path, wanted.at, what, f"use one of {', '.join(_GROUPS)}")
                return None
        if takes_value:
            taken.append(word)
        elif not word.startswith("-"):
            what = f'in the berks options, "{word}" is not the value of an option'
            findings.error(manifest.path, wanted.at, what, "remove it")
            return None
    return tuple(taken)


def _librarian(manifest: Manifest, findings: Findings, programs: Programs) -> Mapping[str, Path]:
    file = manifest.root / "Cheffile"
    if not file.is_file():
        return {}
    config = manifest.root / ".librarian" / "chef" / "config"
    if config.is_file() and _LIBRARIAN_TARGET in config.read_text(errors="replace"):
        # It overrides the environment, so librarian-chef would replace directories of the user.
        what = f"{_LIBRARIAN_TARGET} is set, so librarian-chef would put the cookbooks there"
        findings.error(config, place(config, _LIBRARIAN_TARGET), what, "remove the line")
        return {}
    vendored = _of_librarian(manifest, file, programs)

    def install(new: Path) -> Completed:
        # Not --path: it would write the directory into the user's .librarian/chef/config.
        cache = str(manifest.state / "librarian-cache")
        env = {**ENVIRONMENT, _LIBRARIAN_TARGET: str(new), "LIBRARIAN_CHEF_TMP": cache}
        argv = (str(programs.find("librarian-chef")), "install")
        return vendored.run(Command(argv, env, manifest.root))

    return vendored.cookbooks(install, findings)
