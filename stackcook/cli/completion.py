"""``stackcook completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from stackcook.cli.context import Context
from stackcook.cli.help import Command

_AUTOLOADED = """\
# A file in zsh's fpath is read when the first word is completed; complete that word, too.
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    {function} "$@"
fi
"""
"""What click 8.1.3 (Debian 12) leaves out of its script for zsh; later versions have it."""


@click.command(
    cls=Command,
    examples="""
    # eval its output in ~/.bashrc
    stackcook completion bash
    # eval its output in ~/.zshrc, after compinit
    stackcook completion zsh
    # as ~/.config/fish/completions/stackcook.fish
    stackcook completion fish > stackcook.fish
    """,
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script that completes commands, options, nodes and files in SHELL.

    The Debian package installs these scripts.
    """
    found = get_completion_class(shell)
    assert found is not None, "click has all three"
    completion = found(ctx.find_root().command, {}, "stackcook", "_STACKCOOK_COMPLETE")
    script = completion.source()
    if shell == "zsh" and "loadautofunc" not in script:
        script += _AUTOLOADED.format(function=completion.func_name)
    context: Context = ctx.obj
    context.console.result(script.rstrip("\n"), {"shell": shell, "script": script})
