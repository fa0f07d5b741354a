"""Measurements for a card: held-out likelihood beside baselines, rules and diversity beside human melodies, samples."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from cantilena.data import SPLITS, Corpus
from cantilena.errors import CantilenaError, CorpusError, UsageError
from cantilena.models import UNKNOWN, Bundle, NGram, NGramOptions, SequenceModel, only_bounds_likelihood
from cantilena.music import Key, Melody, Meter, Pitch
from cantilena.rules import Context
from cantilena.runtime import generator
from cantilena.tokenizers import END, Encoding, GridEncoding, NotesEncoding, allowed_after, encoding_from
from cantilena.workflows.cards.recipe import record_of
from cantilena.workflows.data import EncodedPieces, corpus_excerpts, encode_pieces, likelihood_of, transposed
from cantilena.workflows.evaluate.counts import Sample, measure
from cantilena.workflows.evaluate.systems import HUMAN as HUMAN
from cantilena.workflows.evaluate.systems import Tokens, model_system

MELODIES = 1000
"""Number of melodies of each system that are measured; metrics of sets are taken over so many."""

SAMPLES = 4
"""Number of melodies that a card shows."""

_STEPS = 32
"""Steps of a melody of an untuned model, as in RL Tuner: two bars of sixteenths."""

_SHOWN_STEPS = {True: 64, False: 48}
"""Tokens of a melody that is shown: four bars of sixteenths; of notes without durations fewer."""

_SIXTEENTH = 6  # ticks
_LENGTHS = (16, 12, 8, 6, 4, 3, 2, 1)
"""Sixteenths of a single written note; other durations are tied."""


@dataclass(frozen=True)
class HeldOutRow:
    """The likelihood of the held-out parts of a corpus under one model.

    Args:
        nats: `{"valid": {"nats_per_step", "nats_per_note"}, "test": ...}`; empty where undefined for a reason.
    """

    name: str
    nats: Mapping[str, Mapping[str, float | None]]
    reason: str = ""

    def text(self, split: str) -> str:
        """Nats per step, and per note in brackets."""
        if not self.nats:
            return "–"
        step, note = self.nats[split]["nats_per_step"], self.nats[split]["nats_per_note"]
        return f"{step:.4f}" + (f" ({note:.3f})" if note is not None else "")


@dataclass(frozen=True)
class CardNumbers:
    """The measurements of a card.

    Args:
        corpus: `melodies`, `pieces` and `notes`, and the melodies of each split under its name.
        held_out: the model, the model before tuning, and two baselines.
        systems: as in results.json: human melodies, the model, its sisters.
        samples: melodies as text, the first that were drawn.
    """

    corpus: Mapping[str, int]
    held_out: Sequence[HeldOutRow]
    systems: Mapping[str, Mapping[str, Any]]
    steps: int
    samples: Sequence[str]


def measure_for_card(
    bundle: Bundle, name: str, corpus: Corpus, sisters: Mapping[str, Bundle] | None = None, *, seed: int = 1
) -> CardNumbers:
    """Measure a model on its training corpus, beside sisters, which are related models of the same encoding.

    Raises:
        CorpusError: a part of the corpus has no melody for the model.
        UsageError: a sister has another encoding.
    """
    encoding, normalized_key = bundle.encoding, bool(bundle.provenance.get("plain_keys"))
    bundles = {name: bundle, **(sisters or {})}
    for other, sister in bundles.items():
        if sister.encoding.description() != encoding.description():
            raise UsageError(f"{other} and {name} have different encodings", "give models of one encoding")
    description = json.dumps(encoding.description())
    parts = _parts(corpus, description, normalized_key)
    steps, context, meter = _setting(bundle)

    def row(system: str, sample: Sample, one: Bundle, model: SequenceModel | None) -> dict[str, Any]:
        rng = generator(seed, "card intervals", system)
        metrics = measure(
            sample, encoding, rng, model=model, reference=one.prior(), matched_size=MELODIES, meter=meter, thorough=True
        )
        return {"melodies": len(sample.tokens), "metrics": metrics}

    rows = {}
    human = corpus_excerpts(corpus, encoding, steps, normalized_key=normalized_key)
    if len(human.tokens):
        rows[HUMAN] = row(HUMAN, Sample(human.tokens, human.piece, human.contexts), bundle, None)
    systems = {key: model_system(key, "", one.model(), encoding, seed, meter=meter) for key, one in bundles.items()}
    for key, one in bundles.items():
        sample = Sample(systems[key].draw(MELODIES, steps, "card"), contexts=context)
        rows[key] = row(key, sample, one, systems[key].model)
    shown = systems[name].draw(SAMPLES, _SHOWN_STEPS[encoding.has_rhythm], "card samples")
    sizes = {"melodies": len(corpus), "pieces": len(set(corpus.column("piece"))), "notes": corpus.notes}
    return CardNumbers(
        corpus=sizes | {split: len(pieces) for split, pieces in parts.items()},
        held_out=[*_own_rows(bundle, name, parts), *_baseline_rows(corpus, description, normalized_key)],
        systems=rows,
        steps=steps,
        samples=[melody_text(tokens, encoding, number) for number, tokens in enumerate(shown, start=1)],
    )


@lru_cache(maxsize=1)
def _parts(corpus: Corpus, description: str, normalized_key: bool) -> Mapping[str, EncodedPieces]:
    """The splits of a corpus as tokens, kept for the card of the next sister; the encoding is described as JSON."""
    encoding, parts = encoding_from(json.loads(description)), dict[str, EncodedPieces]()
    for split in SPLITS:
        melodies = transposed(corpus.melodies(split), encoding, normalized_key=normalized_key)
        parts[split] = encode_pieces(encoding, melodies)
        if not len(parts[split]):
            hint = "give the training corpus of the model"
            raise CorpusError(f"the part '{split}' of the corpus has no melody for the model", hint)
    return parts


def _own_rows(bundle: Bundle, name: str, parts: Mapping[str, EncodedPieces]) -> Iterator[HeldOutRow]:
    """The model, and the model before tuning."""
    if bundle.policy == "argmax-q":
        yield HeldOutRow(name, {}, "its policy plays one token and gives the others no probability")
    else:
        model = bundle.model()
        label = f"{name} (at most: a bound)" if only_bounds_likelihood(model) else name
        yield _held_out_row(label, model, parts, bundle.encoding)
    if bundle.prior_weights is not None:
        yield _held_out_row(f"{name} before tuning", bundle.prior(), parts, bundle.encoding)
    if getattr(bundle.options, "harmony", False):
        yield from _chord_rows(bundle, name, parts)


def _chord_rows(bundle: Bundle, name: str, parts: Mapping[str, EncodedPieces]) -> Iterator[HeldOutRow]:
    """A model that follows chords, on the melodies that carry any: without them and with them."""
    over_chords = {}
    for split, pieces in parts.items():
        rows = np.flatnonzero((pieces.sequences.bars.chords[:, :, 1] != UNKNOWN).any(axis=1))
        melodies = tuple(pieces.melodies[row] for row in rows)
        over_chords[split] = replace(pieces, melodies=melodies, sequences=pieces.sequences[rows], forms=())
    if not all(len(over_chords[split]) for split in ("valid", "test")):
        return
    model = bundle.model()
    yield _held_out_row(f"{name}, melodies over chords", model, over_chords, bundle.encoding)
    told = f"{name}, the same, told their chords"
    yield _held_out_row(told, model, over_chords, bundle.encoding, chords=True)


@lru_cache(maxsize=1)
def _baseline_rows(corpus: Corpus, description: str, normalized_key: bool) -> tuple[HeldOutRow, ...]:
    """An n-gram that copies from the piece so far, and token frequencies, both of the training pieces."""
    encoding, parts = encoding_from(json.loads(description)), _parts(corpus, description, normalized_key)
    train, valid = (parts[split].sequences.tokens for split in ("train", "valid"))
    vocabulary, allowed = len(encoding.vocabulary), allowed_after(encoding)
    models = {
        "n-gram with copies": NGram.fit(train, vocabulary, allowed=allowed).tune(valid),
        "order 0 (frequencies)": NGram.fit(train, vocabulary, NGramOptions(order=1), allowed).plain(),
    }
    return tuple(_held_out_row(name, model, parts, encoding) for name, model in models.items())


def _held_out_row(
    name: str, model: SequenceModel, parts: Mapping[str, EncodedPieces], encoding: Encoding, *, chords: bool = False
) -> HeldOutRow:
    nats = {}
    for split in ("valid", "test"):
        one = likelihood_of(model, parts[split].sequences, encoding, chords=chords)
        note = one.nats_per_note and round(one.nats_per_note, 6)
        nats[split] = {"nats_per_step": round(one.nats_per_step, 6), "nats_per_note": note}
    return HeldOutRow(name, nats)


def _setting(bundle: Bundle) -> tuple[int, Context, Meter]:
    """The length, key and meter of the melodies that are measured: those of the tuning, if there was one."""
    tuning, encoding = record_of(bundle, "tuning"), bundle.encoding
    key, meter, steps = Key(), Meter(), tuning.get("steps")
    with suppress(CantilenaError, TypeError, AttributeError, ValueError):
        meter = Meter.parse(tuning["meter"]) if tuning.get("meter") else meter
        key = Key.parse(tuning["key"]) if tuning.get("key") else key
    if bundle.provenance.get("plain_keys"):
        key = key.plain
    steps = steps if type(steps) is int and 8 <= steps <= 512 else _STEPS
    if not encoding.has_rhythm:
        return steps, Context(key, timed=False), meter
    return steps, Context(key, meter, max(meter.ticks_per_bar // encoding.ticks_per_step, 1)), meter


def melody_text(tokens: Tokens, encoding: Encoding, number: int = 1) -> str:
    """A melody as text: an ABC tune with a number if it is on a grid of sixteenths, else the names of its tokens.

    Examples:
        >>> import numpy as np
        >>> print(melody_text(np.array([14, 1, 18, 0, 21, 1, 1, 1]), GridEncoding()))
        X:1
        M:4/4
        L:1/16
        K:C
        C2 E z G4 |
    """
    if isinstance(encoding, GridEncoding) and encoding.steps_per_quarter == 4:
        return abc_text(encoding.decode(tokens), number)
    written = tokens[tokens != END] if isinstance(encoding, NotesEncoding) else tokens
    return " ".join(encoding.vocabulary[token] for token in written)


def abc_text(melody: Melody, number: int = 1) -> str:
    """A melody as an ABC tune in C with its accidentals written out.

    It has one voice and no pickup, and its onsets and durations are whole sixteenths.
    """
    bar = melody.meter.ticks_per_bar // _SIXTEENTH
    bars, written, step, altered = [], [], 0, dict[str, str]()
    for pitch, steps in _events(melody):
        while steps:
            part = next(length for length in _LENGTHS if length <= min(steps, bar - step % bar))
            steps -= part
            name = "z" if pitch is None else _abc_note(pitch, altered)
            tie = "-" if steps and pitch is not None else ""
            written.append(f"{name}{part if part > 1 else ''}{tie}")
            step += part
            if step % bar == 0:
                bars.append(" ".join(written))
                written, altered = [], {}
    bars += [" ".join(written)] if written else []
    return "\n".join([f"X:{number}", f"M:{melody.meter}", "L:1/16", "K:C", " | ".join(bars) + " |"])


def _events(melody: Melody) -> Iterator[tuple[int | None, int]]:
    """Top notes and rests in order, with their sixteenths."""
    now = 0
    for note in melody.sounding:
        if note.onset > now:
            yield None, (note.onset - now) // _SIXTEENTH
        yield note.top, note.duration // _SIXTEENTH
        now = note.end
    if melody.length > now:
        yield None, (melody.length - now) // _SIXTEENTH


def _abc_note(pitch: int, altered: dict[str, str]) -> str:
    """A note with its accidental, unless an earlier one in the bar holds for it."""
    name, octave = Pitch(pitch).name, Pitch(pitch).octave
    letter = name[0].lower() + "'" * (octave - 5) if octave >= 5 else name[0] + "," * (4 - octave)
    accidental = "^" if "#" in name else "="
    if altered.get(letter, "=") == accidental:
        return letter
    altered[letter] = accidental
    return accidental + letter
