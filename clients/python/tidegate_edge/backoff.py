"""How long to wait before the next attempt."""
import random


class Backoff:
    """Doubles from @first to @most seconds, with full jitter: a thousand devices whose gateway comes back do
    not come back at once."""

    def __init__(self, first=0.5, most=60.0):
        self.first = first
        self.most = most
        self.n_failed = 0

    def worked(self):
        self.n_failed = 0

    def failed(self):
        """Seconds to wait now."""
        limit = min(self.most, self.first * 2 ** min(self.n_failed, 32))
        self.n_failed += 1
        return random.uniform(self.first / 10, limit)
