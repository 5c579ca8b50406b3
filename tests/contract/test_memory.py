"""A file of 50 MB goes to the server without ever being wholly in memory."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from stackcook.chef.rest.client import ChefClient
from tests.contract.held import files_of
from tests.contract.uploader import Uploader

FILE = 50 << 20
MOST = 70
"""MiB that an upload may have at once: 35 for itself, and none for the file."""

MEASURE = Path(__file__).parents[2] / "benchmarks" / "measure.py"


@pytest.mark.parametrize("uploader", ["goiardi"], indirect=True, scope="module")
def test_a_big_file_is_streamed(uploader: Uploader) -> None:
    uploader.site.write(new=False, salt="memory")
    uploader.site.manifest(uploader.server, new=False)
    block = hashlib.sha256(b"not all the same").digest() * (1 << 15)
    with (uploader.site.root / "cookbooks" / "app" / "files" / "big").open("wb") as file:
        for _ in range(FILE // len(block)):
            file.write(block)
    done = subprocess.run(
        (sys.executable, "-I", str(MEASURE), *uploader.site.command, "--json"),
        cwd=uploader.site.root,
        env=uploader.site.environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    *said, measured = done.stdout.splitlines()
    assert json.loads(measured)["status"] == 0, said
    assert json.loads(measured)["mib"] < MOST
    with ChefClient(uploader.server) as client:
        stored = client.get("/cookbooks/app/1.0.0")
    checksum = hashlib.md5(block * (FILE // len(block))).hexdigest()
    assert checksum in [file["checksum"] for file in files_of(stored)]
