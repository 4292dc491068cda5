"""Which machine it was."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from stand import Stand


def describe(where: Path) -> dict[str, Any]:
    """``where``: a directory on the disk that holds the databases."""
    load = os.getloadavg()
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "kernel": platform.release(),
        "system": _system(),
        "python": platform.python_version(),
        "wrk": _first_line(["wrk", "-v"]),
        "fsync_us": fsync_us(where),
        "load_before": [round(each, 2) for each in load],
    }


def database_version(stand: Stand) -> str:
    return str(stand.value("SELECT current_setting('server_version')"))


def fsync_us(where: Path, times: int = 300) -> float:
    """Median microseconds of writing 8 KB into a file and having it on the disk."""
    where.mkdir(parents=True, exist_ok=True)
    taken = []
    with tempfile.NamedTemporaryFile(dir=where) as file:
        os.posix_fallocate(file.fileno(), 0, times * 8192)
        os.fsync(file.fileno())
        for number in range(times):
            os.pwrite(file.fileno(), b"\x5a" * 8192, number * 8192)
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - began) * 1e6)
    return round(median(taken), 1)


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith(("model name", "Model")):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _first_line(command: list[str]) -> str:
    found = shutil.which(command[0])
    if found is None:
        return ""
    done = subprocess.run([found, *command[1:]], check=False, capture_output=True, text=True)
    return (done.stdout or done.stderr).splitlines()[0].split(" Copyright")[0]
