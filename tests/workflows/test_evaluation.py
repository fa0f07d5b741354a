"""`evaluate` exposes what it must: copies, collapse, shuffled notes; and finds nothing where there is nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cantilena.data import load_builtin
from cantilena.errors import CorpusError, RunError, UsageError
from cantilena.io import midi_bytes
from cantilena.music import Melody, Note
from cantilena.runtime import json_text
from cantilena.workflows import EvaluateOptions, run_evaluation

QUICK = EvaluateOptions(melodies=150, jobs=1)
SMALL = replace(QUICK, against="chorales")
"""Where nothing hangs on who the people are: chorales are looked through for copies in a quarter of the time."""


def put(folder: Path, melodies: Sequence[Melody]) -> Path:
    folder.mkdir(parents=True)
    for number, melody in enumerate(melodies):
        (folder / f"{number:03}.mid").write_bytes(midi_bytes(melody))
    return folder


def shuffled(melody: Melody, rng: np.random.Generator) -> Melody:
    notes = melody.sounding
    return Melody.from_pitches([(notes[k].pitches, notes[k].duration) for k in rng.permutation(len(notes))], meter=melody.meter)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root, rng, corpus = tmp_path_factory.mktemp("folders"), np.random.default_rng(1), load_builtin("tunes")
    train, held_out = corpus.melodies("train"), corpus.split("test")
    put(root / "copies", [train[int(row)].transposed(2) for row in rng.permutation(len(train))[:60]])
    pieces = held_out.column("piece")
    first = set(sorted(set(pieces))[::2])
    for name, inside in (("half", True), ("other-half", False)):
        melodies = [melody for melody, piece in zip(held_out, pieces, strict=True) if (piece in first) == inside]
        put(root / name, melodies[:150])
    put(root / "shuffled", [shuffled(melody, rng) for melody in held_out.melodies()[:100]])
    put(root / "collapse", [train[0]] * 120)
    return root


@pytest.fixture(scope="module")
def found(folders: Path) -> dict[str, Any]:
    names = ("copies", "collapse", "shuffled", "half")
    return dict(run_evaluation([str(folders / name) for name in names], replace(QUICK, melodies=400)).results)


def said(found: dict[str, Any], system: str) -> dict[str, str]:
    return {one["kind"]: one["text"] for one in found["verdicts"] if one["system"] == system}


def test_copies_of_training_pieces_are_exposed_with_their_source(found: dict[str, Any]) -> None:
    verdict = said(found, "copies")["copies"]
    assert "100.0\u00a0% of its melodies" in verdict
    assert " as in " in verdict
    assert ", bars 1" in verdict
    metrics = found["systems"]["copies"]["metrics"]
    assert metrics["copied_share"]["value"] > 0.97
    assert metrics["novel_8"]["value"] < 0.01
    assert found["systems"]["human"]["metrics"]["copied_share"]["value"] < 0.4


def test_one_melody_over_and_over_is_exposed_as_collapse(found: dict[str, Any]) -> None:
    assert said(found, "collapse")["collapse"] == "it plays the same again: of 120 melodies only 1 is different"
    metrics = found["systems"]["collapse"]["metrics"]
    assert metrics["vendi"]["value"] == pytest.approx(1.0)
    assert metrics["self_bleu_4"]["value"] == pytest.approx(1.0)


def test_shuffled_notes_are_unlike_people_and_copy_nothing(found: dict[str, Any]) -> None:
    verdicts = said(found, "shuffled")
    assert int(verdicts["unlike"].split()[0]) > 15
    assert not {"copies", "collapse", "like"} & set(verdicts)
    human, metrics = (found["systems"][name]["metrics"] for name in ("human", "shuffled"))
    assert metrics["overlap.mean_interval"]["value"] < human["overlap.mean_interval"]["value"] - 0.2


def test_two_halves_of_peoples_pieces_do_not_differ(folders: Path) -> None:
    results = run_evaluation([str(folders / "half"), str(folders / "other-half")], SMALL).results
    pair = next(one for one in results["verdicts"] if one["system"] == "half and other-half")
    assert pair["kind"] == "same"
    tested = [one for one in results["differences"] if one["first"] == "half" and one["p"] is not None]
    assert len(tested) > 50
    assert min(one["adjusted"] for one in tested) > 0.05


def numbers(value: object) -> Iterator[float]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from numbers(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from numbers(inner)
    elif isinstance(value, float):
        yield value


def test_every_number_has_an_interval_or_a_reason_and_none_is_nan(found: dict[str, Any]) -> None:
    assert all(math.isfinite(number) for number in numbers(found))
    names = set(found["systems"]["human"]["metrics"])
    for system in found["systems"].values():
        assert set(system["metrics"]) == names
        for name, entry in system["metrics"].items():
            assert entry["value"] is not None or entry["reason"], name
            if entry["value"] is not None and entry["low"] is not None:
                assert entry["low"] <= entry["value"] + 1e-6 or name in {"different_melodies"}, name


def test_the_ceiling_stands_in_peoples_column(found: dict[str, Any]) -> None:
    overlap = found["systems"]["human"]["metrics"]["overlap"]
    assert overlap["ceiling"] is True
    assert overlap["value"] > 0.8


def test_the_same_seed_gives_the_same_numbers_and_a_report_is_written(folders: Path, tmp_path: Path) -> None:
    words, options = [f"mine={folders / 'half'}", "tunes"], replace(SMALL, heard=1, melodies=30)
    once = run_evaluation(words, options, tmp_path / "once")
    results = (tmp_path / "once" / "results.json").read_text()
    assert json.loads(results) == json.loads(json_text(run_evaluation(words, options).results))
    assert str(tmp_path) not in results
    assert str(folders) not in results
    assert json.loads(results)["systems"]["tunes"]["melodies"] == 30
    page = (tmp_path / "once" / "report.html").read_text(encoding="utf-8")
    assert "mine and tunes beside people" in page
    assert "What tunes thought at each step" in page
    assert (tmp_path / "once" / "results.csv").read_text().startswith("system,metric,value,low,high")
    assert "# mine and tunes" in (tmp_path / "once" / "report.md").read_text()
    assert len(list((tmp_path / "once" / "melodies").glob("*/001.mid"))) == 3
    assert "Open" in once.text()
    with pytest.raises(RunError, match="finished run"):
        run_evaluation(words, options, tmp_path / "once")


def test_one_melody_alone_has_numbers_and_says_that_it_is_one(tmp_path: Path) -> None:
    put(tmp_path / "one", [Melody.from_pitches([(60 + k % 7, 12) for k in range(40)])])
    results = run_evaluation([str(tmp_path / "one")], SMALL).results
    entry = results["systems"]["one"]
    assert entry["melodies"] == 1
    assert entry["metrics"]["cantilena.range"] == {"value": 6.0, "low": None, "high": None}
    assert entry["metrics"]["overlap.range"]["value"] is None
    assert "two" in entry["metrics"]["overlap.range"]["reason"]
    assert {one["kind"] for one in results["verdicts"]} >= {"few"}


def test_silent_and_broken_files_are_rows_and_the_rest_is_judged(tmp_path: Path) -> None:
    folder = put(tmp_path / "mixed", [Melody.from_pitches([(62 + k % 5, 24) for k in range(30)])] * 2 + [Melody.from_pitches([(None, 96)])])
    (folder / "broken.mid").write_bytes(b"MThd nonsense")
    (folder / "empty.mid").write_bytes(b"")
    results = run_evaluation([str(folder)], SMALL).results
    assert results["systems"]["mixed"]["melodies"] == 2
    assert {row["file"] for row in results["skipped"]["mixed"]} == {"002.mid", "broken.mid", "empty.mid"}
    assert all(row["reason"] for row in results["skipped"]["mixed"])


def test_of_other_programs_polyphony_the_melody_is_judged(tmp_path: Path) -> None:
    tune = [Note((72 + k % 5,), 24 * k, 24) for k in range(32)]
    chords = [Note((48, 52, 55), 96 * k, 96) for k in range(8)]
    put(tmp_path / "piano", [Melody(tuple(sorted([*tune, *chords], key=lambda note: note.onset)))] * 2)
    metrics = run_evaluation([str(tmp_path / "piano")], SMALL).results["systems"]["piano"]["metrics"]
    assert metrics["cantilena.range"]["value"] == 4.0
    assert metrics["cantilena.density"]["value"] == 1.0


@pytest.mark.parametrize(
    "content", [{}, {"readme.txt": b"no music"}, {"silent.mid": midi_bytes(Melody.from_pitches([(None, 96)]))}]
)
def test_a_folder_without_a_melody_is_refused_in_a_sentence(tmp_path: Path, content: dict[str, bytes]) -> None:
    folder = tmp_path / "nothing"
    folder.mkdir()
    for name, text in content.items():
        (folder / name).write_bytes(text)
    with pytest.raises(CorpusError) as refused:
        run_evaluation([str(folder)], QUICK)
    assert "nothing" in refused.value.text


def test_of_more_files_than_asked_some_are_drawn(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = run_evaluation([str(folders / "collapse")], replace(SMALL, most=25)).results
    assert results["systems"]["collapse"]["melodies"] == 25
    assert "120 scores: 25 of them" in capsys.readouterr().err


def test_a_folder_called_human_stands_in_for_people(folders: Path) -> None:
    results = run_evaluation([f"human={folders / 'half'}", str(folders / "shuffled")], SMALL).results
    assert list(results["systems"]) == ["human", "shuffled"]
    assert results["systems"]["human"]["melodies"] == len(list((folders / "half").iterdir()))


def test_models_have_numbers_that_folders_have_not(folders: Path) -> None:
    results = run_evaluation(["tunes+rl", str(folders / "half")], replace(QUICK, melodies=40, steps=64)).results
    model, folder = (results["systems"][name]["metrics"] for name in ("tunes+rl", "half"))
    assert 0.0 < model["kl_per_step"]["value"] < 1.0
    assert model["entropy_per_step"]["value"] > 0.1
    assert folder["kl_per_step"]["value"] is None
    assert -2.0 < folder["log_likelihood_per_step"]["value"] < -0.3
    assert results["steps"] == 64


@pytest.mark.parametrize("name", ["..", "a" * 200, "two\nlines"])
def test_a_name_that_would_lead_elsewhere_is_refused(folders: Path, name: str) -> None:
    with pytest.raises(UsageError):
        run_evaluation([f"{name}={folders / 'half'}"], QUICK)
