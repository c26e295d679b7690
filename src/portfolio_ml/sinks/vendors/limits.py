"""When a call may be made: a rolling limit, and the pauses that a CRM asks for."""

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
