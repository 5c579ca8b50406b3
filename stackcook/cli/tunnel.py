"""``stackcook tunnel``."""

from __future__ import annotations

import os
import shlex
import socket
from urllib.parse import urlsplit

import click

from stackcook.addresses import bracketed
from stackcook.cli.context import Context, zone_option
from stackcook.cli.help import Command
from stackcook.cli.open import horizon_url
from stackcook.errors import UsageError
from stackcook.run.lock import user
from stackcook.verify.horizon import ADD_NAME, accepts


@click.command(
    cls=Command,
    examples="""
    stackcook tunnel
    # if port 8080 of the laptop is in use
    stackcook tunnel --port 9000
    """,
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    metavar="PORT",
    default=8080,
    show_default=True,
    help="Port on the laptop.",
)
@zone_option
@click.pass_obj
def command(context: Context, port: int, zone: str | None) -> None:
    """Print the SSH command with which a laptop reaches Horizon through this machine."""
    horizon, manifest = urlsplit(horizon_url(context, zone)), context.load_deployed()
    if not accepts(f"{horizon.geturl()}horizon", f"localhost:{port}", manifest.cacert):
        raise UsageError(
            "Horizon does not accept the host name localhost",
            where=horizon.geturl(),
            remedy=ADD_NAME,
        )
    secure = horizon.scheme == "https"
    target = f"{bracketed(horizon.hostname or '')}:{horizon.port or (443 if secure else 80)}"
    there, guessed = _this_machine()
    forward = shlex.join(("ssh", "-N", "-L", f"{port}:{target}", *there))
    socks = shlex.join(("ssh", "-N", "-D", "1080", *there))
    url = f"{horizon.scheme}://localhost:{port}/horizon/"
    text = f"""\
On the laptop, run this command, and leave it running:
  {forward}
Then open:
  {url}
To also reach consoles and floating IPs of instances, run this one instead:
  {socks}
Then set localhost:1080 as the SOCKS proxy of the browser, and open:
  {horizon.geturl()}"""
    if guessed:
        text += f"\nReplace {guessed} if the laptop knows this machine by another name or address."
    if secure:
        text += "\nThe browser will warn that the certificate is not for localhost."
    context.console.result(text, {"command": forward, "url": url, "socks": socks})


def _this_machine() -> tuple[tuple[str, ...], str]:
    """The arguments of ssh(1) that lead here, as the user has logged in.

    If it is not known how they have, as with sudo, also the host name that is used instead.
    """
    name = os.environ.get("SUDO_USER") or user()
    if connection := os.environ.get("SSH_CONNECTION"):
        _client, _client_port, address, port = connection.split()
        return (*(() if port == "22" else ("-p", port)), f"{name}@{address}"), ""
    host = socket.gethostname()
    return (f"{name}@{host}",), host
