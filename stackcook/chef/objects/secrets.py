"""Generated passwords: made once, kept as encrypted data bag items in the state directory."""

from __future__ import annotations

import base64
import json
import os
import secrets
from pathlib import Path

from stackcook.chef.objects import encryption
from stackcook.chef.objects.databags import generated_bags, generated_item
from stackcook.errors import Finding, InputError
from stackcook.files import write_private
from stackcook.manifest.model import Manifest

SECRET = "encrypted_data_bag_secret"

_LENGTH = 24
"""Random bytes in a password, which has a third more characters."""


def secret_file(manifest: Manifest) -> Path:
    """The secret that encrypts the generated passwords; nodes get it when they are bootstrapped."""
    return manifest.state / "chef" / SECRET


def ensure(manifest: Manifest) -> Path:
    """Generate the passwords that are not there yet; returns the secret file, mode 0600.

    Raises InputError if there are passwords, but not the secret that they were encrypted with.
    """
    path = secret_file(manifest)
    wanted = {
        (bag, item): generated_item(manifest, bag, item)
        for bag, items in generated_bags(manifest).items()
        for item in items
    }
    if not path.exists():
        there = [file for file in wanted.values() if file.exists()]
        if there:
            raise _lost(path, there[0])
        write_private(path, base64.b64encode(os.urandom(512)).decode() + "\n")
    secret = encryption.read_secret(path)
    for (bag, item), file in wanted.items():
        if file.exists():
            read(manifest, bag, item)  # a damaged one had better be found now
            continue
        clear = {"id": item, item: secrets.token_urlsafe(_LENGTH)}
        write_private(file, json.dumps(encryption.encrypt(clear, secret), indent=2) + "\n")
    return path


def read(manifest: Manifest, bag: str, item: str) -> str:
    """The password in ``bag``/``item``, generated or the user's own.

    Raises InputError if it is missing or can't be decrypted.
    """
    file, key = generated_item(manifest, bag, item), secret_file(manifest)
    for own in manifest.data_bags:
        if own.name == bag:
            file, key = manifest.root / "data_bags" / bag / f"{item}.json", own.secret or key
    try:
        data = json.loads(file.read_text())
        if encryption.is_encrypted(data):
            data = encryption.decrypt(data, encryption.read_secret(key))
        return str(data[item])
    except FileNotFoundError as error:
        remedy = "`stackcook upload` generates it"
        raise InputError([Finding(Path(error.filename), None, "is missing", remedy)]) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"the password can't be read ({error})"
        raise InputError([Finding(file, None, what, "bring back the file as it was")]) from error


def _lost(secret: Path, password: Path) -> InputError:
    what = f"the secret that {password} and others are encrypted with is missing"
    return InputError([Finding(secret, None, what, "bring it back; nothing else can read them")])
