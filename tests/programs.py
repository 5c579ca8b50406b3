"""berks and librarian-chef as tests want them: they bring cookbooks, or fail on demand."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from stackcook.chef.resolvers.vendored import Programs
from stackcook.command import Command, Completed, CommandError, Say
from stackcook.errors import UsageError
from tests.runner import FakeRun


@dataclass
class FakeProgram(FakeRun):
    """Brings the cookbooks of ``brings`` and writes the lock, unless an answer is waiting.

    ``asked`` notes each command. An answer is what the program prints before it fails, or the
    error that keeps it from ending.
    """

    lock: Path
    brings: tuple[str, ...] = ("apt",)
    locked: str = "locked\n"
    answers: list[str | CommandError] = field(default_factory=list)
    asked: list[Command] = field(default_factory=list)
    installed: bool = True

    @property
    def programs(self) -> Programs:
        return Programs(self._find, self)

    def _find(self, name: str) -> Path:
        if not self.installed:
            raise UsageError(f"{name} is not installed")
        return Path("/programs") / name

    def answer(self, command: Command, say: Say) -> Completed:
        self.asked.append(command)
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, CommandError):
                raise answer
            for line in answer.splitlines():
                say(line)
            return Completed(1, answer)
        where = Path(str(command.env.get("LIBRARIAN_CHEF_PATH") or command.argv[2]))
        for name in self.brings:
            (where / name / ".git").mkdir(parents=True)
            (where / name / ".git" / "HEAD").write_text("of the repository")
            (where / name / "metadata.rb").write_text(f"name '{name}'\n")
        self.lock.write_text(self.locked)
        return Completed(0, "Resolving\n")
