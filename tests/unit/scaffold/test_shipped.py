"""What ``init`` copies is there, in a checkout and in what is installed from it."""

from __future__ import annotations

from pathlib import Path

import pytest
from setuptools import Distribution

from stackcook.errors import UsageError
from stackcook.scaffold import files

REPOSITORY = Path(__file__).parents[3]


@pytest.mark.filterwarnings("ignore:Support for .* is still .beta")
def test_an_installed_package_has_every_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    distribution = Distribution()
    distribution.parse_config_files()
    build = distribution.get_command_obj("build_py")
    build.ensure_finalized()
    packed = {name for package in build.data_files for name in package[3]}
    recipes = {f"ci/{name}" for system in files.CI.values() for name in system.values()}
    assert packed >= {f"shipped/{path}" for path in (*files.shipped(), *recipes)}


def test_without_them_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="lacks the OpenStack cookbooks") as error:
        files.shipped(tmp_path)
    assert error.value.where == str(tmp_path)
