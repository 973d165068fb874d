"""What the kernel says about another process: CPU time and memory."""

import time
from pathlib import Path


def cpu_ns(pid: int) -> int:
    """User and system time of all its threads since its start, dead ones included.

    It is the process's CPU-time clock, whose id clock_getcpuclockid(3) makes of the pid: the sum that /proc/PID/stat
    shows in ticks of 10 ms, in nanoseconds.  Raises OSError where the process is gone.
    """
    return time.clock_gettime_ns((~pid << 3) | 2)


def threads_cpu_ns(pid: int, name: str) -> int:
    """The same of those of its threads that have this name and live.  Raises OSError where the process is gone."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            if (task / "comm").read_text() == f"{name}\n":
                total += int((task / "schedstat").read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):  # it ended since it was listed
            continue
    return total


def rss_bytes(pid: int) -> int:
    """Resident memory, shared pages included (VmRSS of /proc/PID/status)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    raise ProcessLookupError(f"process {pid} has no memory any more")


def children(pid: int) -> list[int]:
    """The ids of its child processes (ppid is the fourth field of /proc/PID/stat)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it ended since it was listed
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return sorted(found)


def has_mapped(pid: int, library: str) -> bool:
    """Whether a file of this name is in its address space."""
    return library in Path(f"/proc/{pid}/maps").read_text()
