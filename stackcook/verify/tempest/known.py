"""Tests of Debian's Tempest that fail in every cloud of Debian's packages, each with the reason.

They are not run, and reported as skipped. A test belongs here only if nothing that stackcook or
its cookbooks configure could make it pass.
"""

from __future__ import annotations

from collections.abc import Iterable

from stackcook.verify.tempest.results import SKIPPED, Result
from stackcook.verify.tempest.selection import Listed

_CREDENTIALS = "tempest.api.identity.admin.v3.test_credentials.CredentialsTestJSON"

KNOWN = {
    f"{_CREDENTIALS}.test_credentials_create_get_update_delete": (
        "since a security fix in Debian 13, Keystone refuses to change the type and the project "
        "of a credential, as this test of Tempest 43 does"
    ),
}
"""Name of a test → why it fails."""


def skipped(tests: Iterable[Listed]) -> dict[str, Result]:
    """The results of those of the tests that are known to fail, by name."""
    return {
        test.name: Result(test.name, SKIPPED, KNOWN[test.name])
        for test in tests
        if test.name in KNOWN
    }
