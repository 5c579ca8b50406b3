"""What stackcook uploads is what real knife finds, on servers that speak either dialect."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from stackcook.chef.objects import databags, encryption
from stackcook.chef.objects.cookbook import stored_files
from stackcook.chef.repository.repository import Repository
from stackcook.chef.rest.client import ChefClient
from stackcook.chef.server.embedded import EmbeddedServer
from stackcook.chef.sync.upload import upload
from stackcook.command import Completed
from stackcook.manifest.model import ChefServer, Manifest

Knife = Callable[..., Completed]


def test_knife_finds_nothing_to_differ(
    manifest: Manifest, client: ChefClient, knife: Knife
) -> None:
    databags.ensure_passwords(manifest)
    first = upload(client, Repository.read(manifest))
    assert "cookbook base 1.2.0" in first.created
    assert "data bag item db_passwords/nova" in first.created
    assert not first.updated and not first.unchanged

    diff = knife("diff")
    # knife looks into hidden folders, though it never uploads them.
    assert [
        line for line in diff.output.splitlines() if ".git" not in line and line[:1] == "d"
    ] == []
    assert diff.status == 0

    second = upload(client, Repository.read(manifest))
    assert not second.changed
    assert sorted(second.unchanged) == sorted(first.created)


def test_knife_downloads_the_same_bytes(
    manifest: Manifest, client: ChefClient, knife: Knife, tmp_path: Path
) -> None:
    upload(client, Repository.read(manifest))
    there = tmp_path / "downloaded"
    result = knife("cookbook", "download", "base", "--dir", str(there))
    assert result.status == 0, result.output
    got = there / "base-1.2.0"
    here = {
        file.path: file.source.read_bytes() for file in Repository.read(manifest).cookbooks[0].files
    }
    assert {
        str(path.relative_to(got)): path.read_bytes() for path in got.rglob("*") if path.is_file()
    } == here
    assert "files/default/link" in here and ".rubocop.yml" in here
    assert not any("spec" in path or ".swp" in path or ".git/" in path for path in here)


def test_the_cookbook_is_what_knife_makes_of_it(
    manifest: Manifest, zero: ChefServer, knife: Knife
) -> None:
    result = knife("cookbook", "upload", "base", "users", "-o", str(manifest.root / "cookbooks"))
    assert result.status == 0, result.output
    with ChefClient(zero) as client:
        by_knife = {name: client.get(f"/cookbooks/{name}/_latest") for name in ("base", "users")}
        done = upload(client, Repository.read(manifest))
        by_us = {name: client.get(f"/cookbooks/{name}/_latest") for name in ("base", "users")}
    for name, theirs in by_knife.items():
        ours = by_us[name]
        assert ours["metadata"] == theirs["metadata"]
        files = dict(stored_files(theirs))
        # Two things that `knife diff` complains of after knife's own upload: the metadata.json that
        # it makes of metadata.rb, and folders it has no name for, which it forgets.
        if name == "base":
            del files["metadata.json"]
            files["extra/notes.txt"] = stored_files(ours)["extra/notes.txt"]
        assert stored_files(ours) == files
    assert "cookbook users 0.1.3" in done.unchanged


def test_only_what_changed_is_put(manifest: Manifest, client: ChefClient) -> None:
    upload(client, Repository.read(manifest))
    base, users = (manifest.root / "cookbooks" / name for name in ("base", "users"))
    # A file that one cookbook gives up and another one gets: the server must not lose it.
    (base / "libraries" / "helpers.rb").rename(users / "recipes" / "helpers.rb")
    (manifest.root / "roles" / "db.rb").write_text("name 'db'\nrun_list 'users::helpers'\n")
    (manifest.root / "data_bags" / "accounts" / "bob.json").write_text('{"id": "bob"}')
    result = upload(client, Repository.read(manifest))
    assert sorted(result.updated) == ["cookbook base 1.2.0", "cookbook users 0.1.3", "role db"]
    assert result.created == ("data bag item accounts/bob",)
    assert not upload(client, Repository.read(manifest)).changed
    assert client.get("/roles/db")["run_list"] == ["recipe[users::helpers]"]
    record = stored_files(client.get("/cookbooks/users/0.1.3"))
    assert "recipes/helpers.rb" in record


def test_each_reads_the_passwords_that_the_other_wrote(
    manifest: Manifest, embedded: EmbeddedServer, knife: Knife, tmp_path: Path
) -> None:
    secret = str(databags.ensure_passwords(manifest))
    item = tmp_path / "mail.json"
    item.write_text(json.dumps({"id": "mail", "mail": "päss\nword"}))
    with ChefClient(embedded.start()) as client:
        upload(client, Repository.read(manifest))
        shown = knife("data", "bag", "show", "db_passwords", "nova", "--secret-file", secret)
        assert databags.read_password(manifest, "db_passwords", "nova") in shown.output
        made = knife("data", "bag", "from", "file", "accounts", str(item), "--secret-file", secret)
        assert made.status == 0, made.output
        stored = client.get("/data/accounts/mail")
    assert encryption.is_encrypted(stored)
    clear = encryption.decrypt(stored, encryption.read_secret(Path(secret)))
    assert clear == {"id": "mail", "mail": "päss\nword"}
