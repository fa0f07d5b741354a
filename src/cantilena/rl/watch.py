"""Diversity checks while tuning: whether the melodies still differ from each other, move and rest.

A policy that always gives the same melody satisfies every rule. So every few updates new melodies are sampled and
compared with human ones (or, without these, with the untuned model's), in sets of equal size:

    distinct-4      below 90 % of the human value, or 60 % of the untuned model's: the melodies become alike
    Vendi score     the same
    self-BLEU-4     above the interval of human melodies: they quote each other
    entropy         below a third of the untuned model's: the next note is almost determined
    holds, rests    their share outside the 10th to 90th percentile of human melodies, and further than it was

With a critic, a separate classifier on other pieces is trained at every check to tell the melodies from human ones
(`discriminators.StoppingClassifier`). The check fails also if

    its AUC is clearly above the lowest so far, and the reward rose: the melodies exploit the discriminators that reward
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.discriminators import StoppingClassifier, StoppingScore
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

MIN_DIVERSITY, MIN_ENTROPY = 0.9, 1 / 3
"""A check fails below this share of the human diversity, and of the untuned model's entropy."""

_MIN_OF_UNTUNED = 0.6
"""The same of the untuned model's diversity, which is larger than the human one, without human melodies."""

_RESAMPLES = 40
"""Half sets for the interval of self-BLEU."""

_MIN_HUMAN = 16
"""With fewer human melodies than this, the untuned model's are used."""


@dataclass(frozen=True)
class DiversityCheck:
    """Statistics of new melodies after some updates.

    Args:
        update: number of updates.
        reward: mean reward of the rules a melody, neither clipped nor divided by c.
        kl: nats a step from the prior.
        entropy: of the policy, nats a step.
        different: share of different melodies.
        distinct_4: of the melodies; `reference` has the value of the other side.
        vendi: Vendi score.
        self_bleu: self-BLEU-4.
        holds: share of steps on which a note is held.
        rests: share of silent steps.
        reference: the same statistics of the melodies for comparison, in sets of equal size.
        alarms: what failed, in words; empty if the check passed.
        critic: mean reward of the critic a melody, in points; None without a critic.
        classifier_score: of the stopping classifier: `auc`, `low`, `high` (0.5 is chance) and `log_odds` (nats a
            melody, the lower, the better it tells them from human ones); None without a critic. In
            JSON it is named `told`.
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
    classifier_score: dict[str, float] | None = None

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return not self.alarms

    def to_json(self) -> dict[str, Any]:
        """All fields as JSON values; an undefined number is None."""
        return {_KEYS.get(name, name): _json_value(value) for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> DiversityCheck:
        """The check of which `to_json` returned the values."""
        fields = {name: _KEYS.get(name, name) for name in cls.__dataclass_fields__}
        known: dict[str, Any] = {name: values[key] for name, key in fields.items() if key in values}
        for name, value in known.items():
            if value is None and name not in ("critic", "classifier_score"):
                known[name] = math.nan
        reference = {name: math.nan if value is None else value for name, value in values["reference"].items()}
        return cls(**{**known, "reference": reference, "alarms": tuple(values["alarms"])})


_KEYS = {"classifier_score": "told"}
"""Fields whose JSON key differs."""


@dataclass(frozen=True)
class DiversityMonitor:
    """The melodies that those of a tuning are compared with.

    Args:
        human: human melodies of the same length; None without them.
        untuned: melodies of the untuned model.
        entropy: of the untuned model, nats a step.
        classifier: tells melodies from human ones; None without a critic.
        before: its score for the untuned model.
    """

    human: Line | None
    untuned: Line
    entropy: float
    classifier: StoppingClassifier | None = None
    before: StoppingScore | None = None

    @property
    def has_human(self) -> bool:
        """Whether there are enough human melodies."""
        return self.human is not None and self.human.melodies >= _MIN_HUMAN

    def check(
        self,
        line: Line,
        rng: np.random.Generator,
        *,
        update: int,
        reward: float,
        kl: float,
        entropy: float,
        critic: float | None = None,
        earlier: Sequence[DiversityCheck] = (),
    ) -> DiversityCheck:
        """Compare new melodies with the others; `DiversityCheck` describes the numbers."""
        others = self.human if self.human is not None and self.has_human else self.untuned
        ours, theirs = matched_notes(line, others, rng=rng)
        numbers, reference = _diversity(ours), _diversity(theirs)
        usual = self_bleu_interval(theirs, rng, draws=_RESAMPLES)
        alarms = self._diversity_alarms(numbers, reference, usual)
        if entropy < MIN_ENTROPY * self.entropy:
            alarms.append(f"entropy fell from {self.entropy:.2f} to {entropy:.2f} nats a step")
        for name, share in (("holds", hold_shares), ("rests", rest_shares)):
            alarms += _share_alarms(name, share(line), share(others), share(self.untuned))
        score = None if self.classifier is None else self.classifier.evaluate(line, rng)
        if score is not None:
            alarms += self._classifier_alarms(score, reward + (critic or 0.0), earlier)
        return DiversityCheck(
            update=update,
            reward=reward,
            kl=kl,
            entropy=entropy,
            different=different_melodies(line),
            holds=float(hold_shares(line).mean()),
            rests=float(rest_shares(line).mean()),
            reference={
                **reference,
                "holds": float(hold_shares(others).mean()),
                "rests": float(rest_shares(others).mean()),
            },
            alarms=tuple(alarms),
            critic=critic,
            classifier_score=None
            if score is None
            else {"auc": score.auc.value, "low": score.auc.low, "high": score.auc.high, "log_odds": score.log_odds},
            **numbers,
        )

    def _diversity_alarms(self, ours: dict[str, float], theirs: dict[str, float], usual: Interval) -> list[str]:
        """Alarms if the melodies are less diverse than the others."""
        least, side = (MIN_DIVERSITY, "human") if self.has_human else (_MIN_OF_UNTUNED, "untuned")
        alarms = [
            f"{words} fell to {ours[name]:.3g}, below {least:.0%} of the {side} value {theirs[name]:.3g}"
            for name, words in (("distinct_4", "distinct-4"), ("vendi", "the Vendi score"))
            if ours[name] < least * theirs[name]
        ]
        if self.has_human and ours["self_bleu"] > usual.high:
            interval = f"{usual.low:.3g} to {usual.high:.3g}"
            alarms.append(f"self-BLEU rose to {ours['self_bleu']:.3g}, above the human interval {interval}")
        return alarms

    def _classifier_alarms(self, score: StoppingScore, reward: float, earlier: Sequence[DiversityCheck]) -> list[str]:
        """An alarm if the classifier is better than it once was, although the reward rose."""
        known = [
            (past.classifier_score["high"], past.classifier_score["auc"], past.reward + (past.critic or 0.0))
            for past in earlier
            if past.classifier_score
        ]
        if self.before is not None:
            known.append((self.before.auc.high, self.before.auc.value, -math.inf))
        high, auc, reward_then = min(known, default=(math.inf, math.nan, math.inf))
        if score.auc.low <= high or reward <= reward_then:
            return []
        change = f"from {auc:.2f} to {score.auc.value:.2f}"
        return [f"separability (AUC of the stopping classifier) rose {change}, and so did the reward"]


def _share_alarms(
    name: str, ours: NDArray[np.float64], theirs: NDArray[np.float64], untuned: NDArray[np.float64]
) -> list[str]:
    """An alarm if a mean share is outside the middle 80 % of the others and the mean of the untuned model."""
    share = float(ours.mean())
    low, high = np.quantile(theirs, [0.1, 0.9])
    low, high = min(float(low), float(untuned.mean())), max(float(high), float(untuned.mean()))
    if low <= share <= high:
        return []
    return [f"{name} take {share:.0%} of the steps, outside the usual {low:.0%} to {high:.0%}"]


def _diversity(line: Line) -> dict[str, float]:
    return {"distinct_4": distinct_n(line, 4), "vendi": vendi_score(line), "self_bleu": self_bleu(line)}


def hold_shares(line: Line) -> NDArray[np.float64]:
    """The share of each melody's steps on which a note is held, `(melodies,)`.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> hold_shares(GridEncoding().line(np.array([[14, 1, 0, 1]]))).tolist()
        [0.25]
    """
    return _shares(sounding(line) & (line.event == HOLD), line)


def rest_shares(line: Line) -> NDArray[np.float64]:
    """The share of each melody's steps that are silent, `(melodies,)`.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> rest_shares(GridEncoding().line(np.array([[14, 1, 0, 1]]))).tolist()
        [0.5]
    """
    return _shares(~sounding(line), line)


def sounding(line: Line) -> NDArray[np.bool_]:
    """Where a note sounds, `(melodies, steps)`: the last event that is not a hold is a note."""
    steps = np.arange(line.steps)
    last = np.maximum.accumulate(np.where(line.event != HOLD, steps, -1), axis=1)
    event = np.take_along_axis(line.event, np.maximum(last, 0), axis=1)
    sounds: NDArray[np.bool_] = (last >= 0) & (event != OFF)
    return sounds


def _shares(where: NDArray[np.bool_], line: Line) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = (where & line.valid).sum(1) / np.maximum(lengths(line), 1)
    return shares


def _json_value(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {name: _json_value(entry) for name, entry in value.items()}
    if isinstance(value, tuple):
        return list(value)
    return None if isinstance(value, float) and math.isnan(value) else value
