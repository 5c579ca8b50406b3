"""The options of ``knife bootstrap`` that a manifest's nodes carry."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import lru_cache

from stackcook.nearest import nearest

_FLAGS = {
    "environment": ("-E", "--environment"),
    "user": ("-x", "--ssh-user", "-U", "--connection-user"),
    "key": ("-i", "--ssh-identity-file", "--identity-file"),
    "port": ("-p", "--ssh-port", "--connection-port"),
    "name": ("-N", "--node-name"),
    "policy_name": ("--policy-name",),
    "policy_group": ("--policy-group",),
}
MEANING = {flag: name for name, flags in _FLAGS.items() for flag in flags}
_IMPLIED = ("--sudo", "-y", "--yes", "--no-host-key-verify", "--use-sudo")
_FLAG = re.compile(r"(--[\w-]+)(?:=(.*))?|(-\w)(.*)", re.DOTALL)
_KNOWN = "-E ENVIRONMENT, -x USER, -i KEY, -p PORT, -N NAME, --policy-name, --policy-group"


@dataclass(frozen=True)
class Options:
    """What stackcook takes from them; ``unused`` are the flags that have no effect.

    ``broken`` says why a text can't be split into words, ``faulty`` what value is missing or wrong
    as an option of ``knife bootstrap``: a cloud's options may mean something else.
    """

    environment: str | None = None
    user: str | None = None
    key: str | None = None
    port: int | None = None
    name: str | None = None
    policy_name: str | None = None
    policy_group: str | None = None
    unused: tuple[str, ...] = ()
    broken: str = ""
    faulty: str = ""

    def over(self, other: Options) -> Options:
        """These options, and from ``other`` those that aren't among them; no name."""
        return Options(
            environment=self.environment or other.environment,
            user=self.user or other.user,
            key=self.key or other.key,
            port=self.port or other.port,
            policy_name=self.policy_name or other.policy_name,
            policy_group=self.policy_group or other.policy_group,
        )


@lru_cache(maxsize=256)  # a thousand nodes have the same few
def parse(text: str) -> Options:
    """Read the options as a shell would split them; the last of a kind counts, as in knife."""
    try:
        words = shlex.split(text)[::-1]
    except ValueError as error:
        return Options(broken=str(error).lower())
    found: dict[str, str] = {}
    unused: list[str] = []
    faulty = ""
    while words:
        word = words.pop()
        match = _FLAG.fullmatch(word)
        if not match:
            continue  # the value of a flag that has no effect
        flag, value = match[1] or match[3], match[2] or match[4]
        if flag in MEANING:
            if not value and words and not words[-1].startswith("-"):
                value = words.pop()
            if value:
                found[MEANING[flag]] = value
            else:
                faulty = f"{flag} has no value"
        elif flag not in _IMPLIED:
            unused.append(flag)
    port = found.get("port", "")
    if port and not (re.fullmatch(r"\d{1,5}", port, re.ASCII) and 1 <= int(port) <= 65535):
        faulty, port = f"{port} is no port", ""
    return Options(
        environment=found.get("environment"),
        user=found.get("user"),
        key=found.get("key"),
        port=int(port) if port else None,
        name=found.get("name"),
        policy_name=found.get("policy_name"),
        policy_group=found.get("policy_group"),
        unused=tuple(unused),
        faulty=faulty,
    )


def remedy(flag: str) -> str:
    """What to write instead of an option that has no effect."""
    near = nearest(flag, MEANING) if flag.startswith("--") else ""
    return f'did you mean "{near}"?' if near else f"known: {_KNOWN}"
