"""Sessions: which clips a listener hears and in which order, so that no arm stands earlier than another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cantilena.listening.allocation import allocate
from cantilena.listening.study import Slot

APART = 6
"""Trials at least between a clip and its repeat."""


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

    Trials of items come in rounds, one clip of each arm a round; the orders of rounds are the rows of a Latin square in
    which every arm also follows every other equally often (E. J. Williams, Experimental designs balanced for the
    estimation of residual effects of treatments, Australian Journal of Scientific Research A 2, 1949). Anchors, repeats
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
        order = [names[dealt[who, arm, trip]] for trip in range(heard) for arm in square[(who + trip) % len(square)]]
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
