"""Where the servers of tests listen."""

from __future__ import annotations

import contextlib
import secrets
import socket


def free_port() -> int:
    """A port where nobody listens, below those that systems give to connections.

    One of these could be given to another process before the server that is told it has started.
    """
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as tried, contextlib.suppress(OSError):
            tried.bind(("127.0.0.1", port))
            return port
