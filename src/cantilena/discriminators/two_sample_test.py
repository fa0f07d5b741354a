"""The classifier two-sample test of human against generated melodies.

D. Lopez-Paz and M. Oquab, Revisiting Classifier Two-Sample Tests, ICLR 2017: if classifiers are no better than chance
on held-out melodies, they cannot tell the two sets apart.

1. Both sides are cut to one length, their rests normalised, and each melody put in a random key (`Comparison`).
2. A part of the pieces of each side is reserved for model selection. With each seed the others are split by piece into
   training and test melodies, balanced, with at most four of one piece.
3. All classifiers are trained and tested. The strongest is the one with the largest AUC on the part for model
   selection, so that the test melodies do not select it. Intervals are bootstraps over pieces and seeds, p-values twice
   the median over seeds (`Predictions`).
4. Two controls: the strongest classifier on human against human melodies, and a classifier of length, range and number
   of notes alone. If either fails, the result is a reason instead of numbers.
5. Logistic regression on each group of musical features alone, and on all but it, tells what separates the sets.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.discriminators.classifiers import logistic_regression, make_classifier
from cantilena.discriminators.comparison import Comparison, Examples, cut
from cantilena.discriminators.features import GROUPS
from cantilena.discriminators.options import TwoSampleOptions
from cantilena.discriminators.predictions import Predictions
from cantilena.errors import RunError, UsageError
from cantilena.metrics import Interval
from cantilena.music import Line
from cantilena.rules import lengths
from cantilena.runtime import Failure, Progress, bounded_map, generator, progress

REAL, TRIVIAL = "real-against-real", "trivial"
"""The names of the controls."""
FAST = ("logistic", "boosting")
"""The classifiers of `two_sample_tests_by_bars`."""

_BARS = (1, 2, 4, 8, 16)
"""Lengths of excerpts."""
_SECONDS, _MEMORY = 24 * 3600.0, 2**46
"""No limits in practice: CUDA maps more memory than a machine has."""
_MIN_STEPS = 4
_CHANCE, _LEVEL = 0.5, 0.05
_DIGITS = 6

_Split = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Rows for training and for testing."""


@dataclass(frozen=True)
class Separability:
    """How well a classifier tells two sets apart on held-out melodies.

    Args:
        accuracy: the share of correct predictions; 0.5 is chance.
        auc: the area under the ROC curve; 0.5 is chance.
        p: p-value of the permutation test.
        family: name of the classifier.
    """

    accuracy: Interval
    auc: Interval
    p: float
    family: str

    def to_json(self) -> dict[str, Any]:
        """JSON values; an undefined number is None, with a reason."""
        return {
            "accuracy": interval_json(self.accuracy),
            "auc": interval_json(self.auc),
            "p": round(self.p, _DIGITS),
            "family": self.family,
        }


@dataclass(frozen=True)
class GroupSeparability:
    """How well a group of musical features tells two sets apart.

    Args:
        group: its name in `features.GROUPS`.
        auc: of logistic regression on the group alone.
        drop: by how much the AUC of logistic regression on all groups is higher than on all but this one; None where
            all together are no better than this one alone.
    """

    group: str
    auc: Interval
    drop: Interval | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON values; an undefined number is None, with a reason."""
        drop = interval_json(self.drop) if self.drop is not None else None
        return {"group": self.group, "auc": interval_json(self.auc), "drop": drop}


@dataclass(frozen=True)
class TwoSampleResult:
    """The result of the test: separability, not a Turing score.

    Args:
        headline: name of the strongest classifier; None if a control failed or there are too few melodies.
        refused: the reason in that case, otherwise empty.
        families: the result of each classifier by name; empty without a headline.
        controls: `real-against-real` and `trivial`, if they were run.
        melodies: number of melodies, by `human` and `generated`.
        pieces: number of pieces, likewise.
        steps: the length of the melodies.
        seeds: number of seeds.
        left_out: number of melodies that were too short.
        groups: the groups of musical features, the one with the largest AUC first; empty without a headline.
    """

    headline: str | None
    refused: str
    families: Mapping[str, Separability]
    controls: Mapping[str, Separability]
    melodies: Mapping[str, int]
    pieces: Mapping[str, int]
    steps: int
    seeds: int
    left_out: int = 0
    groups: Sequence[GroupSeparability] = ()

    @property
    def best(self) -> Separability | None:
        """The result of the strongest classifier; None without a headline."""
        return self.families[self.headline] if self.headline is not None else None

    @property
    def p(self) -> float | None:
        """The p-value of the strongest classifier; None without a headline."""
        return self.best.p if self.best is not None else None

    def to_json(self) -> dict[str, Any]:
        """JSON values; None where there is no number, with the reason under `refused`.

        Examples:
            >>> empty = TwoSampleResult(None, "there is no melody", {}, {}, {"human": 0}, {"human": 0}, 0, 5)
            >>> empty.to_json()["accuracy"], empty.to_json()["refused"]
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
            "families": {name: result.to_json() for name, result in self.families.items()},
            "controls": {name: result.to_json() for name, result in self.controls.items()},
            "groups": [group.to_json() for group in self.groups],
            "melodies": dict(self.melodies),
            "pieces": dict(self.pieces),
            "steps": self.steps,
            "seeds": self.seeds,
            "left_out": self.left_out,
        }


def interval_json(interval: Interval) -> dict[str, Any]:
    """A number with its bounds as JSON values, rounded; undefined ones are None, with a reason.

    Examples:
        >>> interval_json(Interval(2 / 3, 0.5, float("nan")))
        {'value': 0.666667, 'low': 0.5, 'high': None, 'reason': 'too few pieces for bounds'}
    """
    numbers = {"value": interval.value, "low": interval.low, "high": interval.high}
    values: dict[str, Any] = {name: None if math.isnan(x) else round(x, _DIGITS) for name, x in numbers.items()}
    return values | ({"reason": "too few pieces for bounds"} if None in values.values() else {})


def classifier_two_sample_test(
    human: Line,
    pieces: NDArray[np.generic],
    generated: Line,
    options: TwoSampleOptions | None = None,
    *,
    generated_pieces: NDArray[np.generic] | None = None,
    quiet: bool = False,
) -> TwoSampleResult:
    """Measure how well classifiers tell generated melodies from human ones.

    Args:
        human: human melodies that neither the generator nor its reward has seen.
        pieces: `(melodies,)` the piece of each, as any labels; melodies of one piece are never split.
        generated: generated melodies.
        options: the options of the test.
        generated_pieces: the same for generated melodies; None if each is a piece.
        quiet: show no progress.

    Raises:
        UsageError: the number of labels differs from that of melodies, or the device is unknown.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> steps = np.random.default_rng(1).integers(0, 3, (60, 8)).cumsum(axis=1)
        >>> up, down = GridEncoding().line(20 + steps), GridEncoding().line(20 - steps)
        >>> options = TwoSampleOptions(families=("logistic",), groups=False)
        >>> classifier_two_sample_test(up, np.arange(60), down, options, quiet=True).best.accuracy.low > 0.8
        True
    """
    options = options or TwoSampleOptions()
    comparison = Comparison.from_samples(human, pieces, generated, generated_pieces)
    refused = _too_few(comparison, options)
    if refused:
        return _result(comparison, options, {}, {}, None, refused)
    examples = comparison.examples(options.steps_per_bar, _rng(options, "keys"))
    reserved = comparison.model_selection_part(_rng(options, "aside"))
    splits = [comparison.split(~reserved, _rng(options, seed, "split")) for seed in range(options.seeds)]
    fits = options.seeds * (len(options.families) + 2)
    with progress("Training classifiers", total=fits, unit="classifiers", quiet=quiet) as bar:
        predictions, strongest = _train_all(comparison, examples, reserved, splits, options, bar)
        predictions[REAL] = _human_against_human(comparison, examples, strongest, options, bar)
    results = {
        name: Separability(
            made.accuracy(_rng(options, name, "accuracy"), resamples=options.resamples),
            made.auc(_rng(options, name, "auc"), resamples=options.resamples),
            made.p_value(_rng(options, name, "p"), permutations=options.permutations),
            strongest if name == REAL else name,
        )
        for name, made in predictions.items()
    }
    controls = {name: results.pop(name) for name in (REAL, TRIVIAL)}
    ahead = predictions[strongest].advantage(predictions[TRIVIAL], _rng(options, "ahead"), resamples=options.resamples)
    refused = _failed_control(results[strongest], controls, ahead.low)
    groups = _by_group(comparison, examples, splits, options) if options.groups and not refused else []
    return _result(comparison, options, results, controls, strongest, refused, groups)


def _train_all(
    comparison: Comparison,
    examples: Examples,
    reserved: NDArray[np.bool_],
    splits: Sequence[_Split],
    options: TwoSampleOptions,
    bar: Progress,
) -> tuple[dict[str, Predictions], str]:
    """The predictions of each classifier and the trivial control, and the strongest on the part for model selection."""
    selection = comparison.balance(np.flatnonzero(reserved), _rng(options, "aside", "balance"))
    tested: dict[str, list[Predictions]] = {name: [] for name in (*options.families, TRIVIAL)}
    selected: dict[str, list[Predictions]] = {name: [] for name in options.families}
    for seed, (train, test) in enumerate(splits):
        parts = [examples[rows] for rows in (train, test, selection)]
        for name in tested:
            classifier = make_classifier(name, options.device)
            scores = classifier.fit(parts[0], comparison.generated[train], _rng(options, seed, name))
            tested[name].append(_predictions(comparison, test, scores(parts[1]), seed))
            if name in selected:
                selected[name].append(_predictions(comparison, selection, scores(parts[2]), seed))
            bar.advance(1, f"{name}, seed {seed + 1} of {options.seeds}")
    aucs = {name: Predictions.concatenate(made).mean_auc() for name, made in selected.items()}
    return {name: Predictions.concatenate(made) for name, made in tested.items()}, max(
        aucs, key=lambda name: aucs[name]
    )


def _human_against_human(
    comparison: Comparison, examples: Examples, strongest: str, options: TwoSampleOptions, bar: Progress
) -> Predictions:
    """The predictions of the strongest classifier if a random half of the human pieces is labelled as generated."""
    made = []
    human = examples[~comparison.generated]
    for seed in range(options.seeds):
        halves = comparison.human_halves(_rng(options, seed, REAL))
        train, test = halves.split(np.ones(len(human), np.bool_), _rng(options, seed, REAL, "split"))
        classifier = make_classifier(strongest, options.device)
        scores = classifier.fit(human[train], halves.generated[train], _rng(options, seed, REAL, strongest))
        made.append(_predictions(halves, test, scores(human[test]), seed))
        bar.advance(1, f"human against human, seed {seed + 1} of {options.seeds}")
    return Predictions.concatenate(made)


def _by_group(
    comparison: Comparison, examples: Examples, splits: Sequence[_Split], options: TwoSampleOptions
) -> list[GroupSeparability]:
    """How well each group of features tells the sets apart, the best first."""

    def predictions(groups: Sequence[str]) -> Predictions:
        made = []
        for seed, (train, test) in enumerate(splits):
            classifier, rng = logistic_regression(groups), _rng(options, seed, *groups)
            scores = classifier.fit(examples[train], comparison.generated[train], rng)
            made.append(_predictions(comparison, test, scores(examples[test]), seed))
        return Predictions.concatenate(made)

    every, results = predictions(tuple(GROUPS)), []
    whole = every.mean_auc()
    for group in GROUPS:
        rng = _rng(options, group, "auc")
        auc, drop = predictions((group,)).auc(rng, resamples=options.resamples), None
        if whole > auc.value:
            without = predictions([other for other in GROUPS if other != group])
            drop = every.auc_advantage(without, rng, resamples=options.resamples)
        results.append(GroupSeparability(group, auc, drop))
    return sorted(results, key=lambda one: -one.auc.value)


def _predictions(comparison: Comparison, rows: NDArray[np.int64], score: NDArray[np.float64], seed: int) -> Predictions:
    return Predictions(score, comparison.generated[rows], comparison.piece[rows], np.full(len(rows), seed))


def _too_few(comparison: Comparison, options: TwoSampleOptions) -> str:
    """Why there are too few melodies, or nothing."""
    for side, kind in ((False, "human"), (True, "generated")):
        melodies, pieces = comparison.melodies(generated=side), comparison.pieces(generated=side)
        if melodies < options.least_melodies or pieces < options.least_pieces:
            return (
                f"there are {melodies} {kind} melodies of {pieces} pieces, but the test needs at least "
                f"{options.least_melodies} of {options.least_pieces} on each side"
            )
    if comparison.steps < _MIN_STEPS:
        return f"the melodies have only {comparison.steps} steps in common"
    return ""


def _failed_control(strongest: Separability, controls: dict[str, Separability], ahead: float) -> str:
    """Which control failed, or nothing."""
    real, trivial = controls[REAL], controls[TRIVIAL]
    if real.p <= _LEVEL or not real.accuracy.low <= _CHANCE <= real.accuracy.high:
        return (
            f"human melodies are told from other human melodies with an accuracy of {real.accuracy.value:.0%} instead "
            "of about 50%: the split leaks, or there are too few melodies"
        )
    if trivial.p <= _LEVEL and not ahead > 0:
        return (
            f"length, range and number of notes alone reach an accuracy of {trivial.accuracy.value:.0%}, "
            f"and the strongest classifier, at {strongest.accuracy.value:.0%}, is not clearly better"
        )
    return ""


def _result(
    comparison: Comparison,
    options: TwoSampleOptions,
    families: dict[str, Separability],
    controls: dict[str, Separability],
    strongest: str | None,
    refused: str,
    groups: Sequence[GroupSeparability] = (),
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
        seeds=options.seeds,
        left_out=comparison.left_out,
        groups=groups,
    )


def _rng(options: TwoSampleOptions, *purpose: str | int) -> np.random.Generator:
    return generator(options.seed, "listener", *purpose)


# --------------------------------------------------------------------------------------- by the length of excerpts


@dataclass(frozen=True)
class BarsResult:
    """The result of the test on the first bars of the melodies.

    Args:
        bars: number of bars.
        accuracy: of the strongest classifier; None without a result.
        headline: name of that classifier, or empty.
        reason: why there is no result, or empty.
    """

    bars: int
    accuracy: Interval | None
    headline: str = ""
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """JSON values; the accuracy is None, with a reason, without a result.

        Examples:
            >>> BarsResult(8, None, reason="no melody is as long").to_json()
            {'bars': 8, 'accuracy': None, 'headline': '', 'reason': 'no melody is as long'}
        """
        accuracy = None if self.accuracy is None else interval_json(self.accuracy)
        return {"bars": self.bars, "accuracy": accuracy, "headline": self.headline, "reason": self.reason}


def two_sample_tests_by_bars(
    human: Line,
    pieces: NDArray[np.generic],
    generated: Line,
    steps_per_bar: int,
    bars: Sequence[int] = _BARS,
    *,
    options: TwoSampleOptions | None = None,
    generated_pieces: NDArray[np.generic] | None = None,
    quiet: bool = False,
) -> list[BarsResult]:
    """Run `classifier_two_sample_test` on the first bars of the melodies, without those that are shorter.

    The classifiers of the options are limited to `FAST`; if none remains, all of `FAST` are used.

    Raises:
        UsageError: bars or steps are less than 1.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> steps = np.random.default_rng(1).integers(0, 3, (60, 8)).cumsum(axis=1)
        >>> up, down = GridEncoding().line(20 + steps), GridEncoding().line(20 - steps)
        >>> options = TwoSampleOptions(families=("logistic",))
        >>> rows = two_sample_tests_by_bars(up, np.arange(60), down, 8, bars=(1, 2), options=options, quiet=True)
        >>> rows[0].accuracy.low > 0.8, rows[1].reason.partition(",")[0]
        (True, 'with 2 bars')
    """
    if steps_per_bar < 1 or any(size < 1 for size in bars):
        raise UsageError("an excerpt has no steps", "give at least 1 bar and 1 step a bar")
    options = options or TwoSampleOptions()
    families = tuple(name for name in options.families if name in FAST) or FAST
    options = replace(options, families=families, steps_per_bar=steps_per_bar, groups=False)
    own = np.arange(generated.melodies) if generated_pieces is None else np.asarray(generated_pieces)
    rows = []
    with progress("Testing excerpts", total=len(bars), unit="lengths", quiet=quiet) as bar:
        for size in bars:
            steps = size * steps_per_bar
            long_human, long_generated = lengths(human) >= steps, lengths(generated) >= steps
            result = classifier_two_sample_test(
                cut(human[long_human], min(steps, human.steps)),
                np.asarray(pieces)[long_human],
                cut(generated[long_generated], min(steps, generated.steps)),
                options,
                generated_pieces=own[long_generated],
                quiet=True,
            )
            reason = f"with {size} bars, {result.refused}" if result.refused else ""
            rows.append(BarsResult(size, result.best.accuracy if result.best else None, result.headline or "", reason))
            bar.advance(1, f"{size} bars")
    return rows


# ------------------------------------------------------------------------------------------- of several systems


@dataclass(frozen=True)
class _Task:
    """A test of a system: on whole melodies, or on the first bars if `bars` is not 0."""

    system: str
    bars: int
    sides: tuple[Line, NDArray[np.generic], Line]
    generated_pieces: NDArray[np.generic]
    options: TwoSampleOptions

    def run(self) -> TwoSampleResult | BarsResult:
        """Run the test."""
        options, own = self.options, self.generated_pieces
        if not self.bars:
            return classifier_two_sample_test(*self.sides, options, generated_pieces=own, quiet=True)
        (row,) = two_sample_tests_by_bars(
            *self.sides, options.steps_per_bar, (self.bars,), options=options, generated_pieces=own, quiet=True
        )
        return row


def two_sample_tests(
    human: Line,
    pieces: NDArray[np.generic],
    systems: Mapping[str, tuple[Line, NDArray[np.generic]]],
    options: TwoSampleOptions | None = None,
    *,
    jobs: int = 0,
) -> dict[str, tuple[TwoSampleResult, list[BarsResult]]]:
    """Run `classifier_two_sample_test` and `two_sample_tests_by_bars` for several systems, in processes of one thread.

    The results are the same for any number of processes.

    Args:
        human: human melodies.
        pieces: `(melodies,)` the piece of each.
        systems: by name, the melodies of each system and their pieces.
        options: the options of the tests.
        jobs: number of processes; 0 takes one a processor.

    Raises:
        RunError: a process failed.
    """
    options = options or TwoSampleOptions()
    refused = {
        name
        for name, (line, own) in systems.items()
        if _too_few(Comparison.from_samples(human, pieces, line, own), options)
    }
    tasks = [
        _Task(name, bars, (human, pieces, line), own, options)
        for bars in (0, *_BARS[::-1])  # the slowest first
        for name, (line, own) in systems.items()
    ]
    results: dict[tuple[str, int], Any] = {}
    with progress("Training classifiers", total=len(tasks), unit="tests") as bar:
        for task in tasks:
            if task.system in refused:  # nor are there enough of its first bars: no process is worth it
                results[task.system, task.bars] = task.run()
                bar.advance(1, task.system)
        tasks = [task for task in tasks if task.system not in refused]
        for index, result in bounded_map(_Task.run, tasks, jobs=jobs, seconds=_SECONDS, memory=_MEMORY):
            task = tasks[index]
            if isinstance(result, Failure):
                raise RunError(f"the classifiers of {task.system} failed: {result.reason}", result.hint)
            results[task.system, task.bars] = result
            bar.advance(1, task.system)
    return {name: (results[name, 0], [results[name, bars] for bars in _BARS]) for name in systems}
