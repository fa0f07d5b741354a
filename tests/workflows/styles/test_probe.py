"""The style probe: styles that are learned, styles that are not, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cantilena.cli import main
from cantilena.data import Corpus, Entry, Manifest, Split, Styles
from cantilena.errors import UsageError
from cantilena.generation import load
from cantilena.models import Bundle, Network, NetworkOptions
from cantilena.music import Key, Melody, Meter
from cantilena.tokenizers import GridEncoding
from cantilena.workflows import EvaluateOptions, StyleProbe, TrainOptions, probe_styles, run_training
from cantilena.workflows.data import style_labels
from cantilena.workflows.styles.probe import human_excerpts
from cantilena.workflows.styles.probe_report import COLUMN_LABELS, style_folders

SPLITS: tuple[Split, ...] = ("train",) * 8 + ("valid", "test")
FEW = EvaluateOptions(steps=32, melodies=80, heard=1)


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
        epochs=25,
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
def options(place: Path) -> EvaluateOptions:
    return replace(FEW, against=str(place / "two.arrow"))


@pytest.fixture(scope="module")
def probe(place: Path, options: EvaluateOptions) -> StyleProbe:
    return probe_styles([str(place / "run")], options, "collection")


@pytest.mark.e2e
def test_two_simple_styles_are_recognised_and_chance_is_chance(probe: StyleProbe) -> None:
    accuracy = {name: probe.styles[name]["balanced_accuracy"]["value"] for name in COLUMN_LABELS}
    assert accuracy["people"] == accuracy["people_held_back"] == accuracy["people_without_bars"] == 1.0
    assert accuracy["told"] > 0.9
    assert accuracy["same_meter"] > 0.9
    assert abs(accuracy["untold"] - 0.5) < 0.12
    assert abs(accuracy["meter_alone"] - 0.5) < 0.12  # both are in 4/4
    above = [probe.styles[name]["above_chance"] for name in ("told", "same_meter", "untold", "meter_alone")]
    assert above == [True, True, False, False]
    assert probe.styles["verdict"].startswith("Given one of 2 styles, ")
    assert probe.styles["verdict"].endswith(f"Given no style, it is {100 * accuracy['untold']:.0f} %, as expected.")


@pytest.mark.e2e
def test_the_numbers_are_consistent(probe: StyleProbe) -> None:
    answer = json.loads(json.dumps(probe.to_json(), allow_nan=False))["styles"]
    assert set(answer["names"]) == {"fan|fares", "../scales"}
    assert answer["chance"] == 0.5
    for name in COLUMN_LABELS:
        column, confusion = answer[name], np.array(answer["confusion"][name])
        assert confusion.sum(axis=1) == pytest.approx([1.0, 1.0])
        assert column["balanced_accuracy"]["value"] == pytest.approx(np.trace(confusion) / 2)
        assert [one["value"] for one in column["recall"].values()] == pytest.approx(np.diag(confusion))
        for number in (column["balanced_accuracy"], column["auc"]):
            assert 0 <= number["low"] <= number["value"] <= number["high"] <= 1
    told = answer["told"]
    assert sum(told["melodies"].values()) == FEW.melodies * 3
    assert np.mean(told["by_draw"]) == pytest.approx(told["balanced_accuracy"]["value"])  # draws are equally large
    assert len(told["by_draw"]) == 3


@pytest.mark.e2e
def test_the_same_seed_gives_the_same(place: Path, options: EvaluateOptions) -> None:
    few, words = replace(options, melodies=10), [str(place / "run")]
    first, second = (probe_styles(words, few, "collection", draws=1).to_json() for _ in range(2))
    assert first == second
    assert probe_styles(words, replace(few, seed=2), "collection", draws=1).to_json() != first


@pytest.mark.e2e
def test_styles_that_a_model_never_learned_are_not_recognised(
    place: Path, options: EvaluateOptions, tmp_path: Path
) -> None:
    bundle = Bundle.load(place / "run" / "model.safetensors")
    rng = np.random.default_rng(1)
    # The same network with random weights: the given style cannot matter.
    weights = {name: rng.normal(0, 0.01, values.shape).astype(values.dtype) for name, values in bundle.weights.items()}
    replace(bundle, weights=weights).save(tmp_path / "empty.safetensors")
    found = probe_styles([str(tmp_path / "empty.safetensors")], options, "collection")
    assert not found.styles["told"]["above_chance"]
    assert "classified as that style, not above chance" in found.styles["verdict"]


@pytest.mark.e2e
def test_a_folder_has_melodies_of_each_style(
    place: Path, options: EvaluateOptions, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", str(place / "run"), "--styles", "--against", str(options.against), "--steps", "32"]
    words += ["--melodies", "20", "--heard", "1", "--out", str(tmp_path / "out"), "--json"]
    assert main(words) == 0  # the bundle records the source of its styles
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
    capsys.readouterr()
    assert main([*words[:-1], "--force", "--heard", "0"]) == 0
    again = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert again["styles"] == answer["styles"]  # the same seed
    assert capsys.readouterr().out.endswith(f"Open {tmp_path / 'out' / 'styles.html'} to hear each style.\n")
    assert not (tmp_path / "scales").exists()


@pytest.mark.e2e
def test_a_bundle_records_the_source_of_its_styles_without_a_path(
    corpus: Corpus, place: Path, options: EvaluateOptions, tmp_path: Path
) -> None:
    assert Bundle.load(place / "run" / "model.safetensors").provenance["styles_by"] == "collection"
    names = ["low" if name == "../scales" else "high" for name in corpus.column("collection")]
    Styles.from_names(corpus, names, {"low": "", "high": ""}).save(tmp_path / "clusters.json", corpus)
    request = TrainOptions(
        str(place / "two.arrow"), styles=str(tmp_path / "clusters.json"), width=4, epochs=1, budget=0
    )
    run_training(request, tmp_path / "run")
    assert Bundle.load(tmp_path / "run" / "model.safetensors").provenance["styles_by"] == "clusters.json"
    words, few = [str(tmp_path / "run")], replace(options, melodies=10)
    with pytest.raises(UsageError, match=r"come from clusters\.json, which is not here"):
        probe_styles(words, few)
    found = probe_styles(words, few, str(tmp_path / "clusters.json"), draws=1)
    assert set(found.styles["names"]) == {"low", "high"}
    assert found.styles["people"]["balanced_accuracy"]["value"] == 1.0


@pytest.mark.e2e
def test_human_excerpts_are_in_the_tokens_of_the_model(corpus: Corpus, place: Path) -> None:
    composer, labels = load(place / "run" / "model.safetensors"), style_labels(corpus, "collection")
    human = human_excerpts(corpus, "test", labels, composer, 32)
    assert human.examples.line.length.tolist() == [32] * len(human.style)
    assert len(np.unique(human.pieces)) == 12
    assert len(human_excerpts(corpus, "test", labels, composer, 4096).style) == 0


def refusals(place: Path) -> list[tuple[list[str], str]]:
    run, two = str(place / "run"), str(place / "two.arrow")
    return [
        ([str(place / "plain.safetensors")], "plain.safetensors has no styles"),
        (["ngram"], "--styles takes one bundle, got a baseline"),
        ([run, "tunes"], "--styles takes one bundle, got 2 systems"),
        ([run, "--listener"], "--listener does not apply to --styles"),
        ([run, "--reference", "tunes"], "--reference does not apply to --styles"),
        ([run, "--likelihood"], "--styles cannot be combined with --likelihood"),
        ([run, "--force"], "--resume and --force require --out"),
        ([run], "the training corpus 'two styles' does not ship"),
        ([run, "--against", two, "--styles-by", "mood"], "come from mood, which is not here"),
        ([run, "--against", two, "--styles-by", "composer"], "by composer the corpus has 0 styles"),
        ([run, "--against", two, "--steps", "2048"], "human melodies of only 0 of the 2 styles"),
        ([run, "--against", "tunes"], "human melodies of only 0 of the 2 styles"),
    ]


@pytest.mark.e2e
def test_what_cannot_be_probed_is_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, trouble in refusals(place):
        assert main(["evaluate", *words, "--styles", "--json"]) == 2, words
        answer: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert trouble in answer["error"]
        assert answer["hint"]
    assert main(["evaluate", "tunes", "--styles-by", "composer"]) == 2
    assert "--styles-by requires --styles" in capsys.readouterr().err


@pytest.mark.e2e
def test_a_bundle_that_does_not_record_its_styles_is_refused(place: Path, tmp_path: Path) -> None:
    bundle = Bundle.load(place / "run" / "model.safetensors")
    said = {name: value for name, value in bundle.provenance.items() if name != "styles_by"}
    replace(bundle, provenance={**said, "corpus": "odd"}).save(tmp_path / "old.safetensors")
    words = [str(tmp_path / "old.safetensors")]
    with pytest.raises(UsageError, match="does not record the source of its styles"):
        probe_styles(words, FEW)
    with pytest.raises(UsageError, match="the training corpus '' does not ship"):
        probe_styles(words, FEW, "collection")
    with pytest.raises(UsageError, match="draws must be 1 to 100, got 0"):
        probe_styles(words, FEW, draws=0)


def test_folders_of_styles_are_safe_and_different() -> None:
    assert style_folders(["", "..", "a/b", "A B", "Łódź"]) == ["style-1", "style-2", "a-b", "a-b-4", "łódź"]
    assert len(set(style_folders(["x" * 80, "x" * 79, "x" * 78]))) == 3
