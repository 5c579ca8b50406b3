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
_OTHERS = """
-A -G -P -V -VV -W -c -d -e -f -j -k -m -r -s -t -u -y -z --bootstrap-curl-options
--bootstrap-install-command --bootstrap-no-proxy --bootstrap-preinstall-command --bootstrap-product
--bootstrap-protocol --bootstrap-proxy --bootstrap-proxy-pass --bootstrap-proxy-user
--bootstrap-template --bootstrap-url --bootstrap-vault-file --bootstrap-vault-item
--bootstrap-vault-json --bootstrap-version --bootstrap-wget-options --ca-trust-file --channel
--chef-license --color --config --config-option --connection-password --connection-protocol
--defaults --encrypt --fips --forward-agent --format --hint --host-key-verify --json-attribute-file
--json-attributes --kerberos-realm --kerberos-service --key --max-wait --msi-url --no-color
--no-fips --no-host-key-verify --no-node-verify-api-cert --node-ssl-verify-mode
--node-verify-api-cert --prerelease --profile --run-list --secret --secret-file --server-url
--session-timeout --ssh-forward-agent --ssh-gateway --ssh-gateway-identity --ssh-password
--ssh-verify-host-key --su-password --su-user --sudo --sudo-preserve-home --tags --use-sudo
--use-sudo-password --user --verbose --winrm-auth-method --winrm-basic-auth-only
--winrm-no-verify-cert --winrm-password --winrm-port --winrm-ssl --winrm-ssl-peer-fingerprint
--winrm-user --yes
""".split()
KNIFES = frozenset((*MEANING, *_OTHERS))
"""The options of ``knife bootstrap`` 18, with the names that older ones had."""
_FLAG = re.compile(r"(--[\w-]+)(?:=(.*))?|(-\w)(.*)", re.DOTALL)


@dataclass(frozen=True)
class Options:
    """What the manifest's reader takes from them; ``unknown`` are flags that knife doesn't have.

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
    unknown: tuple[str, ...] = ()
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
    unknown: list[str] = []
    faulty = ""
    while words:
        word = words.pop()
        match = _FLAG.fullmatch(word)
        if not match:
            continue  # the value of another flag
        flag, value = match[1] or match[3], match[2] or match[4]
        if flag in MEANING:
            if not value and words and not words[-1].startswith("-"):
                value = words.pop()
            if value:
                found[MEANING[flag]] = value
            else:
                faulty = f"{flag} has no value"
        elif flag not in KNIFES:
            unknown.append(flag)
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
        unknown=tuple(unknown),
        faulty=faulty,
    )


def remedy(flag: str) -> str:
    """What to write instead of an option that knife doesn't have."""
    near = nearest(flag, KNIFES) if flag.startswith("--") else ""
    return f'did you mean "{near}"?' if near else "see `knife bootstrap --help`"
