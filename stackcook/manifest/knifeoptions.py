"""The ``knife bootstrap`` options of nodes, parsed once for all code that uses them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from stackcook.addresses import host_and_port
from stackcook.nearest import nearest

NUMBER = "{{n}}"
"""What stands for a machine's number in the names and options of an entry."""

NODE_OPTIONS = {
    "environment": ("-E", "--environment"),
    "name": ("-N", "--node-name"),
    "user": ("-x", "--ssh-user", "-U", "--connection-user"),
    "key": ("-i", "--ssh-identity-file", "--identity-file"),
    "port": ("-p", "--ssh-port", "--connection-port"),
    "policy_name": ("--policy-name",),
    "policy_group": ("--policy-group",),
}
"""Options that have an equivalent in the manifest: name → spellings."""

_BOOTSTRAP_OPTIONS = {
    "tags": ("--tags",),
    "json": ("-j", "--json-attributes"),
    "json_file": ("--json-attribute-file",),
    "hint": ("--hint",),
    "secret": ("--secret",),
    "secret_file": ("--secret-file",),
    "version": ("--bootstrap-version",),
    "proxy": ("--bootstrap-proxy",),
    "proxy_user": ("--bootstrap-proxy-user",),
    "proxy_pass": ("--bootstrap-proxy-pass",),
    "no_proxy": ("--bootstrap-no-proxy",),
    "ssl_verify_mode": ("--node-ssl-verify-mode",),
    "install": ("--bootstrap-install-command",),
    "install_url": ("--bootstrap-url",),
    "preinstall": ("--bootstrap-preinstall-command",),
    "gateway": ("-G", "--ssh-gateway"),
    "gateway_key": ("--ssh-gateway-identity",),
    "password": ("-P", "--connection-password", "--ssh-password"),
}
"""Options with a value that the native bootstrap supports."""


def _named(text: str) -> dict[str, str]:
    """The spellings of options, separated by commas, and their name: the last of these."""
    groups = (word.split(",") for word in text.split())
    return {flag: group[-1] for group in groups for flag in group}


# Without effect: stackcook gives knife these itself, or always does what they ask for.
_IGNORED_VALUES = _named(
    "-r,--run-list --ssh-verify-host-key -W,--max-wait --session-timeout --channel"
)
_IGNORED_SWITCHES = _named("--sudo --use-sudo -y,--yes --host-key-verify --color -V")

# The others of knife 18 and before, which only knife can carry out.
_KNIFE_VALUES = _named(
    """
-F,--format -R,--kerberos-realm -S,--kerberos-service -c,--config -e,--editor -f,--ca-trust-file
-k,--key -m,--msi-url -o,--connection-protocol -s,--server-url -t,--bootstrap-template -u,--user
-w,--winrm-auth-method --bootstrap-curl-options --bootstrap-product --bootstrap-protocol
--bootstrap-vault-file
--bootstrap-vault-item --bootstrap-vault-json --bootstrap-wget-options --chef-license
--config-option --profile --ssl-peer-fingerprint --su-password --su-user
--winrm-authentication-protocol --winrm-password --winrm-port --winrm-session-timeout
--winrm-ssl-peer-fingerprint --winrm-ssl-verify-mode --winrm-transport --winrm-user
"""
)
_KNIFE_SWITCHES = _named(
    """
-A,--ssh-forward-agent -d,--disable-editing -v,--version -z,--local-mode --defaults --encrypt
--fips --forward-agent --prerelease --sudo-preserve-home --verbose
--winrm-basic-auth-only --winrm-no-verify-cert --winrm-ssl
"""
)
_VERIFY_API_CERT = "--node-verify-api-cert"
SUDO_PASSWORD = "--use-sudo-password"
"""The name of the option by which sudo gets the password of the login."""

_HEEDED = {
    flag: name for name, flags in (NODE_OPTIONS | _BOOTSTRAP_OPTIONS).items() for flag in flags
}
_WITH_VALUE = _HEEDED | _IGNORED_VALUES | _KNIFE_VALUES
_SWITCHES = _IGNORED_SWITCHES | _KNIFE_SWITCHES
_SWITCHES |= {flag: flag for flag in (_VERIFY_API_CERT, SUDO_PASSWORD)}
_NEGATED = {
    flag.replace("--", "--no-", 1): flag
    for flag in (_VERIFY_API_CERT, "--host-key-verify", "--color", "--fips")
}
_KNOWN = frozenset((*_WITH_VALUE, *_SWITCHES, *_NEGATED))

_IGNORED = ("", *_IGNORED_VALUES.values(), *_IGNORED_SWITCHES.values())
_BY_FILE = ("json", "json_file", "secret", "secret_file", "password")  # argv is public
_NATIVE = frozenset((*_HEEDED.values(), *_IGNORED, _VERIFY_API_CERT, SUDO_PASSWORD))
_NOT_FOR_KNIFE = frozenset((*NODE_OPTIONS, *_IGNORED, *_BY_FILE))

_WORD = re.compile(r"""(?:[^ \t\r\n'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+""", re.DOTALL)
_FLAG = re.compile(r"(--[\w-]+)(?:=(.*))?|(-\w)(.*)", re.DOTALL)


class Option(NamedTuple):
    """One option: ``flag`` as it is written, ``name`` for what all its spellings mean.

    Both are empty for a word that no option takes. ``value`` is ``true`` or ``false`` for a switch,
    and ``None`` where it is missing; ``written`` is the value with its quotes. ``words`` are all
    words of the option, as in argv.
    """

    flag: str
    name: str
    value: str | None
    written: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class KnifeOptions:
    """Options in the order in which knife gets them, those nearest to the node last.

    Of several of a kind the last counts. ``text`` is how they are written, ``broken`` why that
    can't be split into words.
    """

    given: tuple[Option, ...] = ()
    text: str = ""
    broken: str = ""

    def over(self, farther: KnifeOptions) -> KnifeOptions:
        """These options after those of ``farther``, which they override."""
        if not (farther.given and self.given):
            return self if self.given else farther
        return KnifeOptions((*farther.given, *self.given), f"{farther.text} {self.text}")

    def overrides(self, farther: KnifeOptions) -> bool:
        """Whether an option of ``farther`` is given here with another value."""
        return any(
            own.name == other.name and own.name not in ("", "hint") and own.value != other.value
            for own in self.given
            for other in farther.given
        )

    def numbered(self, number: str) -> KnifeOptions:
        """The options of one machine: its number in the place of ``{{n}}``."""
        if NUMBER not in self.text:
            return self

        def put(text: str) -> str:
            return text.replace(NUMBER, number)

        given = tuple(
            option._replace(
                value=None if option.value is None else put(option.value),
                written=put(option.written),
                words=tuple(map(put, option.words)),
            )
            for option in self.given
        )
        return KnifeOptions(given, put(self.text), self.broken)

    def last(self, *names: str) -> Option | None:
        """The option that takes effect among those of ``names``."""
        return next((option for option in self.given[::-1] if option.name in names), None)

    def one(self, name: str) -> str:
        """The value of an option that takes effect; empty without one."""
        option = self.last(name)
        return (option.value or "") if option else ""

    def every(self, name: str) -> tuple[str, ...]:
        """All values of an option that may be given more than once."""
        return tuple(option.value or "" for option in self.given if option.name == name)

    def without(self, names: Iterable[str]) -> tuple[str, ...]:
        """The words of all options but those of ``names``."""
        left_out = frozenset(names)
        return tuple(word for o in self.given if o.name not in left_out for word in o.words)

    @property
    def port(self) -> int | None:
        """SSH's port; ``None`` where there is none, or it isn't one."""
        text = self.one("port")
        good = re.fullmatch(r"\d{1,5}", text, re.ASCII) and 1 <= int(text) <= 65535
        return int(text) if good else None

    @property
    def tags(self) -> tuple[str, ...]:
        """The node's tags."""
        return tuple(filter(None, re.split(r"[\s,]+", self.one("tags"))))

    @property
    def version(self) -> str:
        """The version of the client that is wanted, or its first parts; empty: any."""
        return self.one("version").removeprefix("latest").lstrip("v~>= ")

    @property
    def verify_api_cert(self) -> str:
        """``true`` or ``false``, as ``client.rb`` has it; empty without the option."""
        return self.one(_VERIFY_API_CERT)

    @property
    def knife_only(self) -> tuple[str, ...]:
        """The flags that only knife can carry out."""
        flags = (option.flag for option in self.given if option.name not in _NATIVE)
        return tuple(dict.fromkeys(flags))

    @property
    def for_knife(self) -> tuple[str, ...]:
        """The words to pass on to ``knife bootstrap``, without what it gets in another way."""
        return self.without(_NOT_FOR_KNIFE)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The flags that ``knife bootstrap`` doesn't have."""
        return tuple(o.flag for o in self.given if o.flag and o.flag not in _KNOWN)

    @property
    def stray(self) -> tuple[str, ...]:
        """Where words are that no option takes, such as a flag without its `-`.

        Without the words: they may be a part of a password.
        """
        flag, found = "", dict[str, None]()
        for option in self.given:
            flag = option.flag or flag
            if not option.flag:
                found[f"after {flag}" if flag else "at the beginning"] = None
        return tuple(found)

    @property
    def faults(self) -> tuple[str, ...]:
        """What is wrong with the values, as options of ``knife bootstrap``."""
        faults = [
            f"{option.flag} has no value"
            for option in self.given
            if option.flag in _WITH_VALUE and option.value is None
        ]
        if (port := self.one("port")) and not self.port:
            faults.append(f'"{port}" is not a port number')
        if gateway := self.one("gateway"):
            try:
                host_and_port(gateway.rpartition("@")[2])
            except ValueError:
                faults.append(f'"{gateway}" is not a gateway: [USER@]HOST[:PORT], IPv6 in brackets')
        return tuple(faults)


@lru_cache(maxsize=256)  # a thousand nodes have the same few
def parse(text: str) -> KnifeOptions:
    """Read one text as a shell and knife would."""
    try:
        unquoted = shlex.split(text)
    except ValueError as error:
        return KnifeOptions(text=text, broken=str(error).lower())
    words = [*zip(unquoted, _WORD.findall(text), strict=True)][::-1]
    given = []
    while words:
        given.append(_option(words))
    return KnifeOptions(tuple(given), text)


def _option(words: list[tuple[str, str]]) -> Option:
    """Take the next option from the end of ``words``: each unquoted, and as written."""
    word, written = words.pop()
    match = _FLAG.fullmatch(word)
    if not match:
        return Option("", "", word, written, (word,))
    flag, value = match[1] or match[3], match[2] or match[4]
    if flag in _SWITCHES:
        return Option(flag, _SWITCHES[flag], "true", "", (word,))
    if flag in _NEGATED:
        return Option(flag, _NEGATED[flag], "false", "", (word,))
    name = _WITH_VALUE.get(flag, flag)
    if value:
        before = word.removesuffix(value)
        plain = written.startswith(before)
        written = written.removeprefix(before) if plain else shlex.quote(value)
        return Option(flag, name, value, written, (word,))
    taken: list[tuple[str, str]] = []
    while words and _belongs(words[-1][0], flag, len(taken)):
        taken.append(words.pop())
    value, written = taken[0] if taken else (None, "")
    return Option(flag, name, value, written, (word, *(word for word, _ in taken)))


def _belongs(word: str, flag: str, taken: int) -> bool:
    """Whether a word is a value of ``flag``; one that knife doesn't have may take several."""
    if flag in _WITH_VALUE:
        return not taken and word not in _KNOWN and not word.startswith("--")
    return not word.startswith("-")


def remedy_for(flag: str) -> str:
    """What to write instead of an option that knife doesn't have."""
    near = nearest(flag, _KNOWN) if flag.startswith("--") else ""
    return f'did you mean "{near}"?' if near else "see `knife bootstrap --help`"
