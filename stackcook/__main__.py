"""The console script ``stackcook``, and ``python -m stackcook``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; Ctrl-C while its modules are imported shows no traceback."""
    try:
        from stackcook.cli.main import main as run

        run()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)  # ExitCode.INTERRUPTED, whose module may be what was not imported


if __name__ == "__main__":
    main()
