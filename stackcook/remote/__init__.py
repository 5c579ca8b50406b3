"""A node over SSH: run a command, put and get a file; host keys verified since first contact."""

from stackcook.remote.base import Connect, Host, LineListener, Remote, Unreachable, sudo
from stackcook.remote.hostkeys import forget
from stackcook.remote.ssh import connect, wait_for

__all__ = [
    "Connect",
    "Host",
    "LineListener",
    "Remote",
    "Unreachable",
    "connect",
    "forget",
    "sudo",
    "wait_for",
]
