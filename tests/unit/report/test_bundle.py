"""The bundle: all that helps, and none of the secrets that are planted everywhere."""

from __future__ import annotations

import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from stackcook.chef.objects import secrets
from stackcook.chef.objects.encryption import encrypt, read_secret
from stackcook.command import Command, Completed
from stackcook.run.record import reading
from stackcook.errors import NodeError, Position, UsageError
from stackcook.manifest.model import DataBag, Manifest
from stackcook.redact import Redactor
from stackcook.report import bundle, data, html, junit
from stackcook.report.text import render
from stackcook.report.secrets import known_secrets
from tests.ran import FakeCloud, took

LOGIN = ["-----BEGIN OPENSSH PRIVATE KEY-----", "b3BlbnNzaC1rZXktdjEAAAAA", "AQAB", "-----END"]
MANIFEST = """\
options: -x root -P plain-option-secret
nodes:
- web1: {options: "--connection-password 'two words'"}
data bags:
- own: {secret: own-secret}
stackcook:
  chef_server:
    url: https://chef.example
    password: the proxy's word
"""
VERSIONS = {"stackcook": "0.1", "python": "3.11.2"}


class Planted:
    """A cloud whose secrets its nodes tell to everybody."""

    def __init__(self, root: Path) -> None:
        self.cloud = FakeCloud(root)
        self.manifest = self._manifest(root)
        self.known = self._secrets()
        self.cloud.manifest.path.write_text(MANIFEST)
        told_ = ["it is " + secret for secret in self.known]
        key = [line.replace("-----END", "-----END OPENSSH PRIVATE KEY-----") for line in LOGIN]
        guessed = ["Setting password=unknown-one", "http://u:unknown-two@db/", *key]
        self.cloud.chef.lines["compute1"] = [*told_, *guessed]
        self.cloud.chef.lines["compute2"] = [*guessed, *told_]
        error = f"token: unknown-three; {'; '.join(told_)}"
        self.cloud.chef.broken["compute2"] = NodeError(error, where="compute2")
        name = f"execute[mysql -punknown-four {self.known[0]}]"
        self.cloud.chef.times["compute1"] = (took(name, 3),)
        self.cloud.deploy()

    def _manifest(self, root: Path) -> Manifest:
        """The cloud's, with generated passwords, and a data bag of the user's own."""
        own = root / "own-secret"
        own.write_text("the bag's own key, long enough\n")
        item = {"id": "db", "db": "short", "note": "long enough to be one", "user": "nova"}
        (root / "data_bags" / "own").mkdir(parents=True)
        path = root / "data_bags" / "own" / "db.json"
        path.write_text(json.dumps(encrypt(item, read_secret(own))))
        return replace(self.cloud.manifest, data_bags=(DataBag("own", Position(1, 1), secret=own),))

    def _secrets(self) -> list[str]:
        state = self.manifest.state
        secrets.ensure(self.manifest)
        (state / "ssh").mkdir()
        (state / "ssh" / "id_ed25519").write_text("\n".join(LOGIN) + "\n")
        (state / "chef" / "stackcook.pem").write_text("MIIEpAIBAAKCAQEAwJXq\nx+/A==\n")
        passwords = [
            secrets.read(self.manifest, bag, item)
            for bag, items in self.manifest.passwords.items()
            for item in items
        ]
        assert len(set(passwords)) > 8
        return [
            *passwords,
            (state / "chef" / secrets.SECRET).read_text().strip(),
            *("MIIEpAIBAAKCAQEAwJXq", "the bag's own key, long enough", "short"),
            *("long enough to be one", "plain-option-secret", "two words", "the proxy's word"),
        ]

    @property
    def redact(self) -> Redactor:
        return Redactor(known_secrets(self.manifest.state, MANIFEST, self.manifest))

    def leaks(self, text: str) -> list[str]:
        """The secrets that a text holds."""
        guessed = [f"unknown-{word}" for word in ("one", "two", "three", "four")]
        return [s for s in (*self.known, *guessed, "b3BlbnNzaC1rZXk") if s in text]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    return Planted(tmp_path_factory.mktemp("planted"))


def unpack(path: Path) -> dict[str, str]:
    """The files in a bundle: name → text."""
    with tarfile.open(path) as tar:
        files = {member.name: tar.extractfile(member) for member in tar.getmembers()}
        return {name: file.read().decode() for name, file in files.items() if file}


def test_the_secrets_are_where_they_were_planted(planted: Planted) -> None:
    """Else the tests below would look for nothing."""
    logs = planted.manifest.state / "logs"
    assert len(planted.leaks((logs / "compute1.log").read_text())) == len(planted.known) + 3
    with reading(planted.manifest.state) as db:
        assert db
        rows = [*db.execute("SELECT text FROM steps"), *db.execute("SELECT name FROM resources")]
    assert len(planted.leaks(repr(rows).replace('\\"', '"').replace("\\'", "'"))) > len(
        planted.known
    )


def test_no_secret_is_in_the_bundle(planted: Planted, tmp_path: Path) -> None:
    path = tmp_path / "bundle.tar.gz"
    report = planted.cloud.report(planted.redact)
    count = bundle.write(path, report, planted.manifest.state, MANIFEST, planted.redact, VERSIONS)
    files = unpack(path)
    assert {name.removeprefix("stackcook-run-1/") for name in files} == {
        *("report.html", "report.json", "versions.json", "manifest.yml", "state.json"),
        *(f"logs/{node.name}.log" for node in report.nodes),
    }
    assert count == len(files)
    for name, text in files.items():
        assert not planted.leaks(text), name
    assert "****" in files["stackcook-run-1/logs/compute1.log"]
    assert "-x root -P ****" in files["stackcook-run-1/manifest.yml"]
    state = json.loads(files["stackcook-run-1/state.json"])
    assert len(state["runs"]) == 1 and state["resources"][0]["seconds"] == 3
    assert "failed" in {step["result"] for step in state["steps"]}


def test_no_secret_is_in_any_form_of_the_report(planted: Planted) -> None:
    report = planted.cloud.report(planted.redact)
    for text in (
        render(report).plain,
        html.render(report),
        junit.render(report),
        json.dumps(data.run_data(report)),
    ):
        assert "****" in text
        assert not planted.leaks(text)


def test_a_bundle_is_private_and_replaced_whole_or_not_at_all(
    planted: Planted, tmp_path: Path
) -> None:
    path = tmp_path / "bundle.tar.gz"
    path.write_text("as before")
    report, state = planted.cloud.report(planted.redact), planted.manifest.state

    class Broken(Redactor):
        def manifest(self, text: str) -> str:
            raise OSError("no")

    with pytest.raises(OSError):
        bundle.write(path, report, state, MANIFEST, Broken(), VERSIONS)
    assert path.read_text() == "as before"
    assert [*tmp_path.iterdir()] == [path]
    bundle.write(path, report, state, MANIFEST, planted.redact, VERSIONS)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError) as refused:
        bundle.write(tmp_path / "no" / "x", report, state, MANIFEST, planted.redact, VERSIONS)
    assert str(tmp_path / "no") in str(refused.value)


def test_a_well_node_s_log_is_cut_sooner_than_a_failed_one_s(tmp_path: Path) -> None:
    cloud = FakeCloud(tmp_path)
    cloud.chef.broken["compute2"] = NodeError("no", where="compute2")
    for name in ("compute1", "compute2"):
        cloud.chef.lines[name] = ["x" * 999 + "."] * 300
    cloud.deploy()
    path = tmp_path / "b.tar.gz"
    bundle.write(path, cloud.report(), cloud.manifest.state, "", Redactor(), VERSIONS)
    files = {name.split("/")[-1]: len(text) for name, text in unpack(path).items()}
    assert files["compute1.log"] <= bundle.OTHER_LOG
    assert files["compute2.log"] > 300_000


def test_versions_are_what_programs_say_and_empty_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def find(name: str) -> Path:
        if name == "vagrant":
            raise UsageError("vagrant is not installed")
        return Path("/bin") / name

    def run(command: Command, **_: object) -> Completed:
        return Completed(0, f"a warning\n{Path(command.argv[0]).name} 1.2\n")

    monkeypatch.setattr(bundle, "find_program", find)
    found = bundle.versions(run)
    assert (found["knife"], found["vagrant"]) == ("knife 1.2", "")
    assert found["python"].startswith("3.")
