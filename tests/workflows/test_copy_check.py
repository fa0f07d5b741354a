"""Composed melodies that copy are noticed, with the place; a primer is no copy."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from cantilena.cli import main
from cantilena.data import load_builtin
from cantilena.generation import Composition
from cantilena.models import Bundle, find_bundle
from cantilena.music import Melody
from cantilena.runtime import read_json
from cantilena.workflows import CopyCheck, check_copies


def as_composed(melody: Melody, steps: int) -> Composition:
    kept = {field.name: getattr(melody, field.name) for field in fields(Melody)}
    return Composition(**kept, tokens=("hold",) * steps)


@pytest.fixture(scope="module")
def learned() -> Melody:
    """A reel of the training part."""
    return next(m for m in load_builtin("tunes").melodies("train", "ryan") if len(m.sounding) > 100 and not m.pickup)


def test_a_learned_tune_in_another_key_is_a_copy_with_its_place(learned: Melody) -> None:
    (checked,) = check_copies("tunes", [as_composed(learned.transposed(3), learned.length // 6)]).melodies
    assert checked.is_copy
    assert checked.place is not None
    assert checked.place.notes >= len(learned.sounding) - 2
    assert checked.place.source.title == learned.title
    facts = checked.to_json()
    assert facts["source"] == learned.title
    assert str(facts["source_bars"]).startswith("1-")
    assert 5 < facts["people"] < 60


def test_a_primer_is_not_held_against_a_melody(learned: Melody) -> None:
    new = Melody.from_pitches([(60 + 7 * k % 13, 6 + 12 * (k % 3)) for k in range(16)])
    both = as_composed(learned.until(24 * 32).then(new), new.length // 6)
    (checked,) = check_copies("tunes", [both]).melodies
    assert not checked.is_copy


def test_a_corpus_that_does_not_ship_is_asked_for_and_looked_through(learned: Melody, tmp_path) -> None:
    assert check_copies("tunes", []) == CopyCheck(())
    bundle = Bundle.load(find_bundle("tunes"))
    replace(bundle, provenance={"corpus": {"name": "mine"}}).save(tmp_path / "mine.safetensors")
    load_builtin("ryan").save(tmp_path / "mine.arrow")
    copy = [as_composed(learned, learned.length // 6)]
    unknown = check_copies(str(tmp_path / "mine.safetensors"), copy)
    assert unknown.melodies == ()
    assert unknown.reason == "this model learned the corpus 'mine', which does not ship: name it with --against"
    (checked,) = check_copies(str(tmp_path / "mine.safetensors"), copy, str(tmp_path / "mine.arrow")).melodies
    assert checked.is_copy


def test_compose_answers_what_was_copied_unless_told_not_to(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compose", "tunes", "-n", "2", "--bars", "4", "--json"]
    assert main([*words, "--out", str(tmp_path / "a")]) == 0
    (tmp_path / "a.json").write_text(capsys.readouterr().out)
    for melody in read_json(tmp_path / "a.json")["melodies"]:
        assert set(melody["copied"]) == {"notes", "people", "bars", "source", "file", "source_bars"}
        assert melody["copied"]["notes"] <= 40
    assert main([*words, "--no-copy-check", "--out", str(tmp_path / "b")]) == 0
    (tmp_path / "b.json").write_text(capsys.readouterr().out)
    assert all("copied" not in melody for melody in read_json(tmp_path / "b.json")["melodies"])


def test_a_melody_that_copies_is_warned_of(
    learned: Melody, tmp_path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = as_composed(learned, learned.length // 6)
    monkeypatch.setattr("cantilena.generation.Composer.compose_many", lambda *_, **__: [copied])
    assert main(["compose", "tunes", "-n", "1", "--out", str(tmp_path / "c")]) == 0
    said = capsys.readouterr().out
    assert "warning: 001 copies" in said
    assert learned.title in said
