"""Everything external that an operation needs: ``realsite`` implements it, tests use a fake."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from stackcook.bootstrap.base import Deploy
from stackcook.bootstrap.bootstrap import Bootstrap
from stackcook.machines.base import Machines
from stackcook.manifest.model import Node
from stackcook.verify.check import Report

Say = Callable[[str], None]
"""Takes a line of progress."""


class Site(Protocol):
    """One deployment's machines, Chef server and cloud.

    Methods that return a text say what they did in a few words. All raise StackcookErrors.
    """

    @property
    def machines(self) -> Machines:
        """The machines of the nodes."""
        ...

    def check(self) -> str:
        """Read the Chef repository; raises InputError with every finding."""
        ...

    def secrets(self) -> str:
        """Generate the passwords that are missing."""
        ...

    def chef_server(self) -> str:
        """Start the embedded Chef server, or check that the user's answers."""
        ...

    def registered(self) -> Collection[str]:
        """The nodes that the Chef server has; none if the embedded one is not running."""
        ...

    def forget_host_keys(self, nodes: Sequence[Node]) -> None:
        """Remove the recorded SSH host keys of these nodes."""
        ...

    def upload(self, say: Say) -> str:
        """Make the Chef server's objects equal to the repository's."""
        ...

    def bootstrap(self) -> Bootstrap:
        """What bootstraps and converges nodes; the same object at every call."""
        ...

    def digest(self) -> str:
        """A checksum of the manifest and the Chef repository."""
        ...

    def recipes_to_prepare(self, nodes: Sequence[Node]) -> Mapping[str, tuple[str, ...]]:
        """The recipes of each node, by its name, that need no other node."""
        ...

    def gate(self, nodes: Sequence[Node], deploy: Deploy) -> str:
        """Wait until the services of ``nodes`` answer, and those in the deploy have reported it.

        Raises VerifyError.
        """
        ...

    def knife(self, say: Say) -> str:
        """Run the commands of the manifest's section ``knife``."""
        ...

    def silent(self, nodes: Sequence[Node], deploy: Deploy) -> Collection[str]:
        """Those of ``nodes`` for which the Chef server has no record of this deploy."""
        ...

    def verify(self, *, without: Collection[str] = (), deploy: Deploy) -> Report:
        """Check that the cloud works, leaving out the nodes named in ``without``.

        Raises VerifyError if one of the others is in the deploy and has not reported it.
        """
        ...

    def facts(self) -> Mapping[str, str]:
        """Label → text for the end of the summary, such as Horizon's URL."""
        ...

    def settle(self) -> None:
        """Wait until the embedded Chef server's data is on disk."""
        ...

    def forget(self, nodes: Sequence[Node]) -> str:
        """Delete the nodes and their clients from the Chef server, if it is the user's own."""
        ...

    def stop_chef_server(self) -> str:
        """Stop the embedded Chef server; does not stop a server of the user's."""
        ...

    def remove(self) -> str:
        """Remove all that is kept on this machine: ``.stackcook`` and ``clouds.yaml``."""
        ...
