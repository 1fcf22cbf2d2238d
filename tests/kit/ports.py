"""A free loopback port for a server that must be told one.

From below the kernel's range for outgoing connections: a port of that range, free when asked for, may be
the local end of somebody's connection when the server comes to bind it, most of all when a server
restarts on the port it had.
"""

from __future__ import annotations

import random
import socket
from pathlib import Path

LOWEST = 15_000
RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    highest = 32_000
    if RANGE_FILE.exists():
        highest = max(LOWEST + 1000, min(highest, int(RANGE_FILE.read_text().split()[0]) - 1))
    for _ in range(1000):
        port = random.randint(LOWEST, highest)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise RuntimeError(f"no free port on 127.0.0.1 between {LOWEST} and {highest}")
