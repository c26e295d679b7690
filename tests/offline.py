"""The walk in a process that no connection leaves, and that notes every one that is tried.

Run as a program, `python -c "$(cat tests/offline.py)" NOTES`, in a folder with `sales.parquet`: so
it needs nothing of this repository but the package, from wherever that comes. What is tried
from Python is noted and refused; where the system lets a process leave the network, nothing that
other code tries can get anywhere either.
"""

import ctypes
import socket
import sys
import traceback
from pathlib import Path

COMMANDS = (
    ["init", "--transactions", "sales.parquet", "--name", "shop"],
    *(
        [*words, "--config", "shop.yaml"]
        for words in (
            ["validate"],
            ["features"],
            ["train"],
            ["score"],
            ["report"],
            ["portfolio"],
            ["monitor"],
            ["doctor"],
            ["models", "export"],
        )
    ),
)
_ASKS = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}
_SENDS = {"socket.connect", "socket.sendto", "socket.sendmsg"}
_NEW_NETWORK = 0x40000000


def watched(notes: Path) -> None:
    """From here on to the end of this process, note and refuse whatever would leave it."""
    notes.touch()

    def refuse(event: str, arguments: tuple[object, ...]) -> None:
        if event in _SENDS:
            if getattr(arguments[0], "family", None) == socket.AF_UNIX:
                return
        elif event not in _ASKS:
            return
        where = "".join(traceback.format_stack(limit=8)[:-1])
        with notes.open("a", encoding="utf-8") as file:
            file.write(f"{event} {arguments[1:] if event in _SENDS else arguments}\n{where}\n")
        raise OSError(f"{event}: no connection may leave")

    sys.addaudithook(refuse)


def left_alone() -> bool:
    """Leave the network, as root may on Linux; gives whether it went."""
    try:
        return ctypes.CDLL(None).unshare(_NEW_NETWORK) == 0
    except (OSError, AttributeError):
        return False


def main() -> None:
    """The walk."""
    watched(Path(sys.argv[1]))
    left_alone()
    from portfolio_ml.cli import app  # noqa: PLC0415 - what it imports is watched, too

    for words in COMMANDS:
        if code := app.run([*words, "--quiet"]):
            raise SystemExit(f"{words[0]} ended with {code}")


if __name__ == "__main__":
    main()
