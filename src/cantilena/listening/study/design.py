"""The numbers of a study, balanced: as many trials of each arm, every order as often as every other.

Sessions: which clips a listener hears and in which order, so that no arm stands earlier than another.

Nor can a listener who knows this file tell from what came what comes next: the arms of a session are in random order,
and the balance is one among sessions.

Who hears which clips: every clip equally often, every listener as many of each arm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.listening.options import CreateOptions
from cantilena.listening.study.study import Screening, Slot
from cantilena.listening.trials import HUMAN

_PAPER_SECONDS = 30.0


@dataclass(frozen=True)
class Design:
    """A balanced design.

    Args:
        arms: names, `human` first.
        clips: of each arm.
        heard: clips of each arm that one listener hears.
        listeners: how many sessions.
        anchors_each: negative anchors of a session.
        repeats: of a session.
        checks: whether there are an attention and a headphone check.
        evenly: whether clips are played as the paper does, a quarter of a second a note.
        seconds: the shortest and the longest clip.
    """

    arms: tuple[str, ...]
    clips: int
    heard: int
    listeners: int
    anchors_each: int
    repeats: int
    checks: bool
    evenly: bool
    seconds: tuple[float, float]

    @property
    def screening(self) -> Screening:
        """The rules that go with it: the paper had none but that friends answered."""
        if self.checks:
            return Screening()
        return Screening(
            headphones=False, attention=False, most_anchors=0, least_answered=0.5, one_answer=False, least_heard=0.0,
            known=False,
        )  # fmt: skip


def design(arms: Sequence[str], options: CreateOptions) -> Design:
    """The design that was asked for.

    Args:
        arms: names, in any order.
        options: what was asked.

    Raises:
        UsageError: arms that cannot be, or numbers that are not balanced; the hint names the nearest that are.

    Example:
        >>> found = design(["lstm", "human", "tuned"], CreateOptions())
        >>> found.arms, found.heard, found.listeners
        (('human', 'lstm', 'tuned'), 7, 42)
    """
    if HUMAN not in arms:
        raise UsageError("there is no arm of people's melodies", "add --arm human=DIR: the others are held beside it")
    names = (HUMAN, *(arm for arm in arms if arm != HUMAN))
    if len(set(arms)) < len(arms) or not 2 <= len(names) <= 10:
        raise UsageError("arms named twice, fewer than two, or more than ten", "give --arm human=DIR and others")
    if options.preset == "paper":
        if len(names) > 2:
            raise UsageError(
                f"the paper's design has one generated arm, not {len(names) - 1}",
                "make a study for each, as the paper did",
            )
        return Design(names, 10, 10, 10, 0, 0, checks=False, evenly=True, seconds=(_PAPER_SECONDS, _PAPER_SECONDS))
    count = len(names)
    rows = count if count % 2 == 0 else 2 * count
    trials = _balanced("trials", options.trials, 20, count, f"{count} arms")
    listeners = _balanced("listeners", options.listeners, 40, rows, f"the {rows} orders of {count} arms")
    clips = options.clips or 30
    if trials // count > clips:
        raise UsageError(f"{trials} trials of {clips} clips an arm", "give more --clips or fewer --trials")
    return Design(
        names, clips, trials // count, listeners, 2, 1, checks=True, evenly=False,
        seconds=(options.shortest, options.longest),
    )  # fmt: skip


def _balanced(name: str, asked: int | None, usual: int, of: int, what: str) -> int:
    if asked is None:
        return max(round(usual / of), 1) * of
    if asked % of:
        lower = asked - asked % of
        near = f"{lower} or {lower + of}" if lower else str(of)
        raise UsageError(f"{asked} {name} cannot be balanced over {what}", f"give --{name} {near}")
    return asked


def allocate(listeners: int, arms: int, clips: int, heard: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Deal the clips of each arm out in turn, each arm's in a random order of its own.

    After any number of listeners no clip of an arm was heard more than one time oftener than another, and nobody hears
    one twice.

    Args:
        listeners: how many.
        arms: how many.
        clips: of each arm.
        heard: clips of each arm that one listener hears, `clips` at most.
        rng: the randomness.

    Returns:
        `(listeners, arms, heard)` numbers of clips; those of arm a run from a * clips.

    Example:
        >>> dealt = allocate(6, arms=2, clips=4, heard=2, rng=np.random.default_rng(1))
        >>> np.bincount(dealt.ravel()).tolist()
        [3, 3, 3, 3, 3, 3, 3, 3]
    """
    places = (np.arange(listeners)[:, None] * heard + np.arange(heard)) % clips
    dealt = np.empty((listeners, arms, heard), np.int64)
    for arm in range(arms):
        dealt[:, arm] = arm * clips + rng.permutation(clips)[places]
    return dealt


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
