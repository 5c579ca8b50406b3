"""Passwords for hosts, and who is asked for them: options, environment, terminal."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from stackcook.cli import deploy, main
from stackcook.cli.context import Context
from stackcook.cli.terminal import Terminal
from stackcook.command import Secret
from stackcook.errors import ExitCode
from stackcook.remote.base import Access

Deploy = Callable[..., tuple[str, list[Access]]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Deploy:
    """Deploy with these options; returns stderr, and what the site got."""
    for name in ("STACKCOOK_SSH_PASSWORD", "STACKCOOK_BECOME_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSH_AUTH_SOCK", "/agent")
    path = tmp_path / "infrastructure.yml"
    path.write_text("stackcook: {machines: ssh}\nnodes: [one]\n")

    def run(*options: str) -> tuple[str, list[Access]]:
        seen: list[Access] = []

        def site(manifest: Any, access: Access, bundle: Any) -> Any:
            seen.append(access)
            nothing = dict.fromkeys(
                ("check", "check_providers", "reach", "make_ready"), lambda *_: None
            )
            return SimpleNamespace(**nothing)

        monkeypatch.setattr(deploy, "Site", site)
        monkeypatch.setattr(deploy, "deploy", lambda *_, **__: ExitCode.DONE)
        arguments = ["-f", str(path), "deploy", *options]
        result = CliRunner(mix_stderr=False).invoke(main.cli, arguments)
        return result.stderr, seen

    return run


def test_nothing_is_given_by_default(run: Deploy) -> None:
    assert run()[1] == [Access(agent="/agent")]


def test_passwords_of_the_environment(run: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STACKCOOK_SSH_PASSWORD", "pw")
    monkeypatch.setenv("STACKCOOK_BECOME_PASSWORD", "root's")
    _, (access,) = run("--accept-new-host-keys")
    assert access == Access(Secret("pw"), Secret("root's"), True, "/agent")
    assert "pw" not in repr(access)


@pytest.mark.parametrize("option", ["--ask-pass", "--ask-become-pass", "--use-sudo-password"])
def test_without_a_terminal_the_variable_is_named(run: Deploy, option: str) -> None:
    stderr, seen = run(option)
    variable = "STACKCOOK_SSH_PASSWORD" if option == "--ask-pass" else "STACKCOOK_BECOME_PASSWORD"
    name = "--ask-pass" if option == "--ask-pass" else "--ask-become-pass"
    assert stderr == f"{name}: cannot ask without a terminal; set {variable} instead\n"
    assert seen == []


@pytest.mark.parametrize("typed, become", [("root's", "root's"), ("", "pw")])
def test_passwords_are_asked_for_once(
    run: Deploy, monkeypatch: pytest.MonkeyPatch, typed: str, become: str
) -> None:
    answers, questions = [Secret("pw"), Secret(typed)], []

    class User(Terminal):
        def secret(self, question: str) -> Secret:
            questions.append(question)
            return answers.pop(0)

    monkeypatch.setattr(Context, "user", User())
    _, (access,) = run("--ask-pass", "--ask-become-pass")
    assert questions == ["SSH password", "sudo password"]
    assert access.password == Secret("pw") and access.become == Secret(become)
