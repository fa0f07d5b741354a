"""Models of notes are evaluated by what `compose` makes: whole melodies with forms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cantilena
from cantilena.data import Corpus, Entry, Manifest
from cantilena.generation import Composer, Composition, SamplingOptions
from cantilena.models import Bundle, FormModel, Network, NetworkOptions
from cantilena.music import ON, Form, Key, Melody, Meter
from cantilena.tokenizers import NotesEncoding
from cantilena.workflows import EvaluateOptions
from cantilena.workflows.evaluate.melody_sets import EvalMelody, MelodySet
from cantilena.workflows.evaluate.sources import bundle_set
from cantilena.workflows.evaluate.systems import SystemSpec

NOTES = NotesEncoding((1, 6, 12, 24, 36, 48, 96), 60, 79)
FORMS = [(Meter(), Form.parse("A4A4")), (Meter(), Form.parse("A2B2A2C2")), (Meter(3, 4), Form.parse("A4A4"))]
OPTIONS = EvaluateOptions(melodies=7, seed=5)


def bundle_of(*, pickups: Sequence[tuple[Meter, int]] = (), tuned: bool = False, **provenance: Any) -> Bundle:
    pitches = NOTES.high - NOTES.low + 1
    options = NetworkOptions(width=8, embedding=8, durations=NOTES.durations, pitches=pitches, plan=True)
    first, second = (Network(options, len(NOTES.vocabulary), seed=seed).numpy_weights() for seed in (2, 3))
    for weights in (first, second):
        weights["head.bias"] = np.where(np.arange(len(NOTES.vocabulary)) == 1, -1e3, weights["head.bias"])  # no ticks
    told = {"plain_keys": True, "forms": FormModel.learned_from(FORMS, pickups).to_json(), **provenance}
    return Bundle(options, first, NOTES.description(), second if tuned else None, provenance=told)


def evaluated(bundle: Bundle, steps: int, options: EvaluateOptions = OPTIONS) -> MelodySet:
    return bundle_set(SystemSpec("mine", "bundle", bundle), steps, options)


def composed(bundle: Bundle, bars: int, options: EvaluateOptions = OPTIONS) -> list[Composition]:
    sampling = SamplingOptions(temperature=options.temperature)
    composer = Composer.from_bundle(bundle, "mine")
    return composer.compose_many(options.melodies, bars=bars, sampling=sampling, seed=options.seed)


def onsets_of(melody: EvalMelody, first: int, last: int) -> list[int]:
    """The tokens of some bars that begin notes, others as 0: a rest at the very start is a hold."""
    size = melody.context.steps_per_bar
    tokens = melody.tokens[(first - 1) * size : last * size]
    return np.where(tokens >= ON, tokens, 0).tolist()


def test_a_model_of_notes_is_evaluated_by_whole_melodies_with_forms() -> None:
    found = evaluated(bundle_of(), 64)  # of twice the length
    assert (found.name, found.description) == ("mine", "a model as trained")
    assert [len(melody) for melody in found.melodies] == [128] * 7
    forms = [melody.form for melody in composed(bundle_of(), 8)]
    assert {len(form.sections) for form in forms if form is not None} == {2, 4}
    for melody, form in zip(found.melodies, forms, strict=True):
        assert form is not None
        for section in form.sections:
            origin = next(one for one in form.sections if one.label == section.label)
            if section.kind == "literal":
                assert onsets_of(melody, section.first, section.last) == onsets_of(melody, origin.first, origin.last)
        last = melody.tokens[np.flatnonzero(melody.tokens >= ON)[-1]]
        assert (last - ON) % 12 == melody.key.tonic  # a full close
    assert len({melody.tokens.tobytes() for melody in found.melodies}) == 7


@pytest.mark.parametrize(
    ("steps", "bars", "temperature", "provenance"),
    [
        (100, 12, 0.5, {}),
        (4, 2, 1.0, {}),
        (48, 8, 1.0, {"tuning": {"meter": "3/4", "key": "A minor"}}),
    ],
)
def test_the_melodies_are_those_of_compose(
    steps: int, bars: int, temperature: float, provenance: dict[str, Any]
) -> None:
    pickups = [(meter, ticks) for meter, _ in FORMS for ticks in (0, 24, 36)]
    bundle, options = bundle_of(pickups=pickups, **provenance), replace(OPTIONS, temperature=temperature)
    found, expected = evaluated(bundle, steps, options), composed(bundle, bars, options)
    assert len({melody.pickup for melody in expected}) > 1
    for one, melody in zip(found.melodies, expected, strict=True):
        whole = EvalMelody.from_melody(melody, piece=melody.title, label=melody.title)
        np.testing.assert_array_equal(one.tokens, whole.tokens)
        assert (one.key, one.meter, one.label) == (melody.key, melody.meter, melody.title)
        assert str(one.meter) == provenance.get("tuning", {}).get("meter", "4/4")
        assert len(one) == (bars * melody.meter.ticks_per_bar - melody.pickup) // 6
    assert evaluated(bundle, steps, replace(options, melodies=3)).melodies[0].tokens.tolist() == (
        found.melodies[0].tokens.tolist()
    )


def test_a_model_that_was_tuned_is_measured_beside_its_prior() -> None:
    plain, tuned = (evaluated(bundle_of(tuned=tuned), 64) for tuned in (False, True))
    assert set(plain.model_counts.statistics()) == {"entropy_per_step"}
    numbers = tuned.model_counts.statistics()
    assert set(numbers) == {"entropy_per_step", "kl_per_step"}
    assert numbers["kl_per_step"] > 0 < numbers["entropy_per_step"]
    shown = tuned.probabilities
    assert shown is not None
    assert shown.classes == NOTES.vocabulary
    np.testing.assert_allclose(shown.probabilities.sum(axis=1), 1.0, atol=1e-5)
    assert (shown.probabilities[np.arange(len(shown.tokens)), shown.tokens] > 0).all()


def test_a_model_of_notes_without_forms_has_melodies_of_the_length_that_is_asked_for() -> None:
    bundle = bundle_of()
    formless = replace(bundle, provenance={"plain_keys": True})
    assert [len(melody) for melody in evaluated(formless, 100).melodies] == [100] * 7


def test_an_evaluation_of_a_model_of_notes_from_its_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    scale = (60, 62, 64, 65, 67, 69, 71, 72)
    entries = [
        Entry(
            Melody.from_pitches([(scale[rng.integers(8)], 12) for _ in range(64)], key=Key()),
            piece=str(number),
            split="test" if number % 3 == 0 else "train",
        )
        for number in range(60)
    ]
    bundle_of().save(tmp_path / "notes.safetensors")
    results = cantilena.evaluate(
        {"mine": tmp_path / "notes.safetensors", "again": bundle_of()},
        against=Corpus.from_entries(entries, Manifest("eighths")),
        melodies=20,
        steps=64,
    ).to_dict()
    mine, again = (results["systems"][name] for name in ("mine", "again"))
    assert mine["melodies"] == again["melodies"] == 20
    assert mine["metrics"]["entropy_per_step"]["value"] > 0
    # Those of a name of their own are drawn by the same seed.
    assert mine["metrics"]["starts_on_tonic"] == again["metrics"]["starts_on_tonic"]
