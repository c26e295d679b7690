"""An ASGI app served on 127.0.0.1 by a thread, and connections that break off."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

App = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


@contextmanager
def served(app: App) -> Iterator[str]:
    """The address of the app for the length of a `with` block."""
    server = uvicorn.Server(
        uvicorn.Config(
            app, host="127.0.0.1", port=0, log_level="critical", lifespan="off", ws="none"
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.002)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


async def body_of(receive: Any) -> bytes:
    """The request's body, whole."""
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def break_off(send: Any) -> None:
    """Close the connection without an answer, as a network does."""
    send.__self__.transport.abort()
    for _ in range(3):
        await asyncio.sleep(0)
