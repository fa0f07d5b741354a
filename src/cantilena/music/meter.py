"""Meter and tempo: how ticks become bars and seconds."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from cantilena.errors import UsageError

TICKS_PER_QUARTER = 24
"""The unit of musical time: exact for 32nds (3 ticks) and for triplet sixteenths (4 ticks)."""


@dataclass(frozen=True, slots=True)
class Meter:
    """A time signature.

    Args:
        numerator: beats as written, 1..64.
        denominator: the note value of a beat: 1, 2, 4, 8, 16 or 32.

    Raises:
        UsageError: a value is out of range.

    Examples:
        >>> Meter(6, 8).ticks_per_bar
        72
    """

    numerator: int = 4
    denominator: int = 4

    def __post_init__(self) -> None:
        if not 1 <= self.numerator <= 64 or self.denominator not in (1, 2, 4, 8, 16, 32):
            raise UsageError(f"{self.numerator}/{self.denominator} is not a meter", "write it like 4/4, 3/4 or 6/8")

    @classmethod
    def parse(cls, text: str) -> Meter:
        """Parse `3/4`."""
        numerator, _, denominator = text.strip().partition("/")
        if not (numerator.isdecimal() and denominator.isdecimal()):
            raise UsageError(f"'{text}' is not a meter", "write it like 4/4, 3/4 or 6/8")
        return cls(int(numerator), int(denominator))

    @property
    def ticks_per_bar(self) -> int:
        """Length of a bar in ticks."""
        return self.numerator * 4 * TICKS_PER_QUARTER // self.denominator

    @property
    def ticks_per_beat(self) -> int:
        """Length of a beat in ticks: three written beats in compound meters (6/8, 9/8, 12/8)."""
        written = 4 * TICKS_PER_QUARTER // self.denominator
        compound = self.denominator >= 8 and self.numerator % 3 == 0 and self.numerator > 3
        return 3 * written if compound else written

    def bar_starts(self, length: int, pickup: int = 0) -> Iterator[int]:
        """The ticks at which bars begin, the first at 0; a pickup is a bar of its own.

        Args:
            length: ticks of the piece.
            pickup: ticks before the first barline.

        Examples:
            >>> list(Meter(3, 4).bar_starts(200, pickup=24))
            [0, 24, 96, 168]
        """
        first = pickup % self.ticks_per_bar
        if first:
            yield 0
        yield from range(first, max(length, 1), self.ticks_per_bar)

    def __str__(self) -> str:
        return f"{self.numerator}/{self.denominator}"


@dataclass(frozen=True, slots=True)
class Tempo:
    """A tempo map; nothing else converts between ticks and seconds.

    Args:
        changes: pairs of (tick, quarter notes a minute), the first at tick 0, ascending.

    Raises:
        UsageError: there is no change at tick 0, the ticks do not ascend, or a rate is outside 1 to 2000.

    Examples:
        >>> slow_then_fast = Tempo(((0, 60.0), (48, 120.0)))
        >>> slow_then_fast.seconds(72), slow_then_fast.ticks(2.5)
        (2.5, 72)
    """

    changes: tuple[tuple[int, float], ...] = ((0, 120.0),)

    def __post_init__(self) -> None:
        if not self.changes or self.changes[0][0] != 0:
            raise UsageError("the tempo map has no tempo at its start", "give the first change at tick 0")
        if any(later <= earlier for (earlier, _), (later, _) in pairwise(self.changes)):
            raise UsageError("the changes of the tempo map are out of order", "sort them by tick, one a tick")
        for _, rate in self.changes:
            if not 1 <= rate <= 2000:
                raise UsageError(f"{rate:g} is not a tempo", "give 1 to 2000 quarter notes a minute")

    @classmethod
    def constant(cls, quarters_per_minute: float) -> Tempo:
        """One tempo throughout."""
        return cls(((0, float(quarters_per_minute)),))

    @property
    def initial(self) -> float:
        """Quarter notes a minute at the start."""
        return self.changes[0][1]

    def seconds(self, tick: float) -> float:
        """Seconds from the start to a tick."""
        total = 0.0
        for (start, rate), (end, _) in pairwise((*self.changes, (2**62, 1.0))):
            span = min(tick, end) - start
            if span <= 0:
                break
            total += span / TICKS_PER_QUARTER * 60.0 / rate
        return total

    def ticks(self, seconds: float) -> int:
        """The first tick at or after a time in seconds, up to rounding errors of a millionth of a tick."""
        starts = [self.seconds(tick) for tick, _ in self.changes]
        index = max(bisect_right(starts, seconds) - 1, 0)
        start, rate = self.changes[index]
        exact = start + (seconds - starts[index]) * rate / 60.0 * TICKS_PER_QUARTER
        return max(0, -int(-(exact - 1e-6) // 1))
