"""A socket that carries one JSON object a line."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from typing import Any

LONGEST_LINE = 2**20  # bytes; a list of workers is the longest that is sent


class Channel:
    """One connection between two workers. Sending is safe from several threads."""

    def __init__(self, connection: socket.socket):
        self._socket, self._buffer, self._lock = connection, b"", threading.Lock()

    def send(self, **message: Any) -> bool:
        """Sends a message; whether that was possible."""
        try:
            with self._lock:
                self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            return False
        return True

    def receive(self, timeout: float) -> dict[str, Any] | None:
        """The next message, or None if there is none in `timeout` seconds or the other end left.

        What is no message of ours counts as the end: anything may connect to a port.
        """
        try:
            self._socket.settimeout(timeout)
            while b"\n" not in self._buffer:
                received = self._socket.recv(4096)
                if not received or len(self._buffer) > LONGEST_LINE:
                    return None
                self._buffer += received
            line, _, self._buffer = self._buffer.partition(b"\n")
            message = json.loads(line)
        except (OSError, ValueError, RecursionError):
            return None
        return message if isinstance(message, dict) else None

    def close(self) -> None:
        """Ends the connection, and a `receive` that waits in another thread."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def connect(host: str, port: int, timeout: float) -> Channel:
    """Connects, or raises an `OSError`: refused, unknown name, no answer."""
    return Channel(socket.create_connection((host, port), timeout))
