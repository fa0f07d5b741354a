"""Holm's correction: many numbers are tested, and chance alone makes one in twenty of them look different."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cantilena.metrics.permutation import Difference


def corrected(differences: Sequence[Difference]) -> list[Difference]:
    """The same with Holm's correction: all of them together are one family.

    Args:
        differences: those that are told together, such as all numbers of a pair of systems.

    Example:
        >>> some = [Difference("a", "b", "x", 1.0, p) for p in (0.01, 0.04, None)]
        >>> [one.adjusted for one in corrected(some)]
        [0.02, 0.04, None]
    """
    adjusted = holm([one.p for one in differences])
    return [replace(one, adjusted=p) for one, p in zip(differences, adjusted, strict=True)]


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Adjusted p-values; those that are None stay so, and do not count.

    S. Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 6, 1979: of m
    p-values in ascending order, the k-th becomes the largest of (m - j + 1) p_j for j = 1..k, 1 at most. To reject what
    is not above .05 then errs anywhere in the family with a probability of .05 at most, however the tests depend.

    Args:
        p: of each test, 0 to 1; None where there was none.

    Example:
        >>> holm([0.03, 0.01, None, 0.04])
        [0.06, 0.03, None, 0.06]
    """
    tested = sorted((value, place) for place, value in enumerate(p) if value is not None)
    adjusted: list[float | None] = [None] * len(p)
    highest = 0.0
    for rank, (value, place) in enumerate(tested):
        highest = max(highest, min((len(tested) - rank) * value, 1.0))
        adjusted[place] = highest
    return adjusted
