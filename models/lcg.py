"""The random order that Python and firmware share (C++ twin: lcg.h; a test compares them)."""

from __future__ import annotations


class Random:
    """The linear congruential generator of Numerical Recipes; `below` uses its upper 16 bits."""

    def __init__(self, seed: int):
        self.state = (seed + 1) * 2654435761 & 0xFFFFFFFF  # Knuth's multiplier sets neighbouring seeds apart

    def below(self, count: int) -> int:
        """A number in [0, count), count <= 65536."""
        self.state = (self.state * 1664525 + 1013904223) & 0xFFFFFFFF
        return (self.state >> 16) % count

    def shuffle(self, items: list) -> None:
        """Fisher and Yates, from the end."""
        for last in range(len(items) - 1, 0, -1):
            other = self.below(last + 1)
            items[last], items[other] = items[other], items[last]
