"""Bars by number: `5-8`."""

from __future__ import annotations

import re
from typing import ClassVar

from cantilena.errors import UsageError


class BarRange(int):
    """Bars first to last of a melody, counted from 1; a pickup is bar 0. As a number it says how many they are.

    Args:
        first: the first bar.
        last: the last, itself included.

    Raises:
        UsageError: bars in the wrong order, or below 0.

    Example:
        >>> asked = BarRange.parse("5-8")
        >>> asked.first, asked.last, int(asked), str(asked)
        (5, 8, 4, '5-8')
    """

    shape: ClassVar[str] = "FIRST-LAST"
    first: int
    last: int

    def __new__(cls, first: int, last: int) -> BarRange:
        """A number of bars that knows which they are."""
        if not 0 <= first <= last <= 10**9:
            raise UsageError(f"bars {first}-{last}", "give the first and the last, such as 5-8")
        made = super().__new__(cls, last - first + 1)
        made.first, made.last = first, last
        return made

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    def __repr__(self) -> str:
        return f"BarRange({self.first}, {self.last})"

    def __reduce__(self) -> tuple[type[BarRange], tuple[int, int]]:
        return BarRange, (self.first, self.last)

    @classmethod
    def parse(cls, text: str) -> BarRange:
        """Read `5-8`; `5-5` is bar 5 alone."""
        found = re.fullmatch(r"\s*(\d{1,9})\s*-\s*(\d{1,9})\s*", text, re.ASCII)
        if found is None:
            raise UsageError(f"'{text}' is no range of bars", "write the first and the last, such as 5-8")
        return cls(int(found[1]), int(found[2]))
