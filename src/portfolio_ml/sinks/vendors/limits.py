"""When a call may be made, and how long is waited: a rolling limit, pauses, and patience."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as a delivery sees it; tests bring their own.

    Attributes:
        seconds: Seconds that never run backwards.
        sleep: Wait so many seconds.
    """

    seconds: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a delivery waits, in seconds.

    Attributes:
        timeout: For a server's answer.
        attempts: How often a call is made where the server is for a moment not able.
        first_pause: The first pause between them; each is twice the one before.
        longest_pause: The longest such pause.
        jitter: What is added to each at most, at random, so that many runs do not beat together.
        longest_wait: A longer wait than this, which the CRM asks for, ends the delivery.
        waits: How often one call waits as the CRM asks, before it ends the delivery.
    """

    timeout: float = 60.0
    attempts: int = 6
    first_pause: float = 1.0
    longest_pause: float = 30.0
    jitter: float = 1.0
    longest_wait: float = 300.0
    waits: int = 30


class RollingLimit:
    """At most so many calls in any window of so many seconds, one call at a time.

    A call counts from its end, which lies after the moment at which the CRM counted it: so no
    window of the CRM's own can hold more, whatever the network's delay.

    Args:
        calls: The most calls in a window.
        seconds: The window's length.
        clock: The time.
    """

    def __init__(self, calls: int, seconds: float, clock: Clock) -> None:
        self._calls, self._window, self._clock = calls, seconds, clock
        self._ends: deque[float] = deque()
        self._not_before = clock.seconds()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until a call is allowed; the block makes it."""
        while (left := self._allowed_at() - self._clock.seconds()) > 0:
            self._clock.sleep(left)
        try:
            yield
        finally:
            self._ends.append(self._clock.seconds())

    def pause(self, seconds: float) -> None:
        """Allow no call for so many seconds from now."""
        self._not_before = max(self._not_before, self._clock.seconds() + seconds)

    def lower(self, calls: int) -> None:
        """Allow fewer calls in a window, where the CRM says that it takes no more."""
        self._calls = max(1, min(self._calls, calls))

    def _allowed_at(self) -> float:
        while len(self._ends) > self._calls:
            self._ends.popleft()
        full = len(self._ends) == self._calls
        return max(self._not_before, self._ends[0] + self._window if full else 0.0)
