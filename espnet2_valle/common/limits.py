"""Limits of one visitor's requests."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable


class RateLimiter:
    """A bucket of tokens for each visitor, refilled steadily.

    Args:
        rate: requests a second in the long run.
        burst: requests at once.
        most: visitors remembered; the one longest unseen is forgotten first.
        clock: seconds.
    """

    def __init__(
        self, rate: float, burst: int, most: int = 10000, clock: Callable[[], float] = time.monotonic
    ):
        self._rate, self._burst, self._most, self._clock = rate, burst, most, clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, visitor: str) -> bool:
        """Take a token, if there is one."""
        now = self._clock()
        with self._lock:
            tokens, seen = self._buckets.pop(visitor, (float(self._burst), now))
            tokens = min(self._burst, tokens + (now - seen) * self._rate)
            allowed = tokens >= 1
            self._buckets[visitor] = (tokens - 1 if allowed else tokens, now)
            while len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        return allowed


class ConnectionLimiter:
    """Open connections, of one visitor and of all.

    Args:
        each: of one visitor; with more the visitor is crowded.
        most: of one visitor, those counted that are only told so.
        total: of all.
    """

    def __init__(self, each: int, most: int, total: int):
        self._each, self._most, self._total = each, most, total
        self._lock = threading.Lock()
        self._open: dict[str, int] = {}

    def enter(self, visitor: str) -> bool:
        """Count a connection, unless it is one too many."""
        with self._lock:
            if self._open.get(visitor, 0) >= self._most or sum(self._open.values()) >= self._total:
                return False
            self._open[visitor] = self._open.get(visitor, 0) + 1
        return True

    def crowded(self, visitor: str) -> bool:
        """Return whether a visitor has more connections than are served."""
        with self._lock:
            return self._open.get(visitor, 0) > self._each

    def leave(self, visitor: str) -> None:
        """Forget a connection."""
        with self._lock:
            self._open[visitor] -= 1
            if not self._open[visitor]:
                del self._open[visitor]
