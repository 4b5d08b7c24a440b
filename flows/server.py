"""Prefect's own server for the length of one night: it ends when the night's process ends, however it ends.

Prefect would start one by itself, but that one outlives a killed night and keeps its database locked.
This one reads its standard input, which the night holds open: the operating system closes it with the night.
"""

from __future__ import annotations

import os
import socket
import sys
import threading

import uvicorn

ADDRESS = "127.0.0.1"


def _end_with_the_night() -> None:
    sys.stdin.buffer.read()
    # Nothing to tidy: the night has read back what it needs, and SQLite recovers its own log.
    os._exit(0)


def main(port: int) -> None:
    """Serve Prefect's API on the loopback address until standard input closes.

    Parameters
    ----------
    port : int
        Port to listen on; 0 takes a free one. The port taken is the first line of standard output.
    """
    threading.Thread(target=_end_with_the_night, daemon=True).start()
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((ADDRESS, port))
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    config = uvicorn.Config(
        "prefect.server.api.server:create_app", factory=True, lifespan="on", log_level="error"
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(int(sys.argv[1]))
