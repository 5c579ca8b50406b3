"""spiceweasel itself prints what the cases say, which is what we print unless they say why not."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.contract.gems import gem_environment
from tests.knifecases import CASES, KnifeCase, folded

ROOT = Path(__file__).parents[2]
COMPARED = [case for case in CASES if case.compared]


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What spiceweasel answered to each case, by the case's name; one Ruby for all of them."""
    jobs = []
    for case in COMPARED:
        directory = tmp_path_factory.mktemp("case")
        case.lay_out(directory)
        arguments = ["--novalidation", "-C", "cookbooks", *case.options, "infrastructure.yml"]
        jobs.append({"directory": str(directory), "arguments": arguments})
    home = str(tmp_path_factory.mktemp("home"))
    own = {**gem_environment(), "HOME": home, "CHEF_LICENSE": "accept-silent"}
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("RUBY", "BUNDLE", "GEM_"))}
    answer = subprocess.run(
        ["/usr/bin/ruby", str(Path(__file__).with_name("spiceweasel.rb"))],
        input=json.dumps(jobs),
        env={**kept, **own, "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=300,
    )
    return {case.name: found for case, found in zip(COMPARED, json.loads(answer.stdout))}


@pytest.mark.parametrize("case", COMPARED, ids=lambda case: case.name)
def test_prints_what_the_case_says(case: KnifeCase, printed: dict[str, dict[str, Any]]) -> None:
    found = printed[case.name]
    if case.spiceweasel is None:
        assert found["status"] == 1 and "NoMethodError" in found["errors"]
    else:
        assert found["status"] == 0, found["errors"]
        assert folded(found["output"]) == case.spiceweasel
