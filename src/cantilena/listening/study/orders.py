"""Sessions: which clips a listener hears and in which order, so that no arm stands earlier than another.

Nor can a listener who knows this file tell from what came what comes next: the arms of a session are in random order,
and the balance is one among sessions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cantilena.listening.study.allocation import allocate
from cantilena.listening.study.study import Slot

APART = 6
"""Trials at least between a clip and its repeat."""

_DRAWS = 100


def sessions(
    items: Sequence[Sequence[str]],
    heard: int,
    listeners: int,
    rng: np.random.Generator,
    *,
    anchors: Sequence[str] = (),
    anchors_each: int = 2,
    repeats: int = 1,
    attention: str = "",
) -> tuple[tuple[Slot, ...], ...]:
    """The sessions of a study.

    An order of the arms is drawn at random for a group of listeners; each of them hears it with the arms renamed by
    another row of a Latin square (E. J. Williams, Experimental designs balanced for the estimation of residual effects
    of treatments, Australian Journal of Scientific Research A 2, 1949). So in a group every arm stands at every place
    equally often, and follows every other equally often, or nearly so where there are more than three. Anchors, repeats
    and the check are put between them.

    Args:
        items: for each arm its clips, equally many.
        heard: clips of each arm that one listener hears.
        listeners: how many sessions.
        rng: the randomness.
        anchors: clips of shuffled notes, dealt out in turn.
        anchors_each: how many of them a session has.
        repeats: how many items a session plays again.
        attention: the clip of the attention check; none if empty.

    Example:
        >>> made = sessions([["a", "b"], ["c", "d"]], 2, 4, np.random.default_rng(1), repeats=0)
        >>> sorted(slot.clip for slot in made[0])
        ['a', 'b', 'c', 'd']
    """
    arms = len(items)
    names = [name for arm in items for name in arm]
    dealt = allocate(listeners, arms, len(items[0]), heard, rng)
    square = williams(arms)
    found = []
    for who in range(listeners):
        if who % len(square) == 0:
            places = _order(square, heard, rng)
        hands = [iter(dealt[who, arm].tolist()) for arm in range(arms)]
        order = [names[next(hands[arm])] for arm in square[who % len(square)][places].tolist()]
        slots = [Slot("item", clip) for clip in order]
        extra: list[Slot] = []
        if anchors:
            extra += [Slot("anchor", anchors[(who * anchors_each + n) % len(anchors)]) for n in range(anchors_each)]
        if attention:
            extra.append(Slot("attention", attention))
        for slot in extra:
            slots.insert(int(rng.integers(2, len(slots))), slot)
        for clip in rng.permutation(order[: max(len(order) - APART, 0)])[:repeats]:
            first = slots.index(Slot("item", str(clip)))
            slots.insert(
                int(rng.integers(min(first + APART + 1, len(slots)), len(slots) + 1)), Slot("repeat", str(clip))
            )
        found.append(tuple(slots))
    return tuple(found)


def williams(arms: int) -> NDArray[np.int64]:
    """Williams's Latin square, `(rows, arms)`: as many rows as arms where those are even, else twice as many.

    Example:
        >>> williams(4).tolist()
        [[0, 1, 3, 2], [1, 2, 0, 3], [2, 3, 1, 0], [3, 0, 2, 1]]
    """
    first = [0] + [(step + 1) // 2 if step % 2 else arms - step // 2 for step in range(1, arms)]
    square = (np.array(first) + np.arange(arms)[:, None]) % arms
    return square if arms % 2 == 0 else np.vstack([square, square[:, ::-1]])


def _order(square: NDArray[np.int64], heard: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Columns of the square, each `heard` times, in a random order that lets arms follow each other most evenly."""
    arms = square.shape[1]
    orders = [rng.permutation(np.repeat(np.arange(arms), heard)) for _ in range(_DRAWS if arms > 3 else 1)]

    def unevenness(order: NDArray[np.int64]) -> int:
        follows = np.zeros((arms, arms), np.int64)
        np.add.at(follows, (square[:, order[:-1]], square[:, order[1:]]), 1)
        return int(np.ptp(follows[~np.eye(arms, dtype=np.bool_)]))

    return min(orders, key=unevenness)
