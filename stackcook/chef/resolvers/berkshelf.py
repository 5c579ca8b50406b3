"""The cookbooks of a Berksfile, brought by real Berkshelf.

berks is run only when the Berksfile, its lock, the options or the files of its path sources are
others than last time. It asks every ``source`` for its whole index first, even where path and git
sources bring all there is; so it is run without a network, and again with one if it needs one.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from stackcook.chef.resolvers.shelf import ENVIRONMENT, Programs, Shelf, bring, fingerprint
from stackcook.chef.loader.findings import Findings
from stackcook.command import Command, Completed, Run
from stackcook.files import write_private
from stackcook.manifest.model import Berksfile, Manifest

_GROUPS = ("-e", "--except", "-o", "--only")
_OF_UPLOAD = frozenset(
    "-f --force --no-freeze --halt-on-frozen -s --skip-syntax-check --ssl-verify --no-ssl-verify"
    " -q --quiet -d --debug".split()
)

_ENVIRONMENT = {**ENVIRONMENT, "BERKSHELF_DEBUG": "1"}
"""Makes berks add to an error the lines of the Berksfile and of its own that lead to it."""

_ALONE = {
    **dict.fromkeys(
        ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9"
    ),
    **dict.fromkeys(("no_proxy", "NO_PROXY"), ""),
}
"""A proxy that refuses at once: Berkshelf and git ask it instead of whom they would ask."""

_CONFIG = "http_retry_count 0\nhttp_retry_delay 0\n"
_WANTED_NETWORK = re.compile(r"Error retrieving universe|127\.0\.0\.1(?: port |:)9\b")
_PATH_SOURCE = re.compile(r"^    path: (.+)$", re.MULTILINE)


def fetch(
    manifest: Manifest, wanted: Berksfile, findings: Findings, programs: Programs
) -> Mapping[str, Path]:
    """Name → directory of each cookbook that the Berksfile brings; what is wrong is noted."""
    read = _options(manifest, wanted, findings)
    if read is None:
        return {}
    options: tuple[str, ...] = read
    shelf = Shelf(manifest.state / "berkshelf")

    def key() -> str:
        """The lock names the path sources."""
        lock = wanted.path.with_name(f"{wanted.path.name}.lock")
        text = lock.read_text(errors="replace") if lock.is_file() else ""
        paths = [wanted.path.parent / path for path in _PATH_SOURCE.findall(text)]
        return fingerprint((str(wanted.path), *options), (wanted.path, lock), paths)

    def install(new: Path) -> Completed:
        berks = str(programs.find("berks"))
        argv = (berks, "vendor", str(new), "--berksfile", str(wanted.path), *options)
        return _vendor(Command(argv, env=_ENVIRONMENT, cwd=manifest.root), shelf, programs.run)

    return bring("berks", wanted.path, shelf, key, install, findings)


def _options(manifest: Manifest, wanted: Berksfile, findings: Findings) -> tuple[str, ...] | None:
    """The options that ``berks vendor`` takes; ``None`` if there is one that no berks knows."""
    try:
        words = shlex.split(wanted.options)
    except ValueError as error:
        findings.error(manifest.path, wanted.at, f"berks's options: {error}", "close the quote")
        return None
    taken: list[str] = []
    taking = False
    for word in words:
        option = word.partition("=")[0]
        if word.startswith("-"):
            taking = option in _GROUPS
            if option in _OF_UPLOAD:
                what = f"berks's option {word} has no effect"
                remedy = "see `stackcook upload --help` for its --freeze and --force"
                findings.warning(manifest.path, wanted.at, what, remedy)
            elif not taking:
                what = f"berks has no option {word} for this"
                findings.error(manifest.path, wanted.at, what, f"it takes {', '.join(_GROUPS)}")
                return None
        if taking:
            taken.append(word)
        elif not word.startswith("-"):
            what = f'in berks\'s options "{word}" belongs to none'
            findings.error(manifest.path, wanted.at, what, "take it out")
            return None
    return tuple(taken)


def _vendor(command: Command, shelf: Shelf, run: Run) -> Completed:
    """Run ``berks vendor``, which installs first."""
    config = shelf.directory / "config.rb"
    write_private(config, _CONFIG)
    alone = {**_ENVIRONMENT, **_ALONE, "BERKSHELF_CHEF_CONFIG": str(config)}
    done = shelf.run(replace(command, env=alone), run)
    if done.status and _WANTED_NETWORK.search(done.output):
        done = shelf.run(command, run)
    return done
