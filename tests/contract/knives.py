"""Real knife, started once for many commands."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.contract.gems import gem_environment


class Knives:
    """Runs knife's commands in ``directory``, one after the other; ``close`` ends it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        own = {"CHEF_LICENSE": "accept-silent", "LC_ALL": "C.UTF-8", "HOME": str(directory)}
        self._process = subprocess.Popen(
            ("/usr/bin/ruby", str(Path(__file__).with_name("knife.rb"))),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **own, **gem_environment()},
            text=True,
        )

    def cut(self, config: Path, *argv: str) -> str:
        """Run ``knife ARGV --config CONFIG``, which has to succeed: its stdout."""
        assert self._process.stdin and self._process.stdout
        told = {"argv": (*argv, "--config", str(config)), "cwd": str(self._directory)}
        print(json.dumps(told), file=self._process.stdin, flush=True)
        answer = json.loads(self._process.stdout.readline())
        assert answer["status"] == 0, (argv, answer)
        said: str = answer["stdout"]
        return said

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=30)
        assert self._process.returncode == 0
