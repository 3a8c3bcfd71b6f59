"""Stops one thread of another process, and no other, for as long as this one runs: freeze.py TID.

A stopped process (SIGSTOP) is not a hung event loop: all its threads stand.  ptrace(2) stops one.
"""

import ctypes
import os
import sys
import time

PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207
WALL = 0x40000000  # __WALL of waitpid(2)

if __name__ == "__main__":
    tid = int(sys.argv[1])
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long] * 4
    for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
        if libc.ptrace(request, tid, 0, 0) < 0:
            raise SystemExit(f"ptrace: {os.strerror(ctypes.get_errno())}")
    os.waitpid(tid, WALL)
    print("frozen", flush=True)
    while os.path.exists(f"/proc/{tid}"):
        # A traced thread that gets a fatal signal stops once more, and must be let go to die.
        time.sleep(0.05)
        if os.waitpid(tid, WALL | os.WNOHANG) != (0, 0):
            break
