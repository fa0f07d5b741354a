"""Likelihood of held-out pieces: nats per step and note of each model, and the margins between models."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.data import ReadLimits, Skipped, semitones_to_normalized
from cantilena.errors import UsageError
from cantilena.generation import Composer
from cantilena.metrics import Interval, RuleCounts, bootstrap_ratio, bootstrap_ratios
from cantilena.models import BAR_RANGES, Bars, Bundle, Likelihood, SequenceModel, Sequences, likelihood
from cantilena.music import ON
from cantilena.reporting.text import counted, listed
from cantilena.runtime import generator, log
from cantilena.tokenizers import GridEncoding, NotesEncoding
from cantilena.workflows.data import HeldOut, HeldOutPieces, encode_pieces, transposed
from cantilena.workflows.evaluate.counts import Entry, entry, undefined
from cantilena.workflows.evaluate.melody_sets import GRID, EvalMelody
from cantilena.workflows.evaluate.systems import parse_systems

CLEAR_MARGIN = 0.02
"""Nats per step: a smaller margin is not called clear, even if it is significant."""

_NORMALIZED = "_in_plain_keys"
"""Suffix of the metrics of pieces transposed to C major or A minor."""

_CHANGES = (
    ("folded", "note", "moved by octaves"),
    ("rounded", "note", "moved in time"),
    ("dropped", "note", "left out"),
    ("silent", "piece", "left out whole"),
)
"""What tokens cannot represent, and what happens to it."""


def measure_likelihoods(
    words: Sequence[str], test: Path, *, seed: int = 1, device: str = "auto", limits: ReadLimits | None = None
) -> Likelihoods:
    """Measure how well bundles predict a folder of held-out scores, taken as it is.

    The negative log-likelihood is summed over all steps of whole pieces, from the start symbol on, without an end
    token, and divided by the steps or the note onsets. A tuned model is measured before tuning, too. A model of C major
    and A minor is measured on the pieces as they are and transposed to those keys.

    Raises:
        UsageError: a system is not a bundle, or two have one name.
        BundleError: a bundle cannot be read.
        CorpusError: the folder is missing or has no usable score.

    Examples:
        >>> import tempfile
        >>> from cantilena.io import write
        >>> from cantilena.music import Melody
        >>> folder = Path(tempfile.mkdtemp())
        >>> write(Melody.from_pitches([(60, 24), (62, 24), (64, 48)] * 4), folder / "tune.mid")
        >>> systems = measure_likelihoods(["tunes"], folder).to_json()["systems"]
        >>> [(name, system["steps"], system["notes"]) for name, system in systems.items()]
        [('tunes', 64, 12)]
    """
    specs = parse_systems(words)
    for spec in specs:
        if spec.kind != "bundle":
            raise UsageError(
                f"'{spec.name}' is a {spec.kind}; only models have likelihoods",
                "give bundles, which `cantilena train` makes, also of n-grams (--model ngram)",
            )
    bundles = {spec.name: spec.bundle for spec in specs}
    folder = HeldOut(test, limits=limits or ReadLimits())
    predictions = [one for name, bundle in bundles.items() for one in _predictions(name, bundle, folder, seed, device)]
    margins = [one for pair in combinations(predictions, 2) for one in margins_between(*pair)]
    return Likelihoods(predictions, margins, folder.skipped)


def _predictions(name: str, bundle: Bundle, folder: HeldOut, seed: int, device: str) -> Iterator[Prediction]:
    log(f"Predicting: {name}")
    pieces = folder.pieces(bundle.encoding)
    moved = folder.pieces(bundle.encoding, normalized_key=True) if bundle.provenance.get("plain_keys") else None
    greedy = "its policy argmax-q plays one token and gives the others no probability"
    models = [(name, bundle.model(), greedy if bundle.policy == "argmax-q" else "")]
    if bundle.prior_weights is not None:
        models.append((f"{name} before tuning", bundle.prior(), ""))
    for model_name, model, reason in models:
        _to_device(model, device)
        measured = {"": pieces.predicted_by(model)}
        if moved is not None:
            measured[_NORMALIZED] = moved.predicted_by(model)
        yield Prediction(model_name, pieces, measured, seed, reason)


def _to_device(model: SequenceModel, device: str) -> None:
    """Move what computes in torch; small networks and n-grams compute in numpy."""
    parts: tuple[Any, ...] = (model, getattr(model, "network", None), getattr(model, "prior", None))
    for part in parts:
        if hasattr(part, "to"):
            from cantilena.models import choose_device  # torch takes seconds to import

            part.to(choose_device(device))


@dataclass(frozen=True)
class Prediction:
    """The likelihood of held-out pieces under one model.

    It is `measured` by the suffix of the metrics: "" for the pieces as they are, and `_in_plain_keys` transposed to C
    major or A minor, where the model has these keys only. A `reason` says why it is undefined.
    """

    name: str
    pieces: HeldOutPieces
    measured: Mapping[str, Likelihood]
    seed: int
    reason: str = ""

    @property
    def is_bound(self) -> bool:
        """Whether the nats are an upper bound, as those of a VAE."""
        return self.measured[""].is_bound

    @cached_property
    def metrics(self) -> dict[str, Entry]:
        """Nats per step and note, with 95 % intervals by resampling works."""
        metrics = {}
        for suffix, one in self.measured.items():
            names = [f"nats_per_step{suffix}", f"nats_per_note{suffix}"]
            out_of = dict(zip(names, (one.steps.astype(np.float64), one.notes.astype(np.float64)), strict=True))
            rng, nats = generator(self.seed, "likelihood"), dict.fromkeys(names, one.nats)
            for name, interval in bootstrap_ratios(nats, out_of, self.pieces.labels, rng).items():
                known = entry(interval, "no note begins in these pieces")
                metrics[name] = undefined(self.reason) if self.reason else known
        return metrics

    @cached_property
    def by_bars(self) -> list[dict[str, Any]]:
        """Nats per step in the first bars and in later ones, with 95 % intervals; none where steps are not timed."""
        one = self.measured[""]
        if self.reason or one.by_bars is None or one.steps_by_bars is None or not self.pieces.encoding.has_rhythm:
            return []
        names = [f"{first}-{last or ''}" for first, last in BAR_RANGES]
        nats = dict(zip(names, one.by_bars.T, strict=True))
        steps = dict(zip(names, one.steps_by_bars.T.astype(np.float64), strict=True))
        rng = generator(self.seed, "likelihood", "bars")
        intervals = bootstrap_ratios(nats, steps, self.pieces.labels, rng)
        return [
            {"bars": name, "steps": int(steps[name].sum()), **entry(interval, "no piece is that long")}
            for name, interval in intervals.items()
        ]

    def to_json(self) -> dict[str, Any]:
        """A system of results.json: pieces, metrics, and what the tokens cannot represent."""
        metrics, pieces = self.metrics, self.pieces
        return {
            "melodies": len(pieces.sequences),
            **({"bound": True} if self.is_bound else {}),
            "metrics": metrics,
            "test": {name: metrics[name]["value"] for name in ("nats_per_step", "nats_per_note")},
            "by_bars": self.by_bars,
            "steps": int(self.measured[""].steps.sum()),
            "notes": int(self.measured[""].notes.sum()),
            **{name: getattr(pieces, name) for name, _, _ in _CHANGES},
        }

    def text(self) -> str:
        """A few lines for a terminal."""
        if self.reason:
            return f"{self.name}: {self.reason}"
        row = self.to_json()
        sizes = [counted(row[key], noun) for key, noun in (("melodies", "piece"), ("steps", "step"), ("notes", "note"))]
        where = {"": f"in {listed(sizes)}", _NORMALIZED: "in C major or A minor"}
        bound = "at most (a bound) " if self.is_bound else ""
        rows = []
        for suffix in self.measured:
            step, note = (_number(self.metrics[f"nats_per_{unit}{suffix}"]) for unit in ("step", "note"))
            rows.append(f"{self.name}: {bound}{step} nats per step, {note} per note {where[suffix]}")
        parts = [f"{_number(one)} in {one['bars']}" for one in self.by_bars if one["value"] is not None]
        rows += [f"  nats per step by bars: {'; '.join(parts)}"] if len(parts) > 1 else []
        lost = [f"{counted(row[key], noun)} {change}" for key, noun, change in _CHANGES if row[key]]
        return "\n".join([*rows, f"  changed: {listed(lost)}"] if lost else rows)


def _number(row: Entry) -> str:
    if row["value"] is None:
        return "no number of"
    bounds = f" ({row['low']:.4f} to {row['high']:.4f})" if row["low"] is not None else ""
    return f"{row['value']:.4f}{bounds}"


@dataclass(frozen=True)
class Margin:
    """The difference of two models in nats per step on the same tokens, paired by piece.

    The interval is of the second's nats minus the first's, negative where the second predicts better. It is NaN where
    it is undefined for a `reason`, and `bounded` if one of the two gives only a bound.

    Examples:
        >>> Margin("ngram", "lstm", "nats_per_step", Interval(-0.031, -0.041, -0.021)).text()
        'lstm needs 0.0310 nats per step less than ngram (95 %: 0.0210 to 0.0410): a clear margin'
    """

    first: str
    second: str
    metric: str
    interval: Interval
    reason: str = ""
    bounded: bool = False

    @property
    def clear(self) -> bool:
        """Whether the margin is 0.02 nats or more and its interval excludes 0."""
        return abs(self.interval.value) >= CLEAR_MARGIN and (self.interval.low > 0 or self.interval.high < 0)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        names = {"first": self.first, "second": self.second, "metric": self.metric}
        return names | entry(self.interval, self.reason) | {"clear": self.clear}

    def text(self) -> str:
        """A sentence."""
        where = " in C major or A minor" if self.metric.endswith(_NORMALIZED) else ""
        if self.reason:
            return f"{self.second} and {self.first}{where} cannot be compared: {self.reason}"
        value, low, high = self.interval.value, self.interval.low, self.interval.high
        if value == low == high == 0:
            return f"{self.second} predicts each piece{where} as {self.first} does"
        word, low, high = ("less", -high, -low) if value < 0 else ("more", low, high)
        bounds = f" (95 %: {low:.4f} to {high:.4f})" if math.isfinite(low) else ""
        margin = f"{'' if self.clear else 'not '}a clear margin{', as far as a bound shows' if self.bounded else ''}"
        return f"{self.second} needs {abs(value):.4f} nats per step{where} {word} than {self.first}{bounds}: {margin}"


def margins_between(first: Prediction, second: Prediction) -> Iterator[Margin]:
    """The margins of two models, with intervals by resampling works."""
    reason = first.reason or second.reason
    if not reason and first.pieces.encoding.description() != second.pieces.encoding.description():
        reason = "they read the pieces as different tokens"
    for suffix, own in first.measured.items():
        if suffix in second.measured:
            interval = Interval(math.nan, math.nan, math.nan)
            if not reason:
                steps, more = own.steps.astype(np.float64), second.measured[suffix].nats - own.nats
                interval = bootstrap_ratio(more, steps, first.pieces.labels, generator(first.seed, "likelihood"))
            bounded = first.is_bound or second.is_bound
            yield Margin(first.name, second.name, f"nats_per_step{suffix}", interval, reason, bounded)


@dataclass(frozen=True)
class Likelihoods:
    """The likelihoods of the same held-out pieces under several models; `skipped` files could not be used."""

    predictions: Sequence[Prediction]
    margins: Sequence[Margin]
    skipped: Sequence[Skipped]

    def to_json(self) -> dict[str, Any]:
        """The answer of `evaluate --likelihood --json`."""
        return {
            "systems": {one.name: one.to_json() for one in self.predictions},
            "differences": [one.to_json() for one in self.margins],
            "skipped": [{"file": row.file, "reason": row.reason} for row in self.skipped],
        }

    def text(self) -> str:
        """The same for a terminal."""
        rows = [*(one.text() for one in self.predictions), *(one.text() for one in self.margins)]
        if self.skipped:
            some = self.skipped[0]
            rows.append(f"{counted(len(self.skipped), 'file')} could not be used, such as {some.file}: {some.reason}")
        return "\n".join(rows)


@dataclass(frozen=True)
class ReferenceModel:
    """A composer whose prior gives melodies of any system a likelihood."""

    composer: Composer

    def counts(self, melodies: Sequence[EvalMelody]) -> RuleCounts:
        """`log_likelihood_per_step` of each melody, transposed to the model's keys and range."""
        nats, steps = np.zeros(len(melodies)), np.zeros(len(melodies))
        encoding = self.composer.encoding
        if isinstance(encoding, NotesEncoding):
            whole = transposed(
                [one.to_melody() for one in melodies], encoding, normalized_key=self.composer.normalized_key
            )
            sounding = [row for row, one in enumerate(whole) if one.length]
            fitted = [encoding.fit(whole[row]).melody for row in sounding]
            if fitted:
                result = likelihood(self.composer.prior, encode_pieces(encoding, fitted).sequences)
                nats[sounding], steps[sounding] = -result.nats, result.steps
            return RuleCounts({"log_likelihood_per_step": nats}, {"log_likelihood_per_step": steps})
        tokens = [self._tokens(melody) for melody in melodies]
        kept = [row for row, some in enumerate(tokens) if len(some)]
        if kept:
            steps_per_bar = np.array([melodies[row].context.steps_per_bar for row in kept], dtype=np.int64)
            bars = Bars(steps_per_bar, np.zeros(len(kept), dtype=np.int64))
            result = likelihood(self.composer.prior, Sequences(tuple(tokens[row] for row in kept), bars))
            nats[kept], steps[kept] = -result.nats, result.steps
        return RuleCounts({"log_likelihood_per_step": nats}, {"log_likelihood_per_step": steps})

    def _tokens(self, melody: EvalMelody) -> NDArray[np.int64]:
        """A melody in the model's tokens and keys."""
        encoding = self.composer.encoding
        if not isinstance(encoding, GridEncoding) or encoding.ticks_per_step != GRID.ticks_per_step:
            return encoding.encode(melody.to_melody())
        onsets = melody.tokens >= ON
        pitches = melody.tokens[onsets] - ON
        if self.composer.normalized_key and len(pitches):
            pitches = pitches + semitones_to_normalized(pitches, melody.key, low=encoding.low, high=encoding.high)
        tokens = melody.tokens.copy()
        tokens[onsets] = [encoding.fold(int(pitch)) - encoding.low + ON for pitch in pitches]
        return tokens
