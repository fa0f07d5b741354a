"""The numbers of a study, balanced: as many trials of each arm, every order as often as every other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cantilena.errors import UsageError
from cantilena.listening.options import CreateOptions
from cantilena.listening.study.study import Screening
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
