"""Evaluations report copies, collapse and shuffled notes, and find nothing where there is nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest

import cantilena
from cantilena.data import Corpus, load_builtin
from cantilena.errors import CorpusError, InputError, RunError, UsageError
from cantilena.io import midi_bytes
from cantilena.metrics.registry import HARMONY, METRICS
from cantilena.models import Bundle, find_bundle
from cantilena.music import Melody, Note
from cantilena.runtime import json_text
from cantilena.workflows import EvaluateOptions, run_evaluation
from cantilena.workflows.evaluate.options import EvaluateKeywords

SMALL = EvaluateOptions(melodies=60, jobs=1, against="chorales")
SCALE = Melody.from_pitches([(60 + step, 12) for step in (0, 2, 4, 5, 7, 9, 11, 12)] * 4)


def put(folder: Path, melodies: Sequence[Melody]) -> Path:
    folder.mkdir(parents=True)
    for number, melody in enumerate(melodies):
        (folder / f"{number:03}.mid").write_bytes(midi_bytes(melody))
    return folder


def shuffled(melody: Melody, rng: np.random.Generator) -> Melody:
    notes = melody.sounding
    return Melody.from_pitches(
        [(notes[k].pitches, notes[k].duration) for k in rng.permutation(len(notes))], meter=melody.meter
    )


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return load_builtin("tunes").where(collection="aird")


@pytest.fixture(scope="module")
def results(corpus: Corpus) -> dict[str, Any]:
    rng, train, test = np.random.default_rng(1), corpus.melodies("train"), corpus.melodies("test")
    systems = {
        "copies": [train[int(row)].transposed(2) for row in rng.permutation(len(train))[:40]],
        "collapse": [train[0]] * 60,
        "shuffled": [shuffled(melody, rng) for melody in test[:80]],
    }
    return cantilena.evaluate(systems, against=corpus, melodies=300).to_dict()


def texts(results: dict[str, Any], system: str) -> dict[str, str]:
    return {one["kind"]: one["text"] for one in results["verdicts"] if one["system"] == system}


def test_copies_of_training_pieces_are_reported_with_their_source(results: dict[str, Any]) -> None:
    verdict = texts(results, "copies")["copies"]
    assert "100.0\u00a0% of its melodies" in verdict
    assert " as in " in verdict
    assert ", bars 1" in verdict
    metrics = results["systems"]["copies"]["metrics"]
    assert metrics["copied_share"]["value"] > 0.97
    assert metrics["novel_8"]["value"] < 0.01
    assert results["systems"]["human"]["metrics"]["copied_share"]["value"] < 0.4


def test_one_melody_over_and_over_is_reported_as_collapse(results: dict[str, Any]) -> None:
    assert texts(results, "collapse")["collapse"] == "it plays the same again: of 60 melodies only 1 is different"
    metrics = results["systems"]["collapse"]["metrics"]
    assert metrics["vendi"]["value"] == pytest.approx(1.0)
    assert metrics["self_bleu_4"]["value"] == pytest.approx(1.0)


def test_shuffled_notes_are_unlike_people_and_copy_nothing(results: dict[str, Any]) -> None:
    verdicts = texts(results, "shuffled")
    assert int(verdicts["unlike"].split()[0]) > 15
    assert not {"copies", "collapse", "like"} & set(verdicts)
    human, metrics = (results["systems"][name]["metrics"] for name in ("human", "shuffled"))
    assert metrics["overlap.mean_interval"]["value"] < human["overlap.mean_interval"]["value"] - 0.2


@pytest.mark.e2e
def test_two_halves_of_human_pieces_do_not_differ() -> None:
    held_out = load_builtin("tunes").split("test")
    pieces = held_out.column("piece")
    first = set(sorted(set(pieces))[::2])
    halves: dict[str, list[Melody]] = {"half": [], "other": []}
    for melody, piece in zip(held_out, pieces, strict=True):
        halves["half" if piece in first else "other"].append(melody)
    found = cantilena.evaluate({name: some[:150] for name, some in halves.items()}, against="chorales", melodies=60)
    pair = next(one for one in found.to_dict()["verdicts"] if one["system"] == "half and other")
    assert pair["kind"] == "same"
    tested = [one for one in found.to_dict()["differences"] if one["first"] == "half" and one["p"] is not None]
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


@pytest.mark.slow
def test_classifiers_give_the_same_answer_in_any_number_of_processes(corpus: Corpus) -> None:
    rng = np.random.default_rng(1)
    systems = {"shuffled": [shuffled(melody, rng) for melody in corpus.melodies("test")[:80]]}
    answers = [
        cantilena.evaluate(systems, against="tunes", melodies=80, listener=True, jobs=jobs).to_dict()["listener"]
        for jobs in (1, 2)
    ]
    assert json_text(answers[0]) == json_text(answers[1])
    answer = answers[0]["shuffled"]
    assert [row["bars"] for row in answer["by_bars"]] == [1, 2, 4, 8, 16]
    assert answer["refused"] or answer["groups"][0]["auc"]["low"] > 0.5


@pytest.mark.e2e
def test_too_few_melodies_for_classifiers_have_a_reason(corpus: Corpus) -> None:
    made = cantilena.evaluate({"scale": [SCALE] * 20}, against=corpus, listener=True, jobs=1, melodies=20)
    answer = made.to_dict()["listener"]["scale"]
    assert answer["groups"] == []
    assert "but the test needs at least" in answer["refused"]
    assert all(row["accuracy"] is None for row in answer["by_bars"])


def test_every_number_has_an_interval_or_a_reason_and_none_is_nan(results: dict[str, Any]) -> None:
    assert all(math.isfinite(number) for number in numbers(results))
    names = set(results["systems"]["human"]["metrics"])
    for system in results["systems"].values():
        assert set(system["metrics"]) == names
        for name, entry in system["metrics"].items():
            assert entry["value"] is not None or entry["reason"], name
            if entry["value"] is not None and entry["low"] is not None:
                assert entry["low"] <= entry["value"] + 1e-6 or name in {"different_melodies"}, name


def test_the_ceiling_stands_in_the_human_column(results: dict[str, Any]) -> None:
    overlap = results["systems"]["human"]["metrics"]["overlap"]
    assert overlap["ceiling"] is True
    assert overlap["value"] > 0.8


@pytest.mark.e2e
def test_a_report_is_written_with_the_numbers(tmp_path: Path) -> None:
    put(tmp_path / "scores", [SCALE, SCALE.transposed(1)])
    words, options = [f"mine={tmp_path / 'scores'}", "tunes"], replace(SMALL, heard=1, melodies=30, steps=32)
    done = run_evaluation(words, options, tmp_path / "out")
    results = (tmp_path / "out" / "results.json").read_text()
    assert json.loads(results) == json.loads(json_text(done.to_dict()))
    assert str(tmp_path) not in results
    assert json.loads(results)["systems"]["tunes"]["melodies"] == 30
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "mine and tunes beside people" in page
    assert "Note probabilities of tunes" in page
    assert (tmp_path / "out" / "results.csv").read_text().startswith("system,metric,value,low,high")
    assert "# mine and tunes" in (tmp_path / "out" / "report.md").read_text()
    assert len(list((tmp_path / "out" / "melodies").glob("*/001.mid"))) == 3
    assert "Open" in done.text()
    with pytest.raises(RunError, match="finished run"):
        run_evaluation(words, options, tmp_path / "out")


def test_one_melody_alone_has_numbers_and_says_that_it_is_one(corpus: Corpus, tmp_path: Path) -> None:
    corpus.save(tmp_path / "aird.arrow")
    results = cantilena.evaluate({"one": [SCALE]}, against=tmp_path / "aird.arrow", melodies=60).to_dict()
    entry = results["systems"]["one"]
    assert entry["melodies"] == 1
    assert entry["metrics"]["overlap.range"]["value"] is None
    assert "two" in entry["metrics"]["overlap.range"]["reason"]
    assert {one["kind"] for one in results["verdicts"]} >= {"few"}


def test_silent_and_broken_files_are_rows_and_the_rest_is_compared(tmp_path: Path) -> None:
    folder = put(tmp_path / "mixed", [SCALE, SCALE, Melody.from_pitches([(None, 96)])])
    (folder / "broken.mid").write_bytes(b"MThd nonsense")
    (folder / "empty.mid").write_bytes(b"")
    done = run_evaluation([str(folder)], SMALL)
    assert len(done.sets[1]) == 2
    assert {row["file"] for row in done.to_dict()["skipped"]["mixed"]} == {"002.mid", "broken.mid", "empty.mid"}
    assert all(row["reason"] for row in done.to_dict()["skipped"]["mixed"])
    assert "mixed: 3 files could not be used, such as " in done.text()


def test_of_other_programs_polyphony_the_melody_is_measured(tmp_path: Path) -> None:
    tune = [Note((72 + k % 5,), 24 * k, 24) for k in range(32)]
    chords = [Note((48, 52, 55), 96 * k, 96) for k in range(8)]
    put(tmp_path / "piano", [Melody(tuple(sorted([*tune, *chords], key=lambda note: note.onset)))] * 2)
    metrics = run_evaluation([str(tmp_path / "piano")], SMALL).to_dict()["systems"]["piano"]["metrics"]
    assert metrics["cantilena.range"]["value"] == 4.0
    assert metrics["cantilena.density"]["value"] == 1.0


@pytest.mark.parametrize(
    "content", [{}, {"readme.txt": b"no music"}, {"silent.mid": midi_bytes(Melody.from_pitches([(None, 96)]))}]
)
def test_a_folder_without_a_melody_is_refused(tmp_path: Path, content: dict[str, bytes]) -> None:
    folder = tmp_path / "nothing"
    folder.mkdir()
    for name, text in content.items():
        (folder / name).write_bytes(text)
    with pytest.raises(CorpusError) as refused:
        run_evaluation([str(folder)], SMALL)
    assert "nothing" in refused.value.text


def test_of_more_files_than_asked_some_are_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path / "many", [SCALE] * 12)
    assert len(run_evaluation([str(tmp_path / "many")], replace(SMALL, most=5)).sets[1]) == 5
    assert "reading 5 of 12 scores" in capsys.readouterr().err


def test_melodies_named_human_replace_those_of_the_corpus(corpus: Corpus, tmp_path: Path) -> None:
    put(tmp_path / "half", corpus.melodies("test")[:30])
    results = run_evaluation([f"human={tmp_path / 'half'}", "shuffled"], SMALL).to_dict()
    assert list(results["systems"]) == ["human", "shuffled"]
    assert results["systems"]["human"]["melodies"] == 30
    again = cantilena.evaluate({"human": [SCALE] * 3, "same": [SCALE]}, against="chorales", melodies=60)
    assert [len(one) for one in again.sets] == [3, 1]


def test_models_have_metrics_that_melodies_have_not(corpus: Corpus) -> None:
    systems = {"model": Bundle.load(find_bundle("tunes+rl")), "half": corpus.melodies("test")[:20]}
    results = cantilena.evaluate(systems, against="chorales", melodies=40, steps=64).to_dict()
    model, half = (results["systems"][name]["metrics"] for name in ("model", "half"))
    assert 0.0 < model["kl_per_step"]["value"] < 1.0
    assert model["entropy_per_step"]["value"] > 0.1
    assert half["kl_per_step"]["value"] is None
    assert -2.0 < half["log_likelihood_per_step"]["value"] < -0.3
    assert results["steps"] == 64


def test_python_and_the_command_line_give_the_same(tmp_path: Path) -> None:
    put(tmp_path / "scores", [SCALE])
    words = run_evaluation([f"scales={tmp_path / 'scores'}", "tunes"], replace(SMALL, melodies=20, steps=32))
    python = cantilena.evaluate(
        {"scales": [SCALE], "tunes": "tunes"}, against=load_builtin("chorales"), melodies=20, steps=32
    )
    assert python.to_dict() == words.to_dict()


def test_the_keywords_are_the_options() -> None:
    hints = get_type_hints(EvaluateOptions)
    assert get_type_hints(EvaluateKeywords) == {name: hint for name, hint in hints.items() if name != "against"}
    assert {one.name for one in fields(EvaluateOptions)} == set(hints)


def test_an_unknown_option_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(UsageError, match="evaluate has no option 'melody'") as refused:
        cantilena.evaluate({"one": [SCALE]}, melody=3)  # type: ignore[call-arg]
    assert refused.value.hint.startswith("did you mean melodies?")


@pytest.mark.parametrize(
    ("systems", "error", "message"),
    [
        ({}, UsageError, "nothing to evaluate"),
        ({"one": []}, CorpusError, "has no melody with notes"),
        ({"one": [Melody.from_pitches([(None, 96)])]}, CorpusError, "has no melody with notes"),
        ({"one": ["C4 D4"]}, UsageError, "not a sequence of melodies"),
        ({"one": 3}, UsageError, "not a sequence of melodies"),
        ({"a/b": [SCALE]}, UsageError, "cannot be the name"),
        ({"..": [SCALE]}, UsageError, "cannot be the name"),
        ({"a" * 200: [SCALE]}, UsageError, "cannot be the name"),
        ({"two\nlines": [SCALE]}, UsageError, "cannot be the name"),
        ({"human": "tunes"}, UsageError, "cannot replace the human melodies"),
        ({"human": [SCALE]}, UsageError, "nothing to compare with human"),
        ({"one": "missing"}, InputError, "nothing to evaluate at 'missing'"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(systems: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        cantilena.evaluate(systems, against="chorales")


def test_a_folder_with_the_name_of_a_baseline_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "shuffled", [SCALE])
    monkeypatch.chdir(tmp_path)
    done = cantilena.evaluate({"mine": Path("shuffled")}, against="chorales", melodies=60, jobs=1)
    assert [(one.name, len(one)) for one in done.sets][1:] == [("mine", 1)]


def tunes_over_chords(folder: Path, count: int, seed: int, *, chords: bool = True) -> Path:
    """Tunes in ABC of four bars over C, F, G7 and C, whose notes are tones of them or steps between."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    bars = (("C", "CEG"), ("F", "FAc"), ("G7", "GBd"), ("C", "CEG"))
    for number in range(count):
        music = []
        for symbol, tones in bars:
            notes = [tones[rng.integers(3)] + "2" if rng.random() < 0.8 else "D2" for _ in range(4)]
            music.append((f'"{symbol}"' if chords else "") + "".join(notes))
        text = " | ".join([*music[:3], music[3][:-2] + "C2" if rng.random() < 0.7 else music[3]])
        (folder / f"{number:03}.abc").write_text(f"X:1\nT:Tune {seed} {number}\nM:4/4\nL:1/8\nK:C\n{text} |]\n")
    return folder


def test_melodies_over_chords_have_numbers_of_harmony_beside_those_of_people(tmp_path: Path) -> None:
    people = tunes_over_chords(tmp_path / "people", 80, 1)
    mine, plain = (
        tunes_over_chords(tmp_path / "mine", 30, 2),
        tunes_over_chords(tmp_path / "plain", 30, 2, chords=False),
    )
    options = replace(SMALL, against=str(people), steps=64)
    done = run_evaluation([f"mine={mine}", f"plain={plain}"], options)
    results = done.to_dict()
    human, over, without = (results["systems"][name]["metrics"] for name in ("human", "mine", "plain"))
    names = [name for name in METRICS if METRICS[name].group == HARMONY]
    assert len(names) == 8
    for name in names:
        assert without[name] == {"value": None, "low": None, "high": None, "reason": "its melodies have no chords"}
        for metrics in (human, over):
            assert metrics[name]["value"] is not None, name
    assert over["chords_per_bar"]["value"] == over["chord_changes_on_strong_beats"]["value"] == 1.0
    assert 0.5 < over["cantilena.chord_tones"]["value"] < 1.0
    assert over["cantilena.chord_tones"]["low"] < over["cantilena.chord_tones"]["value"]
    assert 0.6 < over["cantilena.full_cadence"]["value"] <= over["cantilena.harmonic_cadence"]["value"]
    tested = {one["metric"] for one in results["differences"] if {one["first"], one["second"]} == {"human", "mine"}}
    assert {"cantilena.chord_tones", "cantilena.non_chord_tones", "notes_in_chord"} <= tested
    assert "Harmony" in done.text()
    assert done.sets[1].melodies[0].to_melody().chords
    # The same notes without chords have the same numbers otherwise; people's chords alone make no rows of harmony.
    alone = run_evaluation([f"plain={plain}"], options).to_dict()
    assert over["not_in_key"] == without["not_in_key"]
    bare = run_evaluation([f"plain={plain}"], replace(SMALL, steps=64)).to_dict()
    assert not set(names) & set(bare["systems"]["plain"]["metrics"])
    assert not set(names) & set(alone["systems"]["plain"]["metrics"])


@pytest.mark.e2e
def test_the_report_shows_harmony(tmp_path: Path) -> None:
    people, mine = tunes_over_chords(tmp_path / "people", 80, 1), tunes_over_chords(tmp_path / "mine", 20, 2)
    options = replace(SMALL, against=str(people), steps=64, heard=1, melodies=30)
    run_evaluation([f"mine={mine}"], options, tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Non-chord tones that resolve" in page
    assert "Share of changes from one chord to another that come on a strong beat" in page
    assert "Chord tones, strong beats" in (tmp_path / "out" / "report.md").read_text()
