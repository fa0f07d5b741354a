"""Copies are found with their place, in composed melodies too; a primer and a melody's own piece are no copies."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest

from cantilena.cli import main
from cantilena.data import Corpus, Entry, Manifest, load_builtin
from cantilena.generation import Composition, load
from cantilena.models import Bundle, find_bundle
from cantilena.music import Melody
from cantilena.tokenizers import Encoding
from cantilena.workflows import CopyCheck, check_copies
from cantilena.workflows.evaluate.copying import TrainingMelodies
from cantilena.workflows.evaluate.melody_sets import EvalMelody, MelodySet

TUNE = Melody.from_pitches([(60 + 2 * (k * k % 7), 24) for k in range(24)], title="Mine", source="a.mid")


def test_a_copy_is_found_with_its_bars_and_not_in_the_test_split() -> None:
    other = Melody.from_pitches([(70 - 3 * (k * k % 5), 12) for k in range(24)], source="b.mid")
    entries = [Entry(TUNE, piece="a"), Entry(other, piece="b", split="test")]
    training = TrainingMelodies.from_corpus(Corpus.from_entries(entries, Manifest("two")))
    part = EvalMelody.from_melody(TUNE.between(96, 384).transposed(3), piece="x", label="x")
    one = MelodySet("mine", "", [part, EvalMelody.from_melody(other, piece="b", label="b")])
    copies = training.copies(one, include_own_piece=True)
    location = training.locate(one, copies, 0)
    assert location is not None
    assert location.text == '12 notes of bars 1-3 as in "Mine" (a.mid), bars 2-4'
    assert copies.notes[1] < 12


@pytest.mark.parametrize("own", [True, False])
def test_a_piece_is_no_copy_of_itself(own: bool) -> None:
    training = TrainingMelodies.from_corpus(Corpus.from_entries([Entry(TUNE, piece="a")], Manifest("one")))
    one = MelodySet("human", "", [EvalMelody.from_melody(TUNE, piece="a", label="a")])
    assert training.copies(one, include_own_piece=own).notes[0] == (24 if own else 0)


MODELS = ("tunes+rl-tuner", "tunes")
"""A model of the grid, and one of notes."""


def as_composed(melody: Melody, new: Melody, encoding: Encoding) -> Composition:
    """A melody as if a model had composed its end, `new`, after a primer."""
    kept = {field.name: getattr(melody, field.name) for field in fields(Melody)}
    return Composition(**kept, tokens=tuple(encoding.vocabulary[token] for token in encoding.encode(new)))


@pytest.fixture(scope="module")
def trained_on() -> Melody:
    """A reel of the training part."""
    return next(m for m in load_builtin("tunes").melodies("train", "ryan") if len(m.sounding) > 100 and not m.pickup)


@pytest.fixture(scope="module", params=MODELS)
def encoding(request: pytest.FixtureRequest) -> Encoding:
    """That of a model of the grid, and that of one of notes."""
    return Bundle.load(find_bundle(request.param)).encoding


@pytest.fixture(scope="module")
def mine(encoding: Encoding, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of a small corpus that does not ship, `mine.safetensors` and `mine.arrow`."""
    folder = tmp_path_factory.mktemp("mine")
    models = (Bundle.load(find_bundle(name)) for name in MODELS)
    model = next(model for model in models if model.encoding == encoding)
    replace(model, provenance={"corpus": {"name": "mine"}}).save(folder / "mine.safetensors")
    load_builtin("ryan").save(folder / "mine.arrow")
    return folder


def test_a_training_melody_in_another_key_is_a_copy_with_its_place(
    trained_on: Melody, encoding: Encoding, mine: Path
) -> None:
    moved = trained_on.transposed(3)
    copy = [as_composed(moved, moved, encoding)]
    (checked,) = check_copies(str(mine / "mine.safetensors"), copy, str(mine / "mine.arrow")).melodies
    assert checked.is_copy
    assert checked.place is not None
    assert checked.place.notes >= len(trained_on.sounding) - 2
    assert checked.place.source.title == trained_on.title
    facts = checked.to_json()
    assert facts["source"] == trained_on.title
    assert str(facts["source_bars"]).startswith("1-")
    assert 5 < facts["people"] < 60


def test_a_primer_is_not_held_against_a_melody(trained_on: Melody, encoding: Encoding, mine: Path) -> None:
    new = Melody.from_pitches([(60 + 7 * k % 13, 6 + 12 * (k % 3)) for k in range(16)])
    whole = trained_on.until(24 * 32).then(new)
    (checked,) = check_copies(str(mine / "mine.safetensors"), [as_composed(whole, new, encoding)], "ryan").melodies
    assert not checked.is_copy
    (checked,) = check_copies(str(mine / "mine.safetensors"), [as_composed(whole, whole, encoding)], "ryan").melodies
    assert checked.is_copy  # without a primer


def test_what_a_model_of_notes_continues_is_no_copy_of_its_own(trained_on: Melody) -> None:
    primer = trained_on.until(24 * 32)
    composer = load("tunes")
    bars = primer.length // trained_on.meter.ticks_per_bar
    both = composer.compose(bars=bars + 4, primer=primer, meter=str(trained_on.meter), seed=1)
    (checked,) = check_copies("tunes", [both], "ryan").melodies
    assert checked.place is None or checked.place.notes <= len(both.sounding) - len(primer.sounding)
    for name in MODELS:  # pickups and lengths of every kind
        made = load(name).compose_many(6, bars=4, seed=2)
        checks = check_copies(name, made, "ryan").melodies
        for check, one in zip(checks, made, strict=True):
            assert check.place is None or check.place.notes <= len(one.sounding)


def test_a_corpus_that_does_not_ship_is_asked_for(trained_on: Melody, encoding: Encoding, mine: Path) -> None:
    assert check_copies("tunes", []) == CopyCheck(())
    unknown = check_copies(str(mine / "mine.safetensors"), [as_composed(trained_on, trained_on, encoding)])
    assert unknown.melodies == ()
    assert unknown.reason == "the training corpus 'mine' does not ship with Cantilena: give it with --against"


@pytest.mark.parametrize("name", MODELS)
def test_compose_reports_copies_unless_told_not_to(
    name: str, trained_on: Melody, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["compose", name, "-n", "1", "--bars", "2"]
    assert main([*words, "--json", "--out", str(tmp_path / "a")]) == 0
    (melody,) = json.loads(capsys.readouterr().out)["melodies"]
    assert set(melody["copied"]) == {"notes", "people", "bars", "source", "file", "source_bars"}
    assert melody["copied"]["notes"] <= 40
    assert main([*words, "--no-copy-check", "--json", "--out", str(tmp_path / "b")]) == 0
    assert "copied" not in json.loads(capsys.readouterr().out)["melodies"][0]
    copy = as_composed(trained_on, trained_on, load(name).encoding)
    monkeypatch.setattr("cantilena.generation.Composer.compose_many", lambda *_, **__: [copy])
    assert main(["compose", name, "-n", "1", "--out", str(tmp_path / "c")]) == 0
    said = capsys.readouterr().out
    assert "warning: 001 copies" in said
    assert trained_on.title in said
