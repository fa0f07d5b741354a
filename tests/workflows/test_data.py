"""Encoded corpora: styles from a corpus to a composition, and excerpts of human melodies."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cantilena.cli import main
from cantilena.data import Corpus, Entry, Manifest, Styles
from cantilena.errors import BundleError, CorpusError, UsageError
from cantilena.generation import load
from cantilena.io import write
from cantilena.models import Bundle, find_bundle
from cantilena.music import Key, Melody, Meter
from cantilena.tokenizers import Encoding, NotesEncoding
from cantilena.workflows import TrainOptions, run_training
from cantilena.workflows.data import LEAST, Excerpts, encode_on_grid, reference_excerpts, style_labels
from cantilena.workflows.learned_corpus import named_corpus, shipped_corpus
from cantilena.workflows.train.options import NetworkTraining

SPLITS = ("train",) * 8 + ("valid", "test")


def march(number: int) -> Melody:
    """Quarters up and down a triad, in 4/4."""
    pitches = [60, 64, 67, 64] * 4
    return Melody.from_pitches([(p, 24) for p in np.roll(pitches, number)], key=Key.parse("C major"), meter=Meter(4, 4))


def jig(number: int) -> Melody:
    """Eighths up and down a minor scale, in 6/8."""
    pitches = [69, 71, 72, 74, 76, 74, 72, 71] * 6
    return Melody.from_pitches([(p, 12) for p in np.roll(pitches, number)], key=Key.parse("A minor"), meter=Meter(6, 8))


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    entries = [
        Entry(make(number), piece=f"{name} {number}", collection=name, composer="Sousa", split=SPLITS[number % 10])
        for number in range(60)
        for name, make in (("marches", march), ("jigs", jig))
    ]
    entries += [Entry(march(0), piece=f"odd {n}", collection="oddities", split="train") for n in range(3)]
    return Corpus.from_entries(entries, Manifest("two styles", licence="free"))


@pytest.fixture(scope="module")
def styled(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("styled")
    corpus.save(folder / "two.arrow")
    quickly = {"width": 24, "echoes": 0, "epochs": 20, "budget": 0, "learning_rate": 0.02, "patience": 20}
    asked = NetworkTraining(str(folder / "two.arrow"), styles="collection", dropout=0.0, blend=False, **quickly)  # type: ignore[arg-type]
    run_training(asked, folder / "run")
    return folder / "run" / "model.safetensors"


def test_a_style_is_what_enough_melodies_are_of(corpus: Corpus) -> None:
    labels = style_labels(corpus, "collection")
    assert set(labels.names) == {"marches", "jigs"}  # three oddities are fewer than LEAST
    train, numbers = corpus.split("train"), labels.of("train")
    assert numbers is not None
    for collection, number in zip(train.column("collection"), numbers, strict=True):
        assert number == (0 if collection == "oddities" else 1 + labels.names.index(collection))
    assert LEAST > 3
    assert style_labels(corpus, "").names == ()


def test_one_style_is_none(corpus: Corpus) -> None:
    with pytest.raises(UsageError, match="by composer the corpus has 1 style of"):
        style_labels(corpus, "composer")


def test_clusters_of_a_file_are_styles_in_every_split(corpus: Corpus, tmp_path: Path) -> None:
    names = ["fast" if name == "jigs" else "slow" for name in corpus.column("collection")]
    Styles.from_names(corpus, names, {"fast": "eighths", "slow": "quarters"}).save(tmp_path / "clusters.json", corpus)
    labels = style_labels(corpus, str(tmp_path / "clusters.json"))
    assert labels.names == ("slow", "fast")
    assert set(labels.of("test") or ()) == {1, 2}


def test_the_material_knows_what_is_usual_in_each_style_and_tells_every_piece(corpus: Corpus) -> None:
    material = encode_on_grid(corpus, style_labels(corpus, "collection"))
    assert material.styles["jigs"] == {"melodies": 48, "meter": "6/8", "key": "A minor"}
    assert material.styles["marches"]["key"] == "C major"
    bars = material.test.sequences.bars
    of_jigs = bars.condition_ids[bars.steps_per_bar == 12]
    assert {tuple(row) for row in of_jigs.tolist()} == {(10, 2, 8, 1 + list(material.styles).index("jigs"), 0, 0)}


@pytest.mark.e2e
def test_a_network_composes_in_the_style_that_it_is_told(styled: Path) -> None:
    composer = load(styled)
    assert {style.name: (str(style.key), str(style.meter)) for style in composer.styles} == {
        "marches": (str(Key.parse("C major")), "4/4"),
        "jigs": (str(Key.parse("A minor")), "6/8"),
    }
    for name, ticks, meter in (("march", 24, "4/4"), ("jig", 12, "6/8")):
        tunes = [composer.compose(style=name, bars=4, seed=seed) for seed in range(6)]
        assert {str(tune.meter) for tune in tunes} == {meter}
        lengths = np.concatenate([[note.duration for note in tune.sounding[:-1]] for tune in tunes])
        assert (lengths == ticks).mean() > 0.9
    other = composer.compose(style="jig", bars=4, key="E minor", meter="3/4")
    assert (other.key, str(other.meter)) == (Key.parse("E minor"), "3/4")
    assert composer.compose(style="jig", bars=4, primer="C4 D4").key != Key.parse("A minor")  # an idea brings its own


@pytest.mark.e2e
def test_a_style_goes_through_the_command_line(
    styled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["compose", str(styled), "-n", "2", "--bars", "2", "--no-copy-check", "--json", "--out"]
    assert main([*words, str(tmp_path / "jigs"), "--style", "jigs"]) == 0
    assert len(json.loads(capsys.readouterr().out)["melodies"]) == 2
    assert main([*words, str(tmp_path / "waltzes"), "--style", "waltz"]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer == {"error": "this model knows no style 'waltz'", "hint": "choose one of marches, jigs"}
    assert main(["compose", "tunes+rl-tuner", "--style", "", "-n", "1", "--out", str(tmp_path / "none")]) == 0


@pytest.mark.e2e
def test_a_bundle_whose_usual_key_is_none_is_refused(styled: Path, tmp_path: Path) -> None:
    bundle = Bundle.load(styled)
    said = {**bundle.provenance, "styles": {"jigs": {"key": "H flat major", "meter": "6/8"}}}
    object.__setattr__(bundle, "provenance", said)
    bundle.save(tmp_path / "odd.safetensors")
    with pytest.raises(BundleError, match="usual key or meter of jigs"):
        load(tmp_path / "odd.safetensors")


@pytest.mark.parametrize(
    ("asked", "trouble"),
    [
        ({"conditions": "mood"}, "--conditions cannot be mood"),
        ({"conditions": "none,key"}, "--conditions cannot be none,key"),
        ({"styles": "composer", "test": Path()}, "held-out folders"),
        ({"styles": "composer", "model": "ngram"}, "--styles with --model ngram"),
        ({"conditions": "key", "model": "ngram"}, "--conditions with --model ngram"),
    ],
)
def test_impossible_conditions_are_refused(asked: dict[str, object], trouble: str) -> None:
    with pytest.raises(UsageError, match=trouble):
        TrainOptions("tunes", **asked)  # type: ignore[arg-type]


def test_the_default_conditions_depend_on_the_keys() -> None:
    assert TrainOptions("tunes").known == ("mode", "meter")
    assert TrainOptions("tunes", keys="all").known == ("key", "mode", "meter")
    assert TrainOptions("tunes", encoding="events").known == ()
    assert TrainOptions("tunes", conditions="none", styles="collection").known == ("style",)


@pytest.fixture(scope="module", params=["tunes+rl-tuner", "tunes"])
def bundle(request: pytest.FixtureRequest) -> Bundle:
    """A model of the grid, and one of notes."""
    return Bundle.load(find_bundle(request.param))


def check_length(people: Excerpts, encoding: Encoding, steps: int) -> None:
    """Check that excerpts last so many sixteenths."""
    if isinstance(encoding, NotesEncoding):
        for row in people.tokens:
            assert encoding.decode(row).length == steps * encoding.ticks_per_step
    else:
        assert people.tokens.shape[1] == steps


def test_the_corpus_that_a_shipped_model_learned_is_found(bundle: Bundle) -> None:
    people = reference_excerpts(bundle, 128)
    assert people is not None
    check_length(people, bundle.encoding, 128)
    assert len(people.tokens) == len(people.piece) == len(people.contexts) > 200
    keys = {context.key for context in people.contexts}
    assert {Key.parse("C major"), Key.parse("A minor"), Key.parse("D dorian")} <= keys
    assert all(key == key.plain for key in keys)
    assert all(c.steps_per_bar == c.meter.ticks_per_bar // 6 for c in people.contexts)


def test_a_missing_corpus_is_reported(bundle: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    stranger = replace(bundle, provenance={**bundle.provenance, "corpus": {"name": "my songs"}})
    assert reference_excerpts(stranger, 32) is None
    assert "--against" in capsys.readouterr().err
    assert reference_excerpts(replace(bundle, provenance={}), 32) is None


def test_a_folder_of_ones_own_is_not_taken_for_a_corpus_of_its_name(bundle: Bundle) -> None:
    learned = dict(bundle.provenance["corpus"])
    assert shipped_corpus(bundle) == learned["name"] == "tunes"
    another = {**learned, "name": "chorales"}
    assert shipped_corpus(replace(bundle, provenance={"corpus": another})) == ""
    assert named_corpus(replace(bundle, provenance={"corpus": another})) == "chorales"
    assert shipped_corpus(replace(bundle, provenance={"corpus": "tunes"})) == ""


def test_too_short_melodies_are_refused_where_they_were_asked_for(bundle: Bundle, tmp_path: Path) -> None:
    for number in range(3):
        write(
            Melody.from_pitches([(60 + number, 24), (62, 24), (64 + number, 24), (60, 24)] * 4),
            tmp_path / f"{number}.mid",
        )
    people = reference_excerpts(bundle, 16, str(tmp_path))
    assert people is not None
    check_length(people, bundle.encoding, 16)
    with pytest.raises(CorpusError, match="512 steps long"):
        reference_excerpts(bundle, 512, str(tmp_path))
