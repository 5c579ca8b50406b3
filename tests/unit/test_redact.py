"""What is taken for a secret, and what is not."""

from __future__ import annotations

import shlex

import pytest

from stackcook.redact import Redactor, in_manifest

KEY = "\n".join(["-----BEGIN RSA PRIVATE KEY-----", *["MIIEow" * 10] * 3, "QUJD", "-----END RSA"])
LINE = "aGVsbG8gd29ybGQ+" * 4

SECRETS = {
    "an option": "knife bootstrap web1 -P hunter22 -x root",
    "an option that is glued": "knife bootstrap web1 -Phunter22",
    "a quoted option": "knife bootstrap -P 'hunter22 and more' -x root",
    "a long option": "knife bootstrap --ssh-password hunter22",
    "a long option with =": "x --connection-password=hunter22",
    "a cloud's key": "knife ec2 server create -K hunter22",
    "a setting": "connection password=hunter22 host=db",
    "a field": 'params: {"password": "hunter22", "user": "nova"}',
    "a field in a string": r'{"a": "{\"admin_password\": \"hunter22\"}"}',
    "Ruby": "attributes {:password=>'hunter22'}",
    "Ruby's new way": "user(password: 'hunter22')",
    "a URL": "mysql+pymysql://nova:hunter22@10.0.0.1/nova",
    "a URL's token": "git clone https://hunter22@git.example/nova.git",
    "a token as the user": "https://hunter22:x-oauth-basic@git.example/nova.git",
    "a database's URL": "mysql+pymysql://nova:hunter22/more@10.0.0.1/nova",
    "JSON as Python shows it": "{'auth': {'password': 'hunter22'}}",
    "Keystone's token": "refused gAAAAABnQ7hunter22456789abcdefghij for admin",
    "mysql": "mysql -uroot -phunter22 -e 'select 1'",
    "a token": "X-Auth-Token: hunter22",
    "a header": "Authorization: Bearer hunter22",
    "a short name": "RABBIT_PASS=hunter22 and {'pass': 'hunter22'}",
    "an environment": "OS_PASSWORD=hunter22 openstack server list",
    "a secret access key": "aws_secret_access_key = hunter22",
    "a known one": "it says hunter22!",
    "a known one in a URL": "q=k%40own+more",
    "a known one in JSON": r'{"text": "with \"quotes\" in"}',
}


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_a_secret_is_masked(text: str) -> None:
    known = ["k@own", 'with "quotes" in'] + (["hunter22"] if text.startswith("it says") else [])
    shown = Redactor(known)(text)
    assert "****" in shown
    for secret in ("hunter22", "and more", "k%40own", "quotes"):
        assert secret not in shown


@pytest.mark.parametrize(
    "text",
    [
        KEY,
        KEY + " PRIVATE KEY-----\n",
        KEY.replace("\n", r"\n"),
        "\n".join(f"12:00:0{n}Z {line}" for n, line in enumerate(KEY.splitlines())),
        f"cut off before its head\n{LINE}\n12:00:00Z {LINE}=\nand after",
    ],
    ids=["cut off", "whole", "in JSON", "in a log", "without its head"],
)
def test_a_private_key_is_masked(text: str) -> None:
    shown = Redactor()(text)
    assert "MIIEow" not in shown and "aGVsbG8" not in shown


@pytest.mark.parametrize(
    "text",
    [
        "compute1: execute[boom] (openstack-nova/recipes/compute.rb:12): no such file",
        "the password is in /srv/lab/clouds.yaml",
        "ssh -p 2222 compute1 --secret-file /etc/chef/secret",
        "3/4 resources updated",
        "bypass=1 compass: north passed: 3",
        "knife bootstrap web1 -r 'recipe[secret::default]' --secret-file=keys/secret",
        "git+ssh://git@git.example/nova.git",
        "https://chef.example:443/organizations/lab",
        "mkdir -p /etc/nova",
        "  * file[/etc/nova/nova.conf] action create",
        *("-" * 60000, "://a:" * 20000, "mysql " * 20000),  # none of which may take minutes
    ],
    ids=lambda text: text[:30],
)
def test_what_holds_no_secret_is_left_as_it_is(text: str) -> None:
    assert Redactor(["", "ab"])(text) == text
    assert Redactor().manifest(text) == text


@pytest.mark.parametrize("value", ["a\\ b", "pw'and'b", """'it'"'"'s b'""", '"a \\" b"'])
def test_a_command_lines_secret_is_a_word_of_the_shell(value: str) -> None:
    shown = Redactor().command(f"knife bootstrap web1 -P {value} --aws-secret-key {value} -x root")
    assert shown == "knife bootstrap web1 -P **** --aws-secret-key **** -x root"


@pytest.mark.parametrize("value", ["a b", "it's a b", "a\nb", "-a ;b"])
@pytest.mark.parametrize("flag", ["-P", "--winrm-password=", "--secret="])
def test_a_secret_in_one_word_with_its_option_is_masked_to_its_end(flag: str, value: str) -> None:
    text = shlex.join(("knife", "ec2", "server", "create", f"{flag}{value}", "-N", "web1"))
    assert Redactor().command(text) == f"knife ec2 server create {flag}**** -N web1"


MANIFEST = """\
options: -x root -P 'my pass' --connection-password=pw-one
nodes:
- web1: {options: "-P pw-two"}
- web2: {run_list: "recipe[a]", options: "-j '{\\"db_password\\": \\"pw-three\\"}'"}
knife:
- ssh:
  - "'name:*' -P pw-four uptime"
stackcook:
  chef_server:
    url: https://chef.example
    password: correct horse battery # of a proxy
    token: |
      pw-five

      pw-six
    api_key:
      pw-seven
  - secret: pw-eight
    user: somebody
  passwords:
    db_passwords: [keystone, nova]
"""


def test_a_manifest_keeps_its_words_and_loses_its_secrets() -> None:
    shown = Redactor(in_manifest(MANIFEST)).manifest(MANIFEST)
    for secret in ("my pass", "correct", "battery", *(f"pw-{n}" for n in ("one", "two", "three"))):
        assert secret not in shown
    assert "pw-" not in shown
    for word in (
        "-x root",
        "recipe[a]",
        "https://chef.example",
        "[keystone, nova]",
        "uptime",
        "user: somebody",
    ):
        assert word in shown


def test_a_manifests_secrets_are_secrets_everywhere() -> None:
    redact = Redactor(in_manifest(MANIFEST))
    assert redact("sudo: my pass: pw-two pw-six") == "sudo: ****: **** ****"
