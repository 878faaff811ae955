"""The port that the page is served on."""

import os
import socket

from vae_cli.errors import RunError

PORTS = 100
"""Ports to try when suggesting a free one."""


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Called before TensorFlow starts, so that a port in use is reported at once.

    Raises:
        RunError: the port is in use, or the address doesn't belong to this machine.
    """
    try:
        return _bound(host, port)
    except (OSError, OverflowError) as error:
        for other in range(port + 1, min(port + PORTS, 65536)):
            try:
                _bound(host, other).close()
            except OSError:
                continue
            raise RunError(
                f"port={port} of {host} can't be used: {_reason(error)}.",
                f"port={other} is free",
            ) from error
        raise RunError(
            f"host={host} can't be used: {_reason(error)}.",
            "host=127.0.0.1 is only this machine, host=0.0.0.0 all of its addresses",
        ) from error


def _bound(host: str, port: int) -> socket.socket:
    kind = socket.AF_INET6 if ":" in host else socket.AF_INET
    own = socket.socket(kind, socket.SOCK_STREAM)
    try:
        if os.name != "nt":  # there, this option would share the port
            own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.bind((host, port))
        own.listen(100)
    except BaseException:
        own.close()
        raise
    return own


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def address_of(host: str, port: int) -> str:
    """Return the URL of the page, for a browser on this machine."""
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/"
