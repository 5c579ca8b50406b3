"""Runs on the node: prints each result of a subunit stream at once, as a line of JSON.

It uses only what the package ``tempest`` depends on. ``results.read`` reads the lines.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import subunit
from testtools import StreamToDict


def show(test: dict[str, Any]) -> None:
    """Print a test that ended; ``timestamps`` are datetimes, or None where there is none."""
    began, ended = (moment.timestamp() if moment else 0.0 for moment in test["timestamps"])
    details = test["details"]
    tracebacks = sorted(name for name in details if name.startswith("traceback"))
    said = {
        "id": test["id"],
        "status": test["status"],
        "began": began or ended,
        "ended": ended or began,
        "reason": details["reason"].as_text() if "reason" in details else "",
        "tracebacks": [details[name].as_text() for name in tracebacks],
    }
    print(json.dumps(said), flush=True)


def main() -> None:
    """Read the stream on standard input to its end."""
    source = subunit.ByteStreamToStreamResult(sys.stdin.buffer, non_subunit_name="stdout")
    results = StreamToDict(show)
    results.startTestRun()
    source.run(results)
    results.stopTestRun()


if __name__ == "__main__":
    main()
