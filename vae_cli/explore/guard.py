"""Access control: only the server's own pages, at its own address, may use it.

A page of another site can make its visitor's browser send requests to this machine:
under its own name, which it resolves to this address (DNS rebinding), or across sites,
which browsers allow for websockets. The headers Host and Origin reveal both.
"""

import ipaddress
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[None]]

MAX_BODY = 2**29
"""Largest upload, bytes."""
LOCAL = ("localhost", "127.0.0.1", "::1")


def is_loopback(host: str) -> bool:
    """Return whether an address is only reachable from this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Guard:
    """Refuses requests that come from pages of other sites.

    Args:
        application: an ASGI application.
        host: address that the server listens on.
    """

    def __init__(self, application: Application, host: str) -> None:
        self._application = application
        self._names = {*LOCAL, host.lower()}
        self._open = not is_loopback(host)
        if self._open:
            self._names |= {socket.gethostname().lower(), socket.getfqdn().lower()}

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Pass a request on, or refuse it with 403, or 413 if it is too large."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
        elif self.allows(scope["headers"]):
            if scope.get("method") == "POST" and not is_bounded(scope["headers"]):
                await _answer(send, 413, b"Refused: too large, or without a size.\n")
            else:
                await self._application(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            text = b"Refused: this address is not one of vae-explore's own.\n"
            await _answer(send, 403, text)

    def allows(self, headers: list[tuple[bytes, bytes]]) -> bool:
        """Return whether a request with these headers may pass."""
        values = {name.lower(): value.decode("latin-1") for name, value in headers}
        address = values.get(b"host", "").lower()
        if not self._is_own(_without_port(address)):
            return False
        origin = values.get(b"origin")
        return origin is None or origin.lower().partition("://")[2] == address

    def _is_own(self, name: str) -> bool:
        if name in self._names:
            return True
        if not self._open:
            return False
        try:  # an IP address can't be rebound
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def is_bounded(headers: list[tuple[bytes, bytes]]) -> bool:
    """Return whether a request states its size, and it is at most `MAX_BODY`."""
    sizes = [value for name, value in headers if name.lower() == b"content-length"]
    return len(sizes) == 1 and sizes[0].isdigit() and int(sizes[0]) <= MAX_BODY


async def _answer(send: Any, status: int, text: bytes) -> None:
    head = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": text})


def _without_port(address: str) -> str:
    if address.startswith("["):
        name, _, port = address[1:].partition("]")
        return name if port[:1] in ("", ":") else address
    return address.partition(":")[0]
