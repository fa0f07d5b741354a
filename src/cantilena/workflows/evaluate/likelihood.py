"""`evaluate --likelihood`: how well models predict held-out pieces, and which of them by a clear margin.

Models on held-out pieces: nats a step and a note with their intervals, and the margin between two of them.

The model that says how probable melodies are, whoever made them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.data import Skipped, semitones_to_plain
from cantilena.errors import UsageError
from cantilena.generation import Composer
from cantilena.metrics import Interval, RuleCounts, bootstrap_ratio, bootstrap_ratios
from cantilena.models import Bars, Bundle, Likelihood, SequenceModel, Sequences, find_bundle, likelihood
from cantilena.music import ON
from cantilena.reporting.text import counted, listed
from cantilena.runtime import generator, say
from cantilena.tokenizers import GridEncoding
from cantilena.workflows.data import HeldOut, HeldOutPieces
from cantilena.workflows.evaluate.counts import Entry, entry, undefined
from cantilena.workflows.evaluate.melody_sets import GRID, JudgedTune
from cantilena.workflows.evaluate.systems import contestants

CLEAR_MARGIN = 0.02
"""Nats a step: a smaller difference is not called clear, however sure it is."""

IN_PLAIN_KEYS = "_in_plain_keys"
"""Ends the names of numbers on pieces moved to C major or A minor."""


@dataclass(frozen=True)
class Prediction:
    """One model on held-out pieces.

    Args:
        name: the bundle's; of a tuned one, that of the model before tuning says so.
        pieces: as the model reads them.
        found: nats, steps and notes of each.
        in_plain_keys: the same of pieces moved to C major or A minor, where the model knows no other keys.
        impossible: why it has no likelihood, if it has none.
    """

    name: str
    pieces: HeldOutPieces
    found: Likelihood
    in_plain_keys: Likelihood | None = None
    impossible: str = ""

    def measured(self) -> Mapping[str, Likelihood]:
        """What was measured, by the ending of its numbers' names."""
        moved = {} if self.in_plain_keys is None else {IN_PLAIN_KEYS: self.in_plain_keys}
        return {"": self.found, **moved}

    def metrics(self, seed: int) -> dict[str, Entry]:
        """Nats a step and a note, with 95 % intervals from drawing works with replacement."""
        metrics = {}
        for ending, found in self.measured().items():
            nats = {f"nats_per_step{ending}": found.nats, f"nats_per_note{ending}": found.nats}
            out_of = dict(zip(nats, (found.steps.astype(np.float64), found.notes.astype(np.float64)), strict=True))
            draws = generator(seed, "likelihood")
            for name, interval in bootstrap_ratios(nats, out_of, self.pieces.labels, draws).items():
                told = entry(interval, "no note begins in these pieces")
                metrics[name] = undefined(self.impossible) if self.impossible else told
        return metrics

    def to_json(self, seed: int) -> dict[str, Any]:
        """A system of results.json: its number of pieces, its metrics, and what its tokens could not say."""
        metrics, pieces = self.metrics(seed), self.pieces
        return {
            "melodies": len(pieces.sequences),
            **({"bound": True} if self.found.at_most else {}),
            "metrics": metrics,
            "test": {name: metrics[name]["value"] for name in ("nats_per_step", "nats_per_note")},
            "steps": int(self.found.steps.sum()),
            "notes": int(self.found.notes.sum()),
            "folded": pieces.folded,
            "rounded": pieces.rounded,
            "dropped": pieces.dropped,
            "silent": pieces.silent,
        }

    def text(self, seed: int) -> str:
        """A few lines for a terminal."""
        if self.impossible:
            return f"{self.name}: {self.impossible}"
        metrics, found, pieces = self.metrics(seed), self.found, self.pieces
        sizes = (len(pieces.sequences), "piece"), (int(found.steps.sum()), "step"), (int(found.notes.sum()), "note")
        rows = []
        for ending in self.measured():
            step, note = (_number(metrics[f"nats_per_{what}{ending}"]) for what in ("step", "note"))
            place = "in plain keys" if ending else f"in {listed([counted(*size) for size in sizes])}"
            most = "at most (a bound) " if found.at_most else ""
            rows.append(f"{self.name}: {most}{step} nats a step, {note} a note {place}")
        changed = (
            (pieces.folded, "note", "moved by octaves"),
            (pieces.rounded, "note", "moved in time"),
            (pieces.dropped, "note", "left out"),
            (pieces.silent, "piece", "left out whole"),
        )
        lost = [f"{counted(count, noun)} {what}" for count, noun, what in changed if count]
        return "\n".join([*rows, f"  not as written: {listed(lost)}"] if lost else rows)


@dataclass(frozen=True)
class Margin:
    """What one model needs more than another on the same tokens, nats a step, paired by piece.

    Args:
        first: the model that the other is held beside.
        second: the other.
        metric: `nats_per_step`, or the same in plain keys.
        interval: the second's less the first's: below 0 where the second predicts better; NaN where undefined.
        reason: why it is undefined, if it is.
        bounded: whether one of the two tells no more than a bound.

    Example:
        >>> Margin("ngram", "lstm", "nats_per_step", Interval(-0.031, -0.041, -0.021)).text()
        'lstm needs 0.0310 nats a step less than ngram (95 %: 0.0210 to 0.0410): a clear margin'
    """

    first: str
    second: str
    metric: str
    interval: Interval
    reason: str = ""
    bounded: bool = False

    @property
    def clear(self) -> bool:
        """Whether it is .02 nats or more, and its interval does not hold 0."""
        one_side = self.interval.low > 0 or self.interval.high < 0
        return abs(self.interval.value) >= CLEAR_MARGIN and one_side

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        names = {"first": self.first, "second": self.second, "metric": self.metric}
        return names | entry(self.interval, self.reason) | {"clear": self.clear}

    def text(self) -> str:
        """A sentence."""
        place = " in plain keys" if self.metric.endswith(IN_PLAIN_KEYS) else ""
        if self.reason:
            return f"{self.second} and {self.first}{place} cannot be compared: {self.reason}"
        value, low, high = self.interval.value, self.interval.low, self.interval.high
        if value == low == high == 0:
            return f"{self.second} predicts each piece{place} as {self.first} does"
        word = "less" if value < 0 else "more"
        bounds = sorted((math.copysign(1.0, value) * low, math.copysign(1.0, value) * high))
        sure = f" (95 %: {bounds[0]:.4f} to {bounds[1]:.4f})" if math.isfinite(low) else ""
        margin = "a clear margin" if self.clear else "not a clear margin"
        margin += ", as far as a bound tells" if self.bounded else ""
        return f"{self.second} needs {abs(value):.4f} nats a step{place} {word} than {self.first}{sure}: {margin}"


def margins_between(first: Prediction, second: Prediction, seed: int) -> list[Margin]:
    """How much the second model needs more than the first; the interval is from drawing works with replacement.

    Args:
        first: the model that the other is held beside.
        second: the other.
        seed: of the draws.
    """
    reason = first.impossible or second.impossible
    if not reason and first.pieces.encoding.description() != second.pieces.encoding.description():
        reason = "they read the pieces as different tokens"
    ours, theirs = first.measured(), second.measured()
    margins = []
    for ending in ours:
        if ending in theirs:
            interval = Interval(math.nan, math.nan, math.nan)
            if not reason:
                steps = ours[ending].steps.astype(np.float64)
                further = theirs[ending].nats - ours[ending].nats
                draws = generator(seed, "likelihood")
                interval = bootstrap_ratio(further, steps, first.pieces.labels, draws)
            bounded = first.found.at_most or second.found.at_most
            margins.append(Margin(first.name, second.name, f"nats_per_step{ending}", interval, reason, bounded))
    return margins


def _number(told: Entry) -> str:
    if told["value"] is None:
        return "no number of"
    bounds = f" ({told['low']:.4f} to {told['high']:.4f})" if told["low"] is not None else ""
    return f"{told['value']:.4f}{bounds}"


@dataclass(frozen=True)
class Likelihoods:
    """How well models predict the same held-out pieces.

    Args:
        predictions: one a model.
        skipped: files of the folder that could not be used.
        seed: of the intervals' draws.
    """

    predictions: Sequence[Prediction]
    skipped: Sequence[Skipped]
    seed: int = 1

    @cached_property
    def margins(self) -> Sequence[Margin]:
        """Between every two models."""
        pairs = combinations(self.predictions, 2)
        return [one for first, second in pairs for one in margins_between(first, second, self.seed)]

    def to_json(self) -> dict[str, Any]:
        """What `evaluate --likelihood --json` prints."""
        return {
            "systems": {one.name: one.to_json(self.seed) for one in self.predictions},
            "differences": [one.to_json() for one in self.margins],
            "skipped": [{"file": row.file, "reason": row.reason} for row in self.skipped],
        }

    def text(self) -> str:
        """The same for a terminal."""
        rows = [one.text(self.seed) for one in self.predictions] + [one.text() for one in self.margins]
        if self.skipped:
            some = self.skipped[0]
            rows.append(f"{counted(len(self.skipped), 'file')} could not be used, such as {some.file}: {some.reason}")
        return "\n".join(rows)


def measure_likelihoods(words: Sequence[str], test: Path, *, seed: int = 1, device: str = "auto") -> Likelihoods:
    """Measure how well bundles predict a folder of held-out scores, taken as it is.

    Minus the sum of ln p over all steps of all pieces, over their number, or over that of note onsets: the first step
    from the start symbol on, no end token, the state carried through the whole piece. Of a tuned model, the policy and
    the model before tuning are both measured. A model that knows C major and A minor alone is measured on the pieces as
    they are, and beside it on the pieces moved there.

    Args:
        words: `NAME=BUNDLE` or `BUNDLE` of each: a network or an n-gram.
        test: the folder.
        seed: of the intervals' draws.
        device: where large networks compute.

    Raises:
        UsageError: what is no bundle, or two of one name.
        BundleError: one cannot be read.
        CorpusError: there is no such folder, or nothing in it can be used.

    Example:
        >>> import tempfile
        >>> from cantilena.io import write
        >>> from cantilena.music import Melody
        >>> place = Path(tempfile.mkdtemp())
        >>> write(Melody.of([(60, 24), (62, 24), (64, 48)] * 4), place / "tune.mid")
        >>> told = measure_likelihoods(["tunes"], place).to_json()["systems"]
        >>> [(name, system["steps"], system["notes"]) for name, system in told.items()]
        [('tunes', 64, 12)]
    """
    found = contestants(words)
    for one in found:
        if one.kind != "bundle":
            raise UsageError(
                f"'{one.name}' is a {one.kind}, and only a model tells how likely a piece is",
                "name bundles: `cantilena train` makes them, of n-grams too (--model ngram)",
            )
    bundles = {one.name: Bundle.load(Path(one.source)) for one in found}
    folder = HeldOut(test)
    predictions = [one for name, bundle in bundles.items() for one in _predictions(name, bundle, folder, device)]
    return Likelihoods(predictions, folder.skipped, seed)


def _predictions(name: str, bundle: Bundle, folder: HeldOut, device: str) -> list[Prediction]:
    say(f"Predicting: {name}")
    pieces = folder.pieces(bundle.encoding)
    plain = folder.pieces(bundle.encoding, plain_keys=True) if bundle.provenance.get("plain_keys") else None
    models = {name: (bundle.model(), _ALL_OR_NOTHING if bundle.policy == "argmax-q" else "")}
    if bundle.prior_weights is not None:
        models[f"{name} before tuning"] = (bundle.prior(), "")
    predictions = []
    for model_name, (model, impossible) in models.items():
        _move(model, device)
        moved = None if plain is None else plain.predicted_by(model)
        predictions.append(Prediction(model_name, pieces, pieces.predicted_by(model), moved, impossible))
    return predictions


def _move(model: SequenceModel, device: str) -> None:
    """Bring what computes in torch to where it shall compute; small networks and n-grams do not."""
    parts: tuple[Any, ...] = (model, getattr(model, "network", None), getattr(model, "prior", None))
    for part in parts:
        if hasattr(part, "to"):
            from cantilena.models import choose_device

            part.to(choose_device(device))


_ALL_OR_NOTHING = "its policy argmax-q plays one token and gives the others no probability"


@dataclass(frozen=True)
class Reference:
    """A model before tuning.

    Args:
        name: of its bundle.
        composer: its prior and its encoding.
    """

    name: str
    composer: Composer

    @classmethod
    def open(cls, name_or_path: str) -> Reference:
        """The prior of a bundle.

        Raises:
            BundleError: there is none, or it cannot be read.
        """
        return cls(name_or_path, Composer.of(Bundle.load(find_bundle(name_or_path))))

    def counts(self, tunes: Sequence[JudgedTune]) -> RuleCounts:
        """`log_likelihood_per_step` of each melody, nats over steps.

        Each is moved to the key that the model thinks in, and notes outside its range by octaves.
        """
        nats, steps = np.zeros(len(tunes)), np.zeros(len(tunes))
        tokens = [self._tokens(tune) for tune in tunes]
        kept = [row for row, some in enumerate(tokens) if len(some)]
        if kept:
            bars = Bars(
                np.array([tunes[row].context.steps_per_bar for row in kept], dtype=np.int64),
                np.zeros(len(kept), dtype=np.int64),
            )
            found = likelihood(self.composer.prior, Sequences(tuple(tokens[row] for row in kept), bars))
            nats[kept], steps[kept] = -found.nats, found.steps
        return RuleCounts({"log_likelihood_per_step": nats}, {"log_likelihood_per_step": steps})

    def _tokens(self, tune: JudgedTune) -> NDArray[np.int64]:
        """What the model would have said to play a melody, in its own key."""
        encoding = self.composer.encoding
        if not isinstance(encoding, GridEncoding) or encoding.step_ticks != GRID.step_ticks:
            return encoding.encode(tune.melody())
        begins = tune.tokens >= ON
        pitches = tune.tokens[begins] - ON
        if self.composer.plain_keys and len(pitches):
            pitches = pitches + semitones_to_plain(pitches, tune.key, low=encoding.low, high=encoding.high)
        tokens = tune.tokens.copy()
        tokens[begins] = [encoding.fold(int(pitch)) - encoding.low + ON for pitch in pitches]
        return tokens
