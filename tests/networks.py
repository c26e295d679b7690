"""A network in front of a server that can be cut, for as long as a `with` block lasts."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Network:
    """A TCP port that leads to a server's socket.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        after: How many bytes to the server it carries before it breaks down; None for any number.
    """

    port: int
    after: int | None = None
    carried: int = 0
    lines: list[socket.socket] = field(default_factory=list)

    def cut(self) -> None:
        """Every connection breaks down."""
        for line in self.lines:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()
        self.lines.clear()


@contextlib.contextmanager
def network(server: Path) -> Iterator[Network]:
    """A network that leads to the server with this socket."""
    listener = socket.create_server(("127.0.0.1", 0))
    found = Network(listener.getsockname()[1])
    threading.Thread(target=_accept, args=(listener, server, found), daemon=True).start()
    try:
        yield found
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        found.cut()


def _accept(listener: socket.socket, server: Path, network: Network) -> None:
    with contextlib.suppress(OSError):
        while True:
            client, _ = listener.accept()
            upstream = socket.socket(socket.AF_UNIX)
            upstream.connect(str(server))
            network.lines += [client, upstream]
            for source, target in ((client, upstream), (upstream, client)):
                threading.Thread(
                    target=_carry, args=(source, target, network, source is client), daemon=True
                ).start()


def _carry(source: socket.socket, target: socket.socket, network: Network, counts: bool) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            network.carried += len(data) if counts else 0
            if network.after is not None and network.carried > network.after:
                network.cut()
                return
            target.sendall(data)
        target.shutdown(socket.SHUT_RDWR)
