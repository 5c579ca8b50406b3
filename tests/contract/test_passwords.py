"""Programs read the passwords that the cookbooks write unchanged, whatever characters they have."""

from __future__ import annotations

import ast
import json
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.contract.gems import gem_environment

PRINTABLE = "".join(chr(code) for code in range(32, 127)) + "äß€\u00a0\u2028😀"
PASSWORDS = [
    PRINTABLE,
    *(form for c in PRINTABLE for form in (c, f"{c}x", f"x{c}", f"{c}{c}", f"x{c}y{c}z")),
    *("'q'", '"q"', "\"'q'\"", "'q\"", '"', " q ", "\tq\t", "\x0bq\x1c", "\u00a0q\u2003", "'", ""),
    *(
        r"\$",
        r"\\$",
        "$$",
        "${x}",
        "$password",
        "\\",
        "q\\",
        "%s",
        "%%",
        "%40",
        "# x",
        "; x",
        "[x]",
    ),
]

# Reads each file as OpenStack's services do: with Debian's oslo.config.
READ = """
import json, sys, tempfile
from oslo_config import cfg
found = []
for text in json.load(sys.stdin):
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        conf = cfg.ConfigOpts()
        conf.register_opts([cfg.StrOpt(n) for n in ("password", "db", "mq")], group="test")
        conf([], default_config_files=[file.name])
        found.append([conf.test.password, conf.test.db, conf.test.mq])
json.dump(found, sys.stdout)
"""


def test_every_password_is_read_as_it_is() -> None:
    files = made(PASSWORDS)
    assert not [file["error"] for file in files if "error" in file]
    python = ("/usr/bin/python3", "-X", "utf8", "-c", READ)
    read = run(python, [file["ini"] for file in files])
    for password, file, (plain, *urls) in zip(PASSWORDS, files, read, strict=True):
        assert plain == password
        assert [unquote(urlsplit(url).password or "") for url in urls] == [password] * 2
        (setting,) = ast.parse(file["horizon"]).body
        assert isinstance(setting, ast.Assign) and ast.literal_eval(setting.value) == password


def test_a_line_break_cannot_be_written() -> None:
    """oslo.config would read another password."""
    for file in made(["a\rb", "a\nb", "a\r", "\r\n"]):
        assert file["error"].startswith("option password: the value contains a line break")


def made(passwords: list[str]) -> Any:
    script = Path(__file__).with_name("passwords.rb")
    return run(("/usr/bin/ruby", "-Ku", str(script)), passwords, **gem_environment())


def run(argv: tuple[str, ...], given: object, **environment: str) -> Any:
    done = subprocess.run(
        argv,
        input=json.dumps(given),
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
