"""The machine listener: a classifier two-sample test of human against generated melodies.

D. Lopez-Paz and M. Oquab, Revisiting Classifier Two-Sample Tests, ICLR 2017: where classifiers do no better than
chance on melodies that they have not heard, the two sets cannot be told apart by them.

1. Both sides are cut to one length and written in one way (`Comparison`).
2. A part of the pieces of either side is kept aside for good. With each seed the others are split anew, by piece, into
   those learned from and those judged, in equal numbers of both kinds and no more than four of one piece, and each
   melody is moved to a random key.
3. All kinds of classifier learn and answer. The strongest is the one with the largest area under the curve on what was
   kept aside, which is never judged: its numbers on what is judged are not those of the luckiest of three. The
   intervals are bootstraps of pieces and seeds, the p-values twice the median of the seeds' (`Answers`).
4. Two controls: the strongest on people's melodies against people's, and a classifier that sees length, range and the
   number of notes alone. If either fails there is a reason and no answer.

What the machine listener answers: numbers where its controls hold, a plain reason where they do not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.discriminators.answers import Answers
from cantilena.discriminators.classifiers import family
from cantilena.discriminators.comparison import Comparison
from cantilena.discriminators.options import TwoSampleOptions
from cantilena.metrics import Interval
from cantilena.music import Line
from cantilena.runtime import Progress, generator, progress

_DIGITS = 6


@dataclass(frozen=True)
class Separability:
    """How well one kind of classifier tells two sets apart on melodies that it has not heard.

    Args:
        accuracy: the share of right answers; a half is chance.
        auc: the chance that a generated melody sounds more generated than a human one; a half is chance.
        p: of the permutation test: how often chance alone does as well.
        family: the kind of classifier.
    """

    accuracy: Interval
    auc: Interval
    p: float
    family: str

    def to_json(self) -> dict[str, Any]:
        """JSON values, an undefined number as None with a reason."""
        return {
            "accuracy": interval_json(self.accuracy),
            "auc": interval_json(self.auc),
            "p": round(self.p, _DIGITS),
            "family": self.family,
        }


@dataclass(frozen=True)
class TwoSampleResult:
    """How well a machine tells human melodies from generated ones: separability, not a Turing score.

    Args:
        headline: the strongest family, None where the answer is refused.
        refused: why there is no answer, one sentence; empty where there is one.
        families: by name, what each found; empty where the answer is refused.
        controls: `real-against-real` and `trivial`, where they could be run.
        melodies: how many, by `human` and `generated`.
        pieces: of how many pieces, likewise.
        steps: the length that all were cut to.
        seeds: how often all was done.
        left_out: melodies that were shorter.
    """

    headline: str | None
    refused: str
    families: Mapping[str, Separability]
    controls: Mapping[str, Separability]
    melodies: Mapping[str, int]
    pieces: Mapping[str, int]
    steps: int
    seeds: int
    left_out: int = field(default=0)

    @property
    def best(self) -> Separability | None:
        """What the strongest family found; None where the answer is refused."""
        return self.families[self.headline] if self.headline is not None else None

    @property
    def p(self) -> float | None:
        """How often chance alone does as well as the strongest; None where the answer is refused."""
        return self.best.p if self.best is not None else None

    def to_json(self) -> dict[str, Any]:
        """JSON values alone: None where there is no number, the reason under `refused`.

        Example:
            >>> nothing = TwoSampleResult(None, "there is no melody", {}, {}, {"human": 0}, {"human": 0}, 0, 5)
            >>> nothing.to_json()["accuracy"], nothing.to_json()["refused"]
            ({'value': None, 'low': None, 'high': None, 'reason': 'there is no melody'}, 'there is no melody')
        """
        best = self.best
        undefined = {"value": None, "low": None, "high": None, "reason": self.refused}
        return {
            "headline": self.headline,
            "refused": self.refused,
            "accuracy": interval_json(best.accuracy) if best else dict(undefined),
            "auc": interval_json(best.auc) if best else dict(undefined),
            "p": round(best.p, _DIGITS) if best else None,
            "families": {name: found.to_json() for name, found in self.families.items()},
            "controls": {name: found.to_json() for name, found in self.controls.items()},
            "melodies": dict(self.melodies),
            "pieces": dict(self.pieces),
            "steps": self.steps,
            "seeds": self.seeds,
            "left_out": self.left_out,
        }


def interval_json(interval: Interval) -> dict[str, Any]:
    """A number with its bounds as JSON values, rounded; None with a reason where it is undefined.

    Example:
        >>> interval_json(Interval(2 / 3, 0.5, float("nan")))
        {'value': 0.666667, 'low': 0.5, 'high': None, 'reason': 'too few pieces for bounds'}
    """
    numbers = {"value": interval.value, "low": interval.low, "high": interval.high}
    found: dict[str, Any] = {
        name: None if math.isnan(number) else round(number, _DIGITS) for name, number in numbers.items()
    }
    if any(math.isnan(number) for number in numbers.values()):
        found["reason"] = "too few pieces for bounds"
    return found


REAL, TRIVIAL = "real-against-real", "trivial"
_LEAST_STEPS = 4
_CHANCE, _LEVEL = 0.5, 0.05


def classifier_two_sample_test(
    human: Line,
    pieces: NDArray[np.generic],
    generated: Line,
    options: TwoSampleOptions | None = None,
    *,
    generated_pieces: NDArray[np.generic] | None = None,
    quiet: bool = False,
) -> TwoSampleResult:
    """Measure how well human melodies can be told from generated ones.

    Args:
        human: melodies of people that neither the generator nor its reward has seen.
        pieces: `(melodies,)` the piece of each, as any labels: melodies of one piece are never split.
        generated: the others.
        options: how carefully.
        generated_pieces: the same for generated ones; None where each was drawn by itself.
        quiet: show no progress.

    Returns:
        For each family accuracy and area under the curve with 95 % intervals by piece, both controls, the strongest as
        the headline; or why there is none.

    Raises:
        UsageError: another number of labels than of melodies, or an unknown device.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> steps = np.random.default_rng(1).integers(0, 3, (60, 8)).cumsum(axis=1)
        >>> up, down = GridEncoding().line(20 + steps), GridEncoding().line(20 - steps)
        >>> classifier_two_sample_test(up, np.arange(60), down, TwoSampleOptions(families=("logistic",)), quiet=True).best.accuracy.low > 0.8
        True
    """
    asked = options or TwoSampleOptions()
    comparison = Comparison.of(human, pieces, generated, generated_pieces)
    reason = _too_few(comparison, asked)
    if reason:
        return _result(comparison, asked, {}, {}, None, reason)
    fits = asked.seeds * (len(asked.families) + 2)
    with progress("Listening", total=fits, unit="classifiers", quiet=quiet) as bar:
        answers, strongest = _tell_apart(comparison, asked, bar)
        answers[REAL] = _real_against_real(comparison, strongest, asked, bar)
    found = {name: _separability(name, told, asked, strongest) for name, told in answers.items()}
    controls = {name: found.pop(name) for name in (REAL, TRIVIAL)}
    ahead = answers[strongest].advantage(answers[TRIVIAL], _rng(asked, "ahead"), resamples=asked.resamples)
    return _result(comparison, asked, found, controls, strongest, _failed(found[strongest], controls, ahead.low))


def _tell_apart(comparison: Comparison, asked: TwoSampleOptions, bar: Progress) -> tuple[dict[str, Answers], str]:
    """What each family and the trivial control answered, and which family is the strongest on what was kept aside."""
    aside = comparison.aside(_rng(asked, "aside"))
    choosing = comparison.balanced(np.flatnonzero(aside), _rng(asked, "aside", "balance"))
    judged: dict[str, list[Answers]] = {name: [] for name in (*asked.families, TRIVIAL)}
    chosen_by: dict[str, list[Answers]] = {name: [] for name in asked.families}
    for seed in range(asked.seeds):
        heard = comparison.examples(asked.steps_per_bar, _rng(asked, seed, "keys"))
        learned, tested = comparison.deal(~aside, _rng(asked, seed, "split"))
        parts = {rows: heard[chosen] for rows, chosen in (("learn", learned), ("test", tested), ("choose", choosing))}
        for name in judged:
            kind = family(name, asked.device)
            scorer = kind.fit(parts["learn"], comparison.generated[learned], _rng(asked, seed, name))
            judged[name].append(_answers(comparison, tested, scorer.score(parts["test"]), seed))
            if name in chosen_by:
                chosen_by[name].append(_answers(comparison, choosing, scorer.score(parts["choose"]), seed))
            bar.advance(1, f"{name}, seed {seed + 1} of {asked.seeds}")
    areas = {name: Answers.joined(told).auc_of_all() for name, told in chosen_by.items()}
    return {name: Answers.joined(told) for name, told in judged.items()}, max(areas, key=lambda name: areas[name])


def _real_against_real(comparison: Comparison, strongest: str, asked: TwoSampleOptions, bar: Progress) -> Answers:
    """What the strongest answers where half of people's pieces, other ones with each seed, are taken for generated."""
    told = []
    for seed in range(asked.seeds):
        halves = comparison.halves(_rng(asked, seed, REAL))
        heard = halves.examples(asked.steps_per_bar, _rng(asked, seed, REAL, "keys"))
        learned, tested = halves.deal(np.ones(len(heard), np.bool_), _rng(asked, seed, REAL, "split"))
        kind = family(strongest, asked.device)
        scorer = kind.fit(heard[learned], halves.generated[learned], _rng(asked, seed, REAL, strongest))
        told.append(_answers(halves, tested, scorer.score(heard[tested]), seed))
        bar.advance(1, f"people against people, seed {seed + 1} of {asked.seeds}")
    return Answers.joined(told)


def _answers(comparison: Comparison, rows: NDArray[np.int64], score: NDArray[np.float64], seed: int) -> Answers:
    return Answers(score, comparison.generated[rows], comparison.piece[rows], np.full(len(rows), seed))


def _separability(name: str, told: Answers, asked: TwoSampleOptions, strongest: str) -> Separability:
    return Separability(
        told.accuracy(_rng(asked, name, "accuracy"), resamples=asked.resamples),
        told.auc(_rng(asked, name, "auc"), resamples=asked.resamples),
        told.p_value(_rng(asked, name, "p"), permutations=asked.permutations),
        strongest if name == REAL else name,
    )


def _too_few(comparison: Comparison, asked: TwoSampleOptions) -> str:
    """Why there is too little to listen to, or nothing."""
    for side, whose in ((False, "human"), (True, "generated")):
        melodies, pieces = comparison.melodies(generated=side), comparison.pieces(generated=side)
        if melodies < asked.least_melodies or pieces < asked.least_pieces:
            return (
                f"there are {melodies} {whose} melodies of {pieces} pieces, and to tell anything takes "
                f"{asked.least_melodies} of {asked.least_pieces} on either side"
            )
    if comparison.steps < _LEAST_STEPS:
        return f"the melodies have only {comparison.steps} steps in common"
    return ""


def _failed(strongest: Separability, controls: dict[str, Separability], ahead: float) -> str:
    """Which control does not hold, or nothing."""
    real, trivial = controls[REAL], controls[TRIVIAL]
    if real.p <= _LEVEL or not real.accuracy.low <= _CHANCE <= real.accuracy.high:
        return (
            f"people's melodies are told from other people's in {real.accuracy.value:.0%} of cases, "
            "where it should be about half: something leaks, or there are too few"
        )
    if trivial.p <= _LEVEL and not ahead > 0:
        return (
            f"length, range and number of notes alone tell {trivial.accuracy.value:.0%} right, "
            f"and the strongest listener, at {strongest.accuracy.value:.0%}, is not clearly better"
        )
    return ""


def _result(
    comparison: Comparison,
    asked: TwoSampleOptions,
    families: dict[str, Separability],
    controls: dict[str, Separability],
    strongest: str | None,
    refused: str,
) -> TwoSampleResult:
    sides = {"human": False, "generated": True}
    return TwoSampleResult(
        headline=None if refused else strongest,
        refused=refused,
        families={} if refused else families,
        controls=controls,
        melodies={name: comparison.melodies(generated=side) for name, side in sides.items()},
        pieces={name: comparison.pieces(generated=side) for name, side in sides.items()},
        steps=comparison.steps,
        seeds=asked.seeds,
        left_out=comparison.left_out,
    )


def _rng(asked: TwoSampleOptions, *purpose: str | int) -> np.random.Generator:
    return generator(asked.seed, "listener", *purpose)
