"""Watching a tuning: whether the melodies are still different from each other and still move and breathe.

A policy that plays one melody for ever keeps every rule. So every few updates fresh melodies are drawn and held beside
people's (or, where those are not at hand, beside the untuned model's), sets of equal size:

    distinct-4      below 90 % of people's, or 60 % of the untuned model's: the melodies grow alike
    Vendi score     the same
    self-BLEU-4     above the interval of people's: they quote each other
    entropy         below a third of the untuned model's: each next note is all but decided
    holds, rests    their share outside the 10th to 90th percentile of people's melodies, and further than it was

Where a critic rewards, another listener, on other people's pieces, learns anew at every look to tell the melodies from
people's (`critic.StoppingListener`). The look is alarming, too, where

    it tells them clearly better than it once could, and their reward rose: they please those that reward, not people

Where any of these is so, the look is outside the gate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.discriminators import StoppingAnswer, StoppingListener
from cantilena.metrics import (
    Interval,
    different_melodies,
    distinct_n,
    matched_notes,
    self_bleu,
    self_bleu_interval,
    vendi_score,
)
from cantilena.music import HOLD, OFF, Line
from cantilena.rules import lengths

LEAST_DIVERSITY, LEAST_ENTROPY = 0.9, 1 / 3
"""Below this share of people's diversity, and of the untuned model's entropy, a look is outside the gate."""

_LEAST_OF_UNTUNED = 0.6
"""The same of the untuned model's diversity, which is larger than people's, where people's melodies are not at hand."""

_DRAWS = 40
"""Half sets that the interval of self-BLEU is found from: enough to tell an alarm by."""

_FEWEST = 16
"""With fewer melodies of people's than this, the untuned model's are taken."""


@dataclass(frozen=True)
class Look:
    """What fresh melodies were like after some updates.

    Args:
        update: after how many.
        reward: mean reward of the rules a melody, whole.
        kl: nats a step from the prior.
        entropy: of the policy, nats a step.
        different: share of different melodies.
        distinct_4: of the melodies; `reference` has the other side's.
        vendi: Vendi score.
        self_bleu: self-BLEU-4.
        holds: share of steps on which a note is held.
        rests: share of silent steps.
        reference: the same numbers of the melodies that they are held beside, for sets of equal size.
        alarms: what is wrong, in words; empty inside the gate.
        critic: mean reward of the critic a melody, in points; None without a critic.
        told: what the listener that stops a run told of them: `auc`, `low`, `high` (half is chance) and `log_odds`
            (nats a melody, below 0 the better it tells); None without a critic.
    """

    update: int
    reward: float
    kl: float
    entropy: float
    different: float
    distinct_4: float
    vendi: float
    self_bleu: float
    holds: float
    rests: float
    reference: dict[str, float] = field(default_factory=dict)
    alarms: tuple[str, ...] = ()
    critic: float | None = None
    told: dict[str, float] | None = None

    @property
    def inside(self) -> bool:
        """Whether the melodies are inside the gate."""
        return not self.alarms

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON values; what is undefined is None."""
        return {name: _plain(value) for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Look:
        """Take back what `as_json` gave."""
        may_be_none = ("critic", "told")
        known: dict[str, Any] = {
            name: math.nan if value is None and name not in may_be_none else value for name, value in values.items()
        }
        reference = {name: math.nan if value is None else value for name, value in values["reference"].items()}
        known |= {"reference": reference, "alarms": tuple(values["alarms"])}
        return cls(**known)


@dataclass(frozen=True)
class Watch:
    """The melodies that a tuning is held beside.

    Args:
        people: people's melodies, excerpts as long as those that are tuned; None where they are not at hand.
        untuned: melodies of the model before tuning.
        entropy: of the model before tuning, nats a step.
        listener: tells the melodies from people's; None without a critic.
        before: what it told of the model before tuning.
    """

    people: Line | None
    untuned: Line
    entropy: float
    listener: StoppingListener | None = None
    before: StoppingAnswer | None = None

    @property
    def knows_people(self) -> bool:
        """Whether people's melodies are at hand, enough of them."""
        return self.people is not None and self.people.melodies >= _FEWEST

    def look(
        self,
        line: Line,
        rng: np.random.Generator,
        *,
        update: int,
        reward: float,
        kl: float,
        entropy: float,
        critic: float | None = None,
        earlier: Sequence[Look] = (),
    ) -> Look:
        """Hold fresh melodies beside the others.

        Args:
            line: the fresh melodies.
            rng: for equal sets and intervals.
            update: after how many updates.
            reward: mean reward of the rules a melody.
            kl: nats a step.
            entropy: nats a step.
            critic: mean reward of the critic a melody, in points.
            earlier: the looks before this one.
        """
        others = self.people if self.people is not None and self.knows_people else self.untuned
        ours, theirs = matched_notes(line, others, rng=rng)
        numbers, reference = _diversity_of(ours), _diversity_of(theirs)
        usual = self_bleu_interval(theirs, rng, draws=_DRAWS)
        alarms = self._diversity(numbers, reference, usual)
        if entropy < LEAST_ENTROPY * self.entropy:
            alarms.append(f"entropy fell to {entropy:.2f} nats a step, from {self.entropy:.2f}: little is left open")
        for name, share in (("holds", holds), ("rests", rests)):
            alarms.extend(self._outside(name, share(line), share(others), share(self.untuned)))
        told = None if self.listener is None else self.listener.listen(line, rng)
        if told is not None:
            alarms.extend(self._told_better(told, reward + (critic or 0.0), earlier))
        return Look(
            update=update,
            reward=reward,
            kl=kl,
            entropy=entropy,
            different=different_melodies(line),
            holds=float(holds(line).mean()),
            rests=float(rests(line).mean()),
            reference={**reference, "holds": float(holds(others).mean()), "rests": float(rests(others).mean())},
            alarms=tuple(alarms),
            distinct_4=numbers["distinct_4"],
            vendi=numbers["vendi"],
            self_bleu=numbers["self_bleu"],
            critic=critic,
            told=None if told is None else _as_numbers(told),
        )

    def _told_better(self, told: StoppingAnswer, reward: float, earlier: Sequence[Look]) -> list[str]:
        """An alarm where the listener tells better than once it did, while what the melodies earn rose."""
        known = [
            (look.told["high"], look.told["auc"], look.reward + (look.critic or 0.0)) for look in earlier if look.told
        ]
        if self.before is not None:
            known.append((self.before.auc.high, self.before.auc.value, -math.inf))
        if not known:
            return []
        high, auc, before = min(known)
        if told.auc.low <= high or reward <= before:
            return []
        words = f"separability rose from {auc:.2f} to {told.auc.value:.2f} (AUC), and so did the reward"
        return [f"{words}: a listener that does not reward tells these better from people's"]

    def _diversity(self, ours: dict[str, float], theirs: dict[str, float], usual: Interval) -> list[str]:
        """Alarms where the melodies are less different from each other than the others are."""
        least, whose = LEAST_DIVERSITY, "people's"
        if not self.knows_people:
            least, whose = _LEAST_OF_UNTUNED, "the untuned model's"
        alarms = [
            f"{words} fell to {ours[name]:.3g}, below {least:.0%} of {whose} {theirs[name]:.3g}: melodies grow alike"
            for name, words in (("distinct_4", "distinct-4"), ("vendi", "the Vendi score"))
            if ours[name] < least * theirs[name]
        ]
        if self.knows_people and ours["self_bleu"] > usual.high:
            told = f"{usual.low:.3g} to {usual.high:.3g} of people's: melodies quote each other"
            alarms.append(f"self-BLEU rose to {ours['self_bleu']:.3g}, above the interval {told}")
        return alarms

    def _outside(
        self, name: str, ours: NDArray[np.float64], theirs: NDArray[np.float64], untuned: NDArray[np.float64]
    ) -> list[str]:
        """An alarm where a mean share has left the middle 80 % of the others', and what the untuned model does."""
        share = float(ours.mean())
        low, high = np.quantile(theirs, [0.1, 0.9])
        low, high = min(float(low), float(untuned.mean())), max(float(high), float(untuned.mean()))
        if low <= share <= high:
            return []
        return [f"{name} take {share:.0%} of the steps, outside the usual {low:.0%} to {high:.0%}"]


def _as_numbers(told: StoppingAnswer) -> dict[str, float]:
    return {"auc": told.auc.value, "low": told.auc.low, "high": told.auc.high, "log_odds": told.log_odds}


def _diversity_of(line: Line) -> dict[str, float]:
    return {"distinct_4": distinct_n(line, 4), "vendi": vendi_score(line), "self_bleu": self_bleu(line)}


def holds(line: Line) -> NDArray[np.float64]:
    """The share of each melody's steps on which a note is held, `(melodies,)`.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> holds(GridEncoding().line(np.array([[14, 1, 0, 1]]))).tolist()
        [0.25]
    """
    return _share(sounding(line) & (line.event == HOLD), line)


def rests(line: Line) -> NDArray[np.float64]:
    """The share of each melody's steps that are silent, `(melodies,)`.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> rests(GridEncoding().line(np.array([[14, 1, 0, 1]]))).tolist()
        [0.5]
    """
    return _share(~sounding(line), line)


def sounding(line: Line) -> NDArray[np.bool_]:
    """Where a note sounds, `(melodies, steps)`: the last event that was no hold struck one."""
    steps = np.arange(line.steps)
    last = np.maximum.accumulate(np.where(line.event != HOLD, steps, -1), axis=1)
    event = np.take_along_axis(line.event, np.maximum(last, 0), axis=1)
    sounds: NDArray[np.bool_] = (last >= 0) & (event != OFF)
    return sounds


def _share(where: NDArray[np.bool_], line: Line) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = (where & line.valid).sum(1) / np.maximum(lengths(line), 1)
    return shares


def _plain(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, tuple):
        return list(value)
    return None if isinstance(value, float) and math.isnan(value) else value
