"""Runs the command in its arguments, and prints what that took as a line of JSON at the end.

A process of its own because Linux counts in what a process was forked from: here that is 10 MiB.
``mib`` is the most that any one process of the command had at once.
"""

import json
import os
import sys
import time

begun = time.perf_counter()
pid = os.spawnvp(os.P_NOWAIT, sys.argv[1], sys.argv[1:])
_, status, used = os.wait4(pid, 0)
measured = {
    "status": os.waitstatus_to_exitcode(status),
    "seconds": round(time.perf_counter() - begun, 3),
    "cpu": round(used.ru_utime + used.ru_stime, 3),
    "mib": round(used.ru_maxrss / 1024, 1),
}
print(json.dumps(measured), flush=True)
