"""The world outside, as a run needs it: put together in ``cli``, replaced by a fake in tests."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from stackcook.bootstrap.base import Bootstrap, Deploy
from stackcook.operations.steps import Say
from stackcook.machines.base import Machines
from stackcook.manifest.model import Node
from stackcook.verify.check import Report


class Site(Protocol):
    """One deployment's machines, Chef server and cloud.

    Methods that return a text say what they did in a few words. All raise StackcookErrors.
    """

    @property
    def machines(self) -> Machines:
        """How the nodes' machines come up."""
        ...

    def check(self) -> str:
        """Look at the Chef repository; raises InputError with every finding."""
        ...

    def secrets(self) -> str:
        """Generate the passwords that are missing."""
        ...

    def chef_server(self) -> str:
        """See that a Chef server answers; starts the embedded one."""
        ...

    def upload(self, say: Say) -> str:
        """Bring the Chef server's objects in step with the repository."""
        ...

    def bootstrap(self) -> Bootstrap:
        """The way to bring nodes under Chef; the same one at every call."""
        ...

    def digest(self) -> str:
        """What stands for the manifest and the Chef repository; another one if either changes."""
        ...

    def ahead(self, nodes: Sequence[Node]) -> Mapping[str, tuple[str, ...]]:
        """The recipes of each node, by its name, that need no other node."""
        ...

    def gate(self, nodes: Sequence[Node], deploy: Deploy) -> str:
        """Wait until those of ``nodes`` that it takes up have reported this deploy, and the
        services of all answer.

        Raises VerifyError.
        """
        ...

    def knife(self, say: Say) -> str:
        """Run the commands of the manifest's section ``knife``."""
        ...

    def silent(self, nodes: Sequence[Node], deploy: Deploy) -> Collection[str]:
        """Those of ``nodes`` that the Chef server has no report of this deploy from."""
        ...

    def verify(self, *, without: Collection[str] = (), deploy: Deploy) -> Report:
        """Look whether the cloud works, leaving out the nodes named in ``without``.

        Raises VerifyError if one of the others has not reported ``deploy``, which took it up.
        """
        ...

    def facts(self) -> Mapping[str, str]:
        """What the user wants to know at the end: names of things and where they are."""
        ...

    def settle(self) -> None:
        """See that the embedded Chef server's data is on disk."""
        ...

    def forget(self, nodes: Sequence[Node]) -> str:
        """Delete the nodes and their clients from the Chef server, if it is the user's own."""
        ...

    def stop_chef_server(self) -> str:
        """Stop the embedded Chef server; another one is none of ours."""
        ...

    def remove(self) -> str:
        """Remove all that is kept on this machine: ``.stackcook`` and ``clouds.yaml``."""
        ...
