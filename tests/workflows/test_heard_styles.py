"""Styles of generated melodies, told by a listener that learned them from people's: surely, not at all, and refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cantilena.workflows.styles.probe_data import people_in_styles
from cantilena.workflows.styles.probe_results import COLUMN_WORDS, StyleProbe

from cantilena.cli import main
from cantilena.data import Corpus, Entry, Manifest, Split, Styles
from cantilena.errors import UsageError
from cantilena.generation import load
from cantilena.models import Bundle, Network, NetworkOptions
from cantilena.music import Key, Melody, Meter
from cantilena.tokenizers import GridEncoding
from cantilena.workflows import EvaluateOptions, StyleProbeOptions, TrainOptions, probe_styles, run_training
from cantilena.workflows.data import style_labels
from cantilena.workflows.styles.probe_report import style_folders

SPLITS: tuple[Split, ...] = ("train",) * 8 + ("valid", "test")
FEW = StyleProbeOptions(styles_by="collection", steps=64, melodies=80, draws=3, heard=1)


def tune(number: int, *, leaps: bool) -> Melody:
    """Tones of a triad in quarters, or steps of a scale in eighths: both in 4/4 and C major, as no meter may tell."""
    rng = np.random.default_rng([number, leaps])
    if leaps:
        pairs = [(int(pitch), 24) for pitch in rng.choice([60, 64, 67, 72], 16)]
    else:
        degrees = np.abs(rng.choice([-1, 1], 32).cumsum() + 7) % 8
        pairs = [((60, 62, 64, 65, 67, 69, 71, 72)[degree], 12) for degree in degrees.tolist()]
    return Melody.from_pitches(pairs, key=Key.parse("C major"), meter=Meter(4, 4))


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    entries = [
        Entry(tune(number, leaps=leaps), piece=f"{leaps} {number}", collection=name, split=SPLITS[number % 10])
        for number in range(60)
        for name, leaps in (("fan|fares", True), ("../scales", False))
    ]
    return Corpus.from_entries(entries, Manifest("two styles", licence="free"))


@pytest.fixture(scope="module")
def place(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the corpus, `two.arrow`, and a model that was told its styles, `run`."""
    folder = tmp_path_factory.mktemp("styled")
    corpus.save(folder / "two.arrow")
    request = TrainOptions(
        str(folder / "two.arrow"),
        styles="collection",
        width=24,
        dropout=0.0,
        epochs=40,
        budget=0,
        learning_rate=0.02,
        batch=8,
        blend=False,
    )
    run_training(request, folder / "run")
    small = Network(NetworkOptions(width=8, embedding=8), vocabulary_size=38)
    Bundle(small.options, small.numpy_weights(), GridEncoding().description()).save(folder / "plain.safetensors")
    return folder


@pytest.fixture(scope="module")
def heard(place: Path) -> StyleProbe:
    return probe_styles([str(place / "run")], replace(FEW, steps=32, against=str(place / "two.arrow")))


def test_two_plain_styles_are_told_apart_and_untold_ones_are_not(heard: StyleProbe) -> None:
    right = {name: column.balanced_accuracy.value for name, column in heard.columns.items()}
    assert right["people"] == right["people_held_back"] == right["people_without_bars"] == 1.0
    assert right["told"] > 0.9
    assert right["same_meter"] > 0.9
    assert abs(right["untold"] - 0.5) < 0.12
    assert abs(right["meter_alone"] - 0.5) < 0.12  # both are in 4/4
    assert [heard.is_told(name) for name in ("told", "same_meter", "untold", "meter_alone")] == [
        True,
        True,
        False,
        False,
    ]
    assert heard.verdict().startswith("The listener tells the 2 styles apart in ")
    assert heard.verdict().endswith(f"come out at {100 * right['untold']:.0f} %, as they must.")


def test_the_numbers_hang_together(heard: StyleProbe) -> None:
    answer = json.loads(json.dumps(heard.to_json(), allow_nan=False))["styles"]
    assert answer["names"] == list(heard.names)
    assert answer["chance"] == 0.5
    for name in COLUMN_WORDS:
        column, confusion = answer[name], np.array(answer["confusion"][name])
        assert confusion.sum(axis=1) == pytest.approx([1.0, 1.0])
        assert column["balanced_accuracy"]["value"] == pytest.approx(np.trace(confusion) / 2)
        assert [one["value"] for one in column["recall"].values()] == pytest.approx(np.diag(confusion))
        for number in (column["balanced_accuracy"], column["auc"]):
            assert 0 <= number["low"] <= number["value"] <= number["high"] <= 1
    told = answer["told"]
    assert sum(told["melodies"].values()) == FEW.melodies * FEW.draws
    assert np.mean(told["by_draw"]) == pytest.approx(told["balanced_accuracy"]["value"])  # draws are equally large
    assert len(told["by_draw"]) == 3


def test_the_same_seed_hears_the_same(heard: StyleProbe, place: Path) -> None:
    asked = replace(FEW, steps=32, against=str(place / "two.arrow"))
    assert probe_styles([str(place / "run")], asked).to_json() == heard.to_json()
    assert probe_styles([str(place / "run")], replace(asked, seed=2)).to_json() != heard.to_json()


def test_styles_of_a_model_that_never_learned_them_are_not_heard(place: Path, tmp_path: Path) -> None:
    bundle = Bundle.load(place / "run" / "model.safetensors")
    rng = np.random.default_rng(1)
    # The same network with what it knows of styles and all else shuffled away: what it is told cannot matter.
    forgotten = {
        name: rng.normal(0, 0.01, values.shape).astype(values.dtype) for name, values in bundle.weights.items()
    }
    replace(bundle, weights=forgotten).save(tmp_path / "empty.safetensors")
    asked = replace(FEW, steps=32, against=str(place / "two.arrow"))
    found = probe_styles([str(tmp_path / "empty.safetensors")], asked)
    assert not found.is_told("told")
    assert "does not tell the 2 styles apart better than chance" in found.verdict()


def test_a_folder_lets_a_person_hear_each_style(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", str(place / "run"), "--styles", "--against", str(place / "two.arrow"), "--steps", "32"]
    words += ["--melodies", "20", "--heard", "1", "--out", str(tmp_path / "out"), "--json"]
    assert main(words) == 0  # the bundle says how its styles were told
    answer = json.loads(capsys.readouterr().out)
    assert answer == json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert answer["styles"]["by"] == "collection"
    for name in ("fan-fares", "scales"):
        assert {path.suffix for path in (tmp_path / "out" / name).iterdir()} >= {".mid", ".svg", ".wav", ".musicxml"}
    page = (tmp_path / "out" / "styles.html").read_text(encoding="utf-8")
    assert page.count("<audio") == 2
    assert 'href="scales/001.wav"' in page
    assert (tmp_path / "out" / "heard-styles.png").read_bytes().startswith(b"\x89PNG")
    assert r"fan\|fares" in (tmp_path / "out" / "table.md").read_text(encoding="utf-8")
    assert main(words) == 1  # it is not overwritten
    assert main([*words, "--force"]) == 0
    capsys.readouterr()
    assert not (tmp_path / "scales").exists()


def test_a_bundle_says_what_told_its_styles_and_no_place(corpus: Corpus, place: Path, tmp_path: Path) -> None:
    assert Bundle.load(place / "run" / "model.safetensors").provenance["styles_by"] == "collection"
    names = ["low" if name == "../scales" else "high" for name in corpus.column("collection")]
    Styles.from_names(corpus, names, {"low": "", "high": ""}).save(tmp_path / "clusters.json", corpus)
    request = TrainOptions(
        str(place / "two.arrow"), styles=str(tmp_path / "clusters.json"), width=4, epochs=1, budget=0
    )
    run_training(request, tmp_path / "run")
    assert Bundle.load(tmp_path / "run" / "model.safetensors").provenance["styles_by"] == "clusters.json"
    words, asked = [str(tmp_path / "run")], replace(FEW, steps=32, against=str(place / "two.arrow"), styles_by="")
    with pytest.raises(UsageError, match=r"told by clusters\.json, which is not here"):
        probe_styles(words, asked)
    found = probe_styles(words, replace(asked, styles_by=str(tmp_path / "clusters.json")))
    assert set(found.names) == {"low", "high"}
    assert found.columns["people"].balanced_accuracy.value == 1.0


def test_people_are_heard_as_the_model_would_say_them(corpus: Corpus, place: Path) -> None:
    composer = load(place / "run" / "model.safetensors")
    people = people_in_styles(corpus, "test", style_labels(corpus, "collection"), composer, 32)
    assert people.examples(with_bars=True).line.length.tolist() == [32] * len(people)
    assert len(np.unique(people.pieces)) == 12
    assert people_in_styles(corpus, "test", style_labels(corpus, "collection"), composer, 4096).tunes == []


def refusals(place: Path) -> list[tuple[list[str], str]]:
    run, two = str(place / "run"), str(place / "two.arrow")
    return [
        ([str(place / "plain.safetensors")], "plain.safetensors knows no style"),
        (["ngram"], "--styles of a baseline"),
        ([run, "tunes"], "--styles of 2 systems"),
        ([run, "--listener"], "--styles goes without --listener"),
        ([run, "--reference", "tunes"], "--styles goes without --reference"),
        ([run, "--likelihood"], "--styles with --likelihood"),
        ([run, "--force"], "--resume and --force go with --out"),
        ([run], "the corpus 'two styles', which does not ship"),
        ([run, "--against", two, "--styles-by", "mood"], "told by mood, which is not here"),
        ([run, "--against", two, "--styles-by", "composer"], "by composer the corpus has 0 styles"),
        ([run, "--against", two, "--steps", "2048"], "only 0 of the 2 styles of this model can be learned"),
        ([run, "--against", "tunes"], "only 0 of the 2 styles of this model can be learned"),
    ]


def test_what_cannot_be_heard_is_said_in_a_line(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, trouble in refusals(place):
        assert main(["evaluate", *words, "--styles", "--json"]) == 2, words
        answer: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert trouble in answer["error"]
        assert answer["hint"]
    assert main(["evaluate", "tunes", "--styles-by", "composer"]) == 2
    assert "--styles-by goes with --styles" in capsys.readouterr().err


def test_a_bundle_that_says_nothing_of_its_styles_is_asked_for_them(place: Path, tmp_path: Path) -> None:
    bundle = Bundle.load(place / "run" / "model.safetensors")
    said = {name: value for name, value in bundle.provenance.items() if name != "styles_by"}
    replace(bundle, provenance={**said, "corpus": "odd"}).save(tmp_path / "old.safetensors")
    words = [str(tmp_path / "old.safetensors")]
    with pytest.raises(UsageError, match="does not say how its styles were told"):
        probe_styles(words, replace(FEW, styles_by=""))
    with pytest.raises(UsageError, match="the corpus '', which does not ship"):
        probe_styles(words, FEW)


def test_options_are_those_that_have_a_meaning_here() -> None:
    assert StyleProbeOptions.from_evaluate(EvaluateOptions(steps=64, device="cpu"), "composer").steps == 64
    with pytest.raises(UsageError, match="0 draws"):
        StyleProbeOptions(draws=0)


def test_folders_of_styles_are_safe_and_different() -> None:
    assert style_folders(["", "..", "a/b", "A B", "Łódź"]) == ["style-1", "style-2", "a-b", "a-b-4", "łódź"]
    assert len(set(style_folders(["x" * 80, "x" * 79, "x" * 78]))) == 3
