"""The balanced design of a study: its numbers, and the clips and their order in each session.

Every listener hears the same number of clips of each arm, and every clip is heard equally often. The order of the arms
in a session is random, so a listener who knows this file cannot predict the next arm; it is balanced among sessions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.listening.options import CreateOptions
from cantilena.listening.study.study import Screening, Trial
from cantilena.listening.trials import HUMAN

REPEAT_DISTANCE = 6
"""Minimum number of trials between an item and its repeat."""

_PAPER_SECONDS = 30.0
_CANDIDATE_ORDERS = 100


@dataclass(frozen=True)
class Design:
    """The numbers of a balanced study.

    Args:
        arms: names of the arms, `human` first.
        clips: clips per arm.
        clips_per_listener: clips of each arm that one listener hears.
        listeners: number of sessions.
        anchors: negative anchors per session.
        repeats: repeated items per session.
        checks: whether there are an attention check and a headphone check.
        isochronous: whether every note lasts a quarter of a second, as in the paper.
        seconds: the shortest and the longest clip.
    """

    arms: tuple[str, ...]
    clips: int
    clips_per_listener: int
    listeners: int
    anchors: int
    repeats: int
    checks: bool
    isochronous: bool
    seconds: tuple[float, float]

    @property
    def screening(self) -> Screening:
        """The rules for exclusion; the paper had hardly any, since its raters were friends of the authors."""
        if self.checks:
            return Screening()
        return Screening(
            headphones=False, attention=False, most_anchors=0, least_answered=0.5, one_answer=False, least_heard=0.0,
            known=False,
        )  # fmt: skip


def make_design(arms: Sequence[str], options: CreateOptions) -> Design:
    """Make the design of a study with arms in any order.

    Raises:
        UsageError: the arms are invalid, or the numbers cannot be balanced; the hint gives the nearest that can.

    Examples:
        >>> design = make_design(["lstm", "human", "tuned"], CreateOptions())
        >>> design.arms, design.clips_per_listener, design.listeners
        (('human', 'lstm', 'tuned'), 7, 42)
    """
    if HUMAN not in arms:
        raise UsageError("there is no arm of human melodies", "add --arm human=DIR, with which the others are compared")
    names = (HUMAN, *(arm for arm in arms if arm != HUMAN))
    count = len(names)
    if len(set(arms)) < len(arms) or not 2 <= count <= 10:
        raise UsageError(f"the arms are {', '.join(arms)}", "give 2 to 10 different arms")
    if options.preset == "paper":
        if count > 2:
            raise UsageError(
                f"--preset paper has one generated arm, got {count - 1}",
                "create a study for each generated arm, as the paper did",
            )
        seconds = (_PAPER_SECONDS, _PAPER_SECONDS)
        return Design(names, 10, 10, 10, 0, 0, checks=False, isochronous=True, seconds=seconds)
    rows = len(williams_square(count))
    trials = _balanced("trials", options.trials, 20, count, f"{count} arms")
    listeners = _balanced("listeners", options.listeners, 40, rows, f"the {rows} orders of {count} arms")
    clips = options.clips or 30
    if trials // count > clips:
        raise UsageError(
            f"{trials} trials need {trials // count} clips per arm, got {clips}", "give more --clips or fewer --trials"
        )
    return Design(
        names, clips, trials // count, listeners, 2, 1, checks=True, isochronous=False,
        seconds=(options.shortest, options.longest),
    )  # fmt: skip


def _balanced(name: str, value: int | None, default: int, divisor: int, among: str) -> int:
    """Return a multiple of `divisor`: the given value, else the one nearest to the default."""
    if value is None:
        return max(round(default / divisor), 1) * divisor
    if value % divisor:
        lower = value - value % divisor
        nearest = f"{lower} or {lower + divisor}" if lower else str(divisor)
        raise UsageError(f"{value} {name} cannot be balanced among {among}", f"give --{name} {nearest}")
    return value


def make_sessions(
    items: Sequence[Sequence[str]],
    clips_per_listener: int,
    listeners: int,
    rng: np.random.Generator,
    *,
    anchors: Sequence[str] = (),
    anchors_per_session: int = 2,
    repeats: int = 1,
    attention: str = "",
) -> tuple[tuple[Trial, ...], ...]:
    """Make the sessions of a study.

    For each group of listeners one random order is drawn; each listener of the group gets it with the arms renamed by
    another row of a Latin square (E. J. Williams, Experimental designs balanced for the estimation of residual effects
    of treatments, Australian Journal of Scientific Research A 2, 1949). So within a group every arm has every position
    equally often, and follows every other arm equally often, or nearly so if there are more than three. Anchors,
    repeats and the attention check are inserted afterwards.

    Args:
        items: the clips of each arm, the same number for each.
        clips_per_listener: clips of each arm that one listener hears.
        listeners: number of sessions.
        rng: random generator.
        anchors: clips of shuffled notes, distributed in turn.
        anchors_per_session: how many of them a session has.
        repeats: number of items that a session plays twice.
        attention: clip of the attention check; "" for none.

    Examples:
        >>> sessions = make_sessions([["a", "b"], ["c", "d"]], 2, 4, np.random.default_rng(1), repeats=0)
        >>> sorted(trial.clip for trial in sessions[0])
        ['a', 'b', 'c', 'd']
    """
    n_arms = len(items)
    names = [name for arm in items for name in arm]
    allocation = allocate_clips(listeners, n_arms, len(items[0]), clips_per_listener, rng)
    square = williams_square(n_arms)
    sessions = []
    for listener in range(listeners):
        if listener % len(square) == 0:
            columns = _order_of_columns(square, clips_per_listener, rng)
        clips_of_arm = [iter(allocation[listener, arm].tolist()) for arm in range(n_arms)]
        arms = square[listener % len(square)][columns].tolist()
        order = [names[next(clips_of_arm[arm])] for arm in arms]
        trials = [Trial("item", clip) for clip in order]
        extra: list[Trial] = []
        if anchors:
            first = listener * anchors_per_session
            extra += [Trial("anchor", anchors[(first + n) % len(anchors)]) for n in range(anchors_per_session)]
        if attention:
            extra.append(Trial("attention", attention))
        for trial in extra:
            trials.insert(int(rng.integers(2, len(trials))), trial)
        for clip in rng.permutation(order[: max(len(order) - REPEAT_DISTANCE, 0)])[:repeats].tolist():
            earliest = min(trials.index(Trial("item", clip)) + REPEAT_DISTANCE + 1, len(trials))
            trials.insert(int(rng.integers(earliest, len(trials) + 1)), Trial("repeat", clip))
        sessions.append(tuple(trials))
    return tuple(sessions)


def allocate_clips(
    listeners: int, arms: int, clips: int, clips_per_listener: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Distribute the clips of each arm to listeners in turn, in a random order for each arm.

    After any number of listeners all clips of an arm were heard equally often, give or take one, and no listener hears
    a clip twice. `clips` and `clips_per_listener` are numbers for each arm.

    Returns:
        `(listeners, arms, clips_per_listener)` indices of clips; those of arm a start at a * clips.

    Examples:
        >>> allocation = allocate_clips(6, arms=2, clips=4, clips_per_listener=2, rng=np.random.default_rng(1))
        >>> np.bincount(allocation.ravel()).tolist()
        [3, 3, 3, 3, 3, 3, 3, 3]
    """
    positions = (np.arange(listeners)[:, None] * clips_per_listener + np.arange(clips_per_listener)) % clips
    allocation = np.empty((listeners, arms, clips_per_listener), np.int64)
    for arm in range(arms):
        allocation[:, arm] = arm * clips + rng.permutation(clips)[positions]
    return allocation


def williams_square(arms: int) -> NDArray[np.int64]:
    """Return Williams's Latin square, `(rows, arms)`: one row per arm for an even number of arms, else two.

    Examples:
        >>> williams_square(4).tolist()
        [[0, 1, 3, 2], [1, 2, 0, 3], [2, 3, 1, 0], [3, 0, 2, 1]]
    """
    first = [0] + [(step + 1) // 2 if step % 2 else arms - step // 2 for step in range(1, arms)]
    square = (np.array(first) + np.arange(arms)[:, None]) % arms
    return square if arms % 2 == 0 else np.vstack([square, square[:, ::-1]])


def _order_of_columns(square: NDArray[np.int64], repetitions: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw an order of the columns, each `repetitions` times, in which arms follow each other as evenly as possible."""
    arms = square.shape[1]
    columns = np.repeat(np.arange(arms), repetitions)
    orders = [rng.permutation(columns) for _ in range(_CANDIDATE_ORDERS if arms > 3 else 1)]

    def unevenness(order: NDArray[np.int64]) -> int:
        follows = np.zeros((arms, arms), np.int64)
        np.add.at(follows, (square[:, order[:-1]], square[:, order[1:]]), 1)
        return int(np.ptp(follows[~np.eye(arms, dtype=np.bool_)]))

    return min(orders, key=unevenness)
