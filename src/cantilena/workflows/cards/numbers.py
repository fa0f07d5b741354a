"""What a card tells in numbers: held-out likelihood beside what a model must beat, rules, diversity, distance.

Melodies as text for a card: ABC notation on the grid, the names of notes and chords where there is no time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cantilena.data import SPLITS, Corpus, in_plain_key
from cantilena.errors import CantilenaError, CorpusError, UsageError
from cantilena.models import Bundle, NGram, NGramOptions, SequenceModel, tells_a_bound
from cantilena.music import Key, Melody, Meter, Pitch
from cantilena.rules import Context
from cantilena.runtime import generator
from cantilena.tokenizers import Encoding, GridEncoding, encoding_from
from cantilena.workflows.data import EncodedPieces, corpus_excerpts, encode_pieces, likelihood_of
from cantilena.workflows.evaluate.counts import Sample, measure
from cantilena.workflows.evaluate.systems import Tokens, model_system

_LENGTHS = (16, 12, 8, 6, 4, 3, 2, 1)
"""Sixteenths that a single note can be written as; others are tied."""


def melody_text(tokens: Tokens, encoding: Encoding, number: int = 1) -> str:
    """A melody that a person can read, and on the grid of sixteenths an ABC player can play.

    Args:
        tokens: `(steps,)`.
        encoding: what they mean.
        number: of the tune.

    Example:
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
    return " ".join(encoding.vocabulary[token] for token in tokens)


def abc_text(melody: Melody, number: int = 1) -> str:
    """A melody of one voice in sixteenths as an ABC tune, in C with its accidentals written out.

    Args:
        melody: its onsets and durations in whole sixteenths, no pickup.
        number: of the tune.
    """
    bar = melody.meter.ticks_per_bar // _SIXTEENTH
    head = [f"X:{number}", f"M:{melody.meter}", "L:1/16", "K:C"]
    bars, written, step, altered = [], [], 0, dict[str, str]()
    for pitch, steps in _events(melody):
        while steps:
            part = next(length for length in _LENGTHS if length <= min(steps, bar - step % bar))
            steps -= part
            name = "z" if pitch is None else _spelt(pitch, altered)
            tie = "-" if steps and pitch is not None else ""
            written.append(f"{name}{part if part > 1 else ''}{tie}")
            step += part
            if step % bar == 0:
                bars.append(" ".join(written))
                written, altered = [], {}
    bars += [" ".join(written)] if written else []
    return "\n".join([*head, " | ".join(bars) + " |"])


_SIXTEENTH = 6
"""Ticks."""


def _events(melody: Melody) -> Iterator[tuple[int | None, int]]:
    """Top notes and silences one after the other, with their sixteenths."""
    now = 0
    for note in melody.sounding:
        if note.onset > now:
            yield None, (note.onset - now) // _SIXTEENTH
        yield note.top, note.duration // _SIXTEENTH
        now = note.end
    if melody.length > now:
        yield None, (melody.length - now) // _SIXTEENTH


def _spelt(pitch: int, altered: dict[str, str]) -> str:
    """A note with its accidental where the bar does not say it yet."""
    name = Pitch(pitch).name
    letter, sharp, octave = name[0], "#" in name, Pitch(pitch).octave
    above = "'" * max(octave - 5, 0) if octave >= 5 else "," * (4 - octave)
    plain = (letter.lower() if octave >= 5 else letter) + above
    wanted = "^" if sharp else "="
    if altered.get(plain, "=") == wanted:
        return plain
    altered[plain] = wanted
    return wanted + plain


PEOPLE = "human"
"""What people's melodies are called among systems."""

MELODIES = 1000
"""Melodies of each system that are counted; sets are compared at this size."""

SAMPLES = 4
"""Melodies that a card shows."""

_STEPS = 32
"""Steps of a counted melody of a model that was not tuned, as in RL Tuner: two bars of sixteenths."""

_SHOWN = {True: 64, False: 48}
"""Steps of a melody that is shown: four bars of sixteenths, or as many notes and chords where there is no time."""

_HELD_OUT = ("valid", "test")


@dataclass(frozen=True)
class HeldOutRow:
    """How well one model predicts the held-out parts of a corpus.

    Args:
        name: of the model.
        nats: `{"valid": {"nats_per_step", "nats_per_note"}, "test": ...}`; None where undefined.
        reason: why it has no likelihood, if it has none.
    """

    name: str
    nats: Mapping[str, Mapping[str, float | None]]
    reason: str = ""


@dataclass(frozen=True)
class CardNumbers:
    """All that was measured for a card.

    Args:
        corpus: `melodies`, `pieces` and `notes` of the corpus, and the melodies of each split under its name.
        held_out: the model, itself before tuning, and the two that a model must beat.
        systems: `results.json`'s systems: people, the model, its sisters.
        steps: of each melody that was counted.
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
    """Measure a model for its card.

    Args:
        bundle: the model.
        name: of it.
        corpus: what it learned from, with its splits.
        sisters: models by name to stand beside it, of the same tokens: tuned from it, or what it was tuned from.
        seed: of the melodies that are drawn, and of the intervals.

    Raises:
        CorpusError: a part of the corpus holds no melody that the model can say.
        UsageError: a sister speaks another encoding.
    """
    encoding, plain_keys = bundle.encoding, bool(bundle.provenance.get("plain_keys"))
    for other, sister in (sisters or {}).items():
        if sister.encoding.description() != encoding.description():
            raise UsageError(f"{other} reads other tokens than {name}", "name models of one encoding")
    described = json.dumps(encoding.description())
    parts = _parts(corpus, described, plain_keys)
    steps, context, meter = _judged(bundle)
    systems = {}
    people = corpus_excerpts(corpus, encoding, steps, plain_keys=plain_keys)
    if len(people.tokens):
        sample = Sample(people.tokens, people.piece, people.contexts)
        systems[PEOPLE] = _counted(sample, bundle, None, seed, PEOPLE, meter)
    for system_name, one in {name: bundle, **(sisters or {})}.items():
        system = model_system(system_name, "", one.model(), encoding, seed, meter=meter)
        sample = Sample(system.draw(MELODIES, steps, "card"), contexts=context)
        systems[system_name] = _counted(sample, one, system.model, seed, system_name, meter)
    shown = model_system(name, "", bundle.model(), encoding, seed, meter=meter)
    rows = shown.draw(SAMPLES, _SHOWN[encoding.tells_time], "card samples")
    return CardNumbers(
        corpus={
            "melodies": len(corpus),
            "pieces": len(set(corpus.column("piece"))),
            "notes": corpus.notes,
            **{split: len(pieces) for split, pieces in parts.items()},
        },
        held_out=[*_own_rows(bundle, name, parts), *_rows_to_beat(corpus, described, plain_keys)],
        systems=systems,
        steps=steps,
        samples=[melody_text(row, encoding, number) for number, row in enumerate(rows, start=1)],
    )


@lru_cache(maxsize=1)
def _parts(corpus: Corpus, described: str, plain_keys: bool) -> Mapping[str, EncodedPieces]:
    """The splits of a corpus as tokens; the cards of sisters are written one after the other from the same.

    Args:
        corpus: all of it.
        described: the encoding's description, as JSON.
        plain_keys: whether the model knows C major and A minor alone.
    """
    encoding, parts = encoding_from(json.loads(described)), dict[str, EncodedPieces]()
    for split in SPLITS:
        melodies = corpus.melodies(split)
        if plain_keys and isinstance(encoding, GridEncoding):
            melodies = [in_plain_key(melody, low=encoding.low, high=encoding.high) for melody in melodies]
        parts[split] = encode_pieces(encoding, melodies)
        if not len(parts[split]):
            raise CorpusError(f"the corpus holds no melody of the part '{split}' for the model", "name what it learned")
    return parts


def _own_rows(bundle: Bundle, name: str, parts: Mapping[str, EncodedPieces]) -> Iterator[HeldOutRow]:
    """The model, and itself before tuning."""
    if bundle.policy == "argmax-q":
        yield HeldOutRow(name, {}, "its policy plays one token and gives the others no probability")
    else:
        model = bundle.model()
        label = f"{name} (at most: a bound)" if tells_a_bound(model) else name
        yield _row(label, model, parts, bundle.encoding)
    if bundle.prior_weights is not None:
        yield _row(f"{name} before tuning", bundle.prior(), parts, bundle.encoding)


@lru_cache(maxsize=1)
def _rows_to_beat(corpus: Corpus, described: str, plain_keys: bool) -> tuple[HeldOutRow, ...]:
    """What was counted in the same pieces: an n-gram that copies from the piece so far, and frequencies alone."""
    encoding = encoding_from(json.loads(described))
    parts, vocabulary = _parts(corpus, described, plain_keys), len(encoding.vocabulary)
    train, valid = (parts[split].sequences.tokens for split in ("train", "valid"))
    counted = NGram.fit(train, vocabulary).tune(valid), NGram.fit(train, vocabulary, NGramOptions(order=1)).plain()
    names = "n-gram with copies", "order 0 (frequencies)"
    return tuple(_row(name, model, parts, encoding) for name, model in zip(names, counted, strict=True))


def _row(name: str, model: SequenceModel, parts: Mapping[str, EncodedPieces], encoding: Encoding) -> HeldOutRow:
    found = {split: likelihood_of(model, parts[split].sequences, encoding) for split in _HELD_OUT}
    return HeldOutRow(
        name,
        {
            split: {
                "nats_per_step": round(one.nats_per_step, 6),
                "nats_per_note": one.nats_per_note and round(one.nats_per_note, 6),
            }
            for split, one in found.items()
        },
    )


def _judged(bundle: Bundle) -> tuple[int, Context, Meter]:
    """How long the melodies are that are counted, and in which key and meter: as the model was tuned, if it was."""
    tuning = bundle.provenance.get("tuning")
    asked: Mapping[str, Any] = tuning if isinstance(tuning, Mapping) else {}
    timed = bundle.encoding.tells_time
    key, meter, steps = Key(), Meter(), asked.get("steps")
    with suppress(CantilenaError, TypeError, AttributeError, ValueError):
        meter = Meter.parse(asked["meter"]) if asked.get("meter") else meter
        key = Key.parse(asked["key"]) if asked.get("key") else key
    if bundle.provenance.get("plain_keys"):
        key = key.plain
    steps = steps if type(steps) is int and 8 <= steps <= 512 else _STEPS
    bar = max(meter.ticks_per_bar // bundle.encoding.step_ticks, 1)
    return steps, Context(key, meter, bar, timed=timed) if timed else Context(key, timed=False), meter


def _counted(
    sample: Sample, bundle: Bundle, model: SequenceModel | None, seed: int, name: str, meter: Meter
) -> dict[str, Any]:
    metrics = measure(
        sample,
        bundle.encoding,
        generator(seed, "card intervals", name),
        model=model,
        reference=bundle.prior(),
        alike=MELODIES,
        meter=meter,
        thorough=True,
    )
    return {"melodies": len(sample.tokens), "metrics": metrics}
