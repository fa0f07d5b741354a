"""Training: what a bundle records, held-out folders, n-grams, blends, ranges, resuming, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cantilena
from cantilena.cli import main
from cantilena.data import Corpus, Entry, Manifest, read_folder
from cantilena.errors import CorpusError, RunError, UsageError
from cantilena.generation import ComposeOptions, load
from cantilena.io import write
from cantilena.models import CONDITIONS, Bundle, NGramOptions
from cantilena.music import ChordTrack, Key, Melody, Meter
from cantilena.rl import TuningOptions, WatchOptions
from cantilena.runtime import options_record
from cantilena.tokenizers import GridEncoding
from cantilena.training import TRANSFORMER_RATE
from cantilena.training.batches import Batches
from cantilena.workflows import TrainOptions, run_training, run_tuning
from cantilena.workflows.train import run as train_run
from cantilena.workflows.train.blend import choose_blend, may_blend, score
from cantilena.workflows.train.config import load_encoded, network_for, shape_and_training
from cantilena.workflows.train.options import NetworkTraining, NGramTraining

TINY: dict[str, Any] = {"width": 8, "epochs": 2, "batch": 8, "device": "cpu", "precision": "float32"}
pytestmark = pytest.mark.usefixtures("no_pictures")

TUNING = TuningOptions(updates=2, melodies=8, steps=16, device="cpu", watch=WatchOptions(look=0))


class StopError(Exception):
    pass


def stop(*_: object, **__: object) -> None:
    raise StopError


def options(corpus: Path | str, **fields: Any) -> NetworkTraining:
    """A network of eight cells, hardly trained."""
    return NetworkTraining(str(corpus), **{**TINY, **fields})


def test_a_bundle_records_what_it_learned_from(corpus_file: Path, tmp_path: Path) -> None:
    read = Corpus.load(corpus_file)
    free = Corpus(read.table, replace(read.manifest, name="my tunes", licence="CC0-1.0"))
    free.save(tmp_path / "free.arrow")
    trained = run_training(options(tmp_path / "free.arrow"), tmp_path / "run")
    assert trained is not None
    bundle = Bundle.load(tmp_path / "run" / "model.safetensors")
    assert bundle.licence == "CC0-1.0"
    assert bundle.provenance["corpus"] == {"name": "my tunes", "licence": "CC0-1.0", "sha256": free.sha256}
    assert 1 <= bundle.provenance["training"]["best_epoch"] <= bundle.provenance["training"]["epochs_done"] == 2
    assert str(tmp_path) not in json.dumps(dict(bundle.provenance))
    answer = trained.to_dict()
    assert list(answer) == ["bundle", "epochs", "seconds", "valid", "test", "blend"]
    assert set(answer["valid"]) == set(answer["test"]) == {"nats_per_step", "nats_per_note"}
    assert answer["epochs"] == 2
    tuned = run_tuning(answer["bundle"], TUNING, tmp_path / "tuned")
    assert tuned.bundle.licence == "CC0-1.0"


def test_the_function_trains_what_the_command_trains(trained: Path, corpus_file: Path, tmp_path: Path) -> None:
    model = cantilena.train(corpus_file, **TINY)
    assert model.path is None
    assert model.to_dict()["bundle"] is None
    assert model.epochs == 2
    assert 0 < model.test["nats_per_step"] < 10  # type: ignore[operator]
    model.bundle.save(tmp_path / "saved.safetensors")
    assert (tmp_path / "saved.safetensors").read_bytes() == trained.read_bytes()
    read = Corpus.load(corpus_file)
    kept = cantilena.train(read, model="ngram", seed=2, out=tmp_path / "run")
    assert kept.path == tmp_path / "run" / "model.safetensors"
    assert Bundle.load(kept.path).provenance["corpus"]["sha256"] == read.sha256


def test_further_corpora_are_learned_from_and_their_melodies_are_a_style(corpus_file: Path, tmp_path: Path) -> None:
    read = Corpus.load(corpus_file)
    chords = ChordTrack.parse("C | G7 | C | F G", Meter())
    # Melodies unlike those of the corpus, a few of which would else be left out as copies of held-out ones.
    melodies = [
        Melody.from_pitches(
            [(60 + k * (seed + 3) % 12, 24 if k % (seed + 2) else 12) for k in range(60)], chords=chords
        )
        for seed in range(30)
    ]
    entries = [Entry(one, f"piece {row}", split="test" if row > 25 else "train") for row, one in enumerate(melodies)]
    Corpus.from_entries(entries, Manifest("songs", licence="CC0")).save(tmp_path / "songs.arrow")
    asked = options(
        corpus_file, encoding="notes", also=(str(tmp_path / "songs.arrow"),), styles="collection", conditions="mode",
        keys="plain",
    )  # fmt: skip
    data, facts = load_encoded(asked)
    own, _ = load_encoded(replace(asked, also=(), styles=""))
    assert len(data.test) == len(own.test)
    assert 20 <= len(data.train) - len(own.train) <= 26
    assert "songs" in data.styles
    told = data.train.sequences.style_is_told
    assert told is not None
    assert told.sum() == len(data.train) - len(own.train)
    network = network_for(shape_and_training(asked)[0], asked, data)
    assert network.harmony, "20 melodies with chords are enough to learn to follow them"
    assert not network_for(shape_and_training(asked)[0], replace(asked, harmony=False), data).harmony
    assert [one["name"] for one in facts["sources"]] == [read.manifest.name, "songs"]
    assert facts["licence"].endswith("CC0")
    batches = Batches(data.train.sequences, 8, seed=1, condition_dropout=1.0)
    style = CONDITIONS.index("style")
    rows = np.flatnonzero(told)
    _, _, bars = batches.tokens(rows[:8], 1)
    assert (bars.condition_ids[:, style] > 0).all(), "a style that is always told is told where all else is dropped"
    assert not bars.chords[:, :, 1].any()


@pytest.mark.parametrize(
    ("wrong", "text", "hint"),
    [
        ({"widht": 8}, "there is no option 'widht'", "did you mean width?"),
        ({"model": "ngram", "width": 8}, "--width with --model ngram", "leave out --width"),
        ({"encoding": "events", "model": "vae"}, "events are notes without time", "--encoding"),
        ({"encoding": "event"}, "there is no encoding 'event'", "did you mean events?"),
        ({"schedule": "steps"}, "there is no schedule 'steps'", "cosine, plateau, constant"),
    ],
)
def test_the_function_refuses_what_makes_no_sense(wrong: dict[str, Any], text: str, hint: str) -> None:
    with pytest.raises(UsageError) as refused:
        cantilena.train("tunes", **wrong)
    assert text in refused.value.text
    assert hint in refused.value.hint


def test_a_transformer_gets_a_lower_learning_rate_by_default(tmp_path: Path, corpus_file: Path) -> None:
    asked = options(corpus_file, core="transformer", layers=2, heads=2, conditions="none", dropout=0.1)
    network, training = shape_and_training(asked)
    assert (network.core, network.layers, network.heads) == ("transformer", 2, 2)
    recurrent = shape_and_training(options(corpus_file))[1]
    assert training == replace(recurrent, learning_rate=TRANSFORMER_RATE)
    assert shape_and_training(replace(asked, learning_rate=0.01))[1].learning_rate == 0.01
    trained = run_training(asked, tmp_path / "run")
    assert trained is not None
    assert trained.bundle.options == network
    tuned = run_tuning(str(trained.path), TUNING, tmp_path / "tuned")
    assert tuned.bundle.prior_weights is not None


def held_out(folder: Path) -> Path:
    """Two tunes that are the same, one of them far away in another key, and a long low one."""
    tune = [(60, 24), (62, 24), (66, 24), (67, 24)] * 4
    write(Melody.from_pitches(tune), folder / "a.mid")
    write(Melody.from_pitches(tune), folder / "b.mid")
    write(Melody.from_pitches([(pitch + 6, ticks) for pitch, ticks in tune]), folder / "c.mid")
    write(Melody.from_pitches([(50, 24), (53, 24)] * 200), folder / "d.mid")
    return folder


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("encoding", ["grid", "events"])
def test_held_out_folders_are_taken_as_they_are(tunes: Path, tmp_path: Path, encoding: str) -> None:
    valid, test = held_out(tmp_path / "valid"), held_out(tmp_path / "test")
    asked = options(tunes, valid=valid, test=test, encoding=encoding, seconds=3.0)
    data, _ = load_encoded(asked)
    assert len(data.valid) == len(data.test) == 4
    assert len(data.train) == len(read_folder(tunes, quiet=True))
    assert not data.normalized_key
    spoken = data.encoding
    for piece, tokens in zip(data.test.melodies, data.test.sequences.tokens, strict=True):
        np.testing.assert_array_equal(spoken.line(tokens[None]).pitch.max(), max(n.top for n in piece.sounding))
    tops = [piece.sounding[0].top for piece in data.test.melodies]
    assert tops == [60, 60, 66, 50]
    assert len(data.test.melodies[3].sounding) == 400
    assert max(len(tokens) for tokens in data.train.sequences.tokens) <= 24


def test_one_held_out_folder_leaves_the_other_part_to_the_corpus(corpus_file: Path, tmp_path: Path) -> None:
    data, _ = load_encoded(options(corpus_file, test=held_out(tmp_path / "test")))
    corpus = Corpus.load(corpus_file)
    assert len(data.test) == 4
    assert len(data.train) == len(corpus.melodies("train"))
    assert len(data.valid) == len(corpus.melodies("valid"))


def test_an_interrupted_training_ends_with_the_same_bundle(
    corpus_file: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(train_run, "choose_blend", stop)
        with pytest.raises(StopError):
            run_training(options(corpus_file), tmp_path)
    with pytest.raises(RunError, match="other options"):
        run_training(options(corpus_file, seed=2), tmp_path, resume=True)
    run_training(options(corpus_file), tmp_path, resume=True)
    assert (tmp_path / "model.safetensors").read_bytes() == trained.read_bytes()


@pytest.mark.parametrize("encoding", ["grid", "events"])
def test_an_n_gram_is_trained_like_a_network(corpus_file: Path, tmp_path: Path, encoding: Any) -> None:
    asked = NGramTraining(str(corpus_file), order=4, encoding=encoding)
    trained = run_training(asked, tmp_path / "run")
    assert trained is not None
    answer, bundle = trained.to_dict(), trained.bundle
    assert list(answer) == ["bundle", "epochs", "seconds", "valid", "test", "blend"]
    assert answer["epochs"] == 1
    assert set(answer["valid"]) == set(answer["test"]) == {"nats_per_step", "nats_per_note"}
    assert bundle.encoding.name == encoding
    assert bundle.provenance["plain_keys"] == (encoding == "grid")
    assert bundle.provenance["ngram"]["order"] == 4
    assert set(bundle.provenance["corpus"]) == {"name", "licence", "sha256"}
    data, _ = load_encoded(asked)
    assert score(bundle.model(), data.test, data) == answer["test"]
    run_training(TrainOptions(str(corpus_file), model="ngram", order=4, encoding=encoding), tmp_path / "again")
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (trained.path or Path()).read_bytes()
    assert load(tmp_path / "run" / "model.safetensors").compose(bars=2, seed=1).tokens


def test_an_n_gram_counts_what_is_held_out_as_it_is(corpus_file: Path, tmp_path: Path) -> None:
    valid, test = held_out(tmp_path / "valid"), held_out(tmp_path / "test")
    bundle = cantilena.train(corpus_file, valid=str(valid), test=test, model="ngram", range="C2-C7").bundle
    assert not bundle.provenance["plain_keys"]
    assert len(bundle.encoding.vocabulary) == 2 + 61
    assert NGramTraining("tunes", keys="all").normalized_key is False


def test_an_interrupted_n_gram_ends_the_same_and_leaves_nothing_half_written(
    corpus_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, run, model = NGramTraining(str(corpus_file)), tmp_path / "run", tmp_path / "run" / "model.safetensors"
    run_training(asked, tmp_path / "whole")
    with monkeypatch.context() as patched:
        patched.setattr("safetensors.numpy.save", stop)
        with pytest.raises(StopError):
            run_training(asked, run)
    assert sorted(path.name for path in run.iterdir()) == [".lock", "run.json"]
    with pytest.raises(RunError, match="unfinished"):
        run_training(asked, run)
    run_training(asked, run, resume=True)
    assert model.read_bytes() == (tmp_path / "whole" / "model.safetensors").read_bytes()
    with pytest.raises(RunError, match="other options"):
        run_training(replace(asked, order=3), run)
    run_training(replace(asked, order=3), run, force=True)
    assert Bundle.load(model).provenance["ngram"]["order"] == 3


ALONE: list[dict[str, object]] = [{"echoes": 2}, {"attention": 4, "reach": 32}, {"copy_head": True}]
TOGETHER: dict[str, object] = {"echoes": 1, "attention": 4, "reach": 32, "copy_head": True}


@pytest.mark.parametrize(
    "memory", [TOGETHER, *(pytest.param(one, marks=pytest.mark.e2e) for one in ALONE)], ids="-".join
)
def test_a_network_with_memory_is_trained_tuned_and_composes(
    corpus_file: Path, tmp_path: Path, memory: dict[str, object]
) -> None:
    shape: dict[str, Any] = {**TINY, **memory, "epochs": 1, "dropout": 0.2}
    bundle = cantilena.train(corpus_file, **shape, out=tmp_path / "one").bundle
    assert memory.items() <= options_record(bundle.options).items()
    cantilena.train(corpus_file, **shape, out=tmp_path / "two")
    one, two = (tmp_path / name / "model.safetensors" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    assert load(one).compose(bars=2, seed=1).tokens
    for algorithm in ("rloo", "q"):
        tuned = run_tuning(str(one), replace(TUNING, algorithm=algorithm), tmp_path / algorithm)
        assert tuned.bundle.options == bundle.options
        assert load(tmp_path / algorithm / "model.safetensors").compose(bars=2, seed=1).tokens


def test_an_n_gram_is_trained_without_torch(corpus_file: Path, tmp_path: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from cantilena.workflows import TrainOptions, run_training
run_training(TrainOptions(corpus={str(corpus_file)!r}, model="ngram"), Path({str(tmp_path / "run")!r}))
assert "torch" not in sys.modules, "torch was imported"
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120, capture_output=True)


@pytest.mark.parametrize(
    ("silly", "said"),
    [
        ({"model": "ngram", "width": 8}, "--width with --model ngram"),
        ({"model": "ngram", "learning_rate": 0.1, "core": "gru"}, "--learning-rate and --core with"),
        ({"model": "ngram", "preset": "paper"}, "--preset with"),
        ({"model": "ngram", "device": "cuda"}, "--device with"),
        ({"model": "ngram", "transpose": 6}, "--transpose with"),
        ({"model": "ngram", "order": 0}, "the order of an n-gram is 0"),
        ({"model": "ngram", "order": 17}, "the order of an n-gram is 17"),
        ({"model": "ngram", "copy_head": True, "echoes": 2}, "--echoes and --copy-head with"),
        ({"model": "ngram", "attention": 8}, "--attention with"),
        ({"model": "ngram", "blend": True}, "--blend with"),
        ({"blend": True, "order": 0}, "the order of an n-gram is 0"),
        ({"order": 5}, "--order with a network"),
        ({"model": "n-gram"}, "no model 'n-gram'"),
    ],
)
def test_flags_of_the_other_model_are_refused(silly: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        TrainOptions("tunes", **silly)  # type: ignore[arg-type]
    assert said in refused.value.text
    assert refused.value.hint


def test_too_small_a_corpus_is_one_sentence(tmp_path: Path) -> None:
    write(Melody.from_pitches([(60, 24), (62, 24)] * 8), tmp_path / "scores" / "one.mid")
    with pytest.raises(CorpusError) as refused:
        run_training(options(tmp_path / "scores"), tmp_path / "run")
    assert "hint" not in refused.value.text
    assert refused.value.hint


@pytest.mark.parametrize(
    "silly",
    [
        {"seconds": 0.0},
        {"seconds": float("nan")},
        {"keys": "plain", "encoding": "events"},
        {"width": 0},
        {"epochs": 0},
        {"batch": 0},
        {"dropout": 1.5},
        {"learning_rate": -1.0},
        {"transpose": -1},
        {"seed": -1},
    ],
)
def test_silly_requests_are_refused_before_anything_is_written(
    silly: dict[str, object], corpus_file: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as refused:
        run_training(options(corpus_file, **silly), tmp_path / "run")
    assert refused.value.hint
    assert not (tmp_path / "run").exists()


def test_an_empty_name_is_not_the_working_folder() -> None:
    with pytest.raises(UsageError, match="no name"):
        TrainOptions("")


def test_a_network_is_blended_with_an_n_gram(
    corpus_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = options(corpus_file, blend=True, order=4, echoes=1)
    trained = run_training(asked, tmp_path / "run")
    assert trained is not None
    bundle, path = Bundle.load(tmp_path / "run" / "model.safetensors"), str(trained.path)
    assert bundle.ngram is not None
    assert bundle.provenance["ngram"]["order"] == bundle.ngram.options.order == 4
    assert bundle.provenance["ngram"]["share"] == bundle.ngram.share
    data, _ = load_encoded(asked)
    assert score(bundle.model(), data.test, data) == pytest.approx(trained.test)
    alone = cantilena.train(corpus_file, **TINY, echoes=1, blend=False)
    assert alone.to_dict()["blend"] is None
    assert alone.bundle.ngram is None
    assert trained.valid["nats_per_step"] < alone.valid["nats_per_step"]  # type: ignore[operator]
    told = trained.to_dict()["blend"]
    assert told["network"]["test"] == pytest.approx(alone.test)
    assert told["blend"]["test"] == pytest.approx(trained.test)
    assert told["share"] == bundle.ngram.share
    assert load(path).compose(bars=2, seed=1).tokens
    tuned = run_tuning(path, TUNING, tmp_path / "tuned").bundle
    assert tuned.ngram is None
    for name, weight in bundle.weights.items():
        np.testing.assert_array_equal(tuned.prior_weights[name], weight)
    assert "the network alone is tuned" in capsys.readouterr().err


def test_a_network_that_is_not_clearly_better_than_the_n_gram_is_blended(trained: Path, corpus_file: Path) -> None:
    asked = options(corpus_file)  # two epochs of eight cells: far behind
    told = json.loads(trained.with_name("run.json").read_text())["blend"]
    assert told["share"] > 0.5
    assert "worse than the n-gram" in told["why"]
    data, _ = load_encoded(asked)
    ahead = AlwaysRight()
    mixed = choose_blend(ahead, data, NGramOptions(), wanted=None)
    assert mixed.blend is None
    assert mixed.model is ahead
    assert mixed.to_dict()["share"] == 0.0
    assert "better than the n-gram" in mixed.why
    wanted = choose_blend(ahead, data, NGramOptions(), wanted=True).blend
    assert wanted is not None
    assert wanted.share < 0.01


def test_the_papers_network_is_not_blended_by_default() -> None:
    for asked in ({"preset": "paper"}, {"input": "paper"}):
        shape, _ = shape_and_training(NetworkTraining("tunes", **asked))  # type: ignore[arg-type]
        assert not may_blend(NetworkTraining("tunes", **asked), shape)  # type: ignore[arg-type]


class AlwaysRight:
    """Gives whatever comes a probability of .9."""

    vocabulary_size, uses_bars = 38, False

    def log_probs(self, tokens: np.ndarray) -> np.ndarray:
        log_p = np.full((*tokens.shape, 38), np.log(0.1 / 37))
        np.put_along_axis(log_p, tokens[..., None], np.log(0.9), axis=-1)
        return log_p

    def start(self, melodies: int) -> tuple[np.ndarray, None]:
        return np.full((melodies, 38), -np.log(38)), None

    def step(self, tokens: np.ndarray, state: None) -> tuple[np.ndarray, None]:
        return np.full((len(tokens), 38), -np.log(38)), None


FLAGS = ["--width", "8", "--epochs", "2", "--batch", "8", "--device", "cpu", "--precision", "float32"]


@pytest.fixture(scope="module")
def wide_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve tunes in C that run from C3 to C6, three octaves and a note."""
    folder, rng = tmp_path_factory.mktemp("wide"), np.random.default_rng(4)
    scale = [48 + 12 * octave + step for octave in range(3) for step in (0, 2, 4, 5, 7, 9, 11)] + [84]
    for number in range(12):
        notes = [(scale[0], 24), (scale[-1], 24), *((scale[place], 12) for place in rng.integers(len(scale), size=30))]
        write(Melody.from_pitches(notes, key=Key()), folder / f"{number}.mid")
    path = folder / "wide.arrow"
    read_folder(folder, quiet=True).save(path)
    return path


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("G2-G#7", 43, 104),
        pytest.param("C3-C6", 48, 84, marks=pytest.mark.e2e),
        pytest.param("C4-B4", 60, 71, marks=pytest.mark.e2e),
    ],
)
def test_a_range_goes_from_training_to_composing(
    wide_corpus: Path, tmp_path: Path, text: str, low: int, high: int
) -> None:
    run, tuned, made = tmp_path / "run", tmp_path / "tuned", tmp_path / "made"
    assert main(["train", "--corpus", str(wide_corpus), "--range", text, "--out", str(run), *FLAGS]) == 0
    bundle = Bundle.load(run / "model.safetensors")
    assert bundle.encoding == GridEncoding(low, high)
    words = ["--updates", "2", "--melodies", "8", "--steps", "16", "--device", "cpu"]
    assert main(["tune", str(run / "model.safetensors"), *words, "--out", str(tuned)]) == 0
    composer = load(tuned / "model.safetensors")
    tunes = composer.compose_many(20, ComposeOptions(bars=2, constrain="rl-tuner:key"), temperature=3.0)
    pitches = {note.top for tune in tunes for note in tune.sounding}
    assert low <= min(pitches) < low + 12
    assert high - 12 < max(pitches) <= high
    assert all(pitch % 12 in Key().pitch_classes for pitch in pitches)
    words = ["-n", "1", "--bars", "1", "--constrain", "rl-tuner", "--range", "C4-C5", "--json", "--out", str(made)]
    assert main(["compose", str(tuned / "model.safetensors"), *words]) == 0


def test_a_note_within_the_range_is_not_moved(wide_corpus: Path) -> None:
    def folded(text: str) -> int:
        return load_encoded(NetworkTraining(str(wide_corpus), range=text))[0].folded

    assert folded("C3-C6") == 0
    assert folded("C3-B5") >= 12


@pytest.mark.parametrize(
    "words", [["--range", "C4-D4"], ["--range", "low"], ["--range", "C4-C6", "--encoding", "events"]]
)
def test_ranges_that_cannot_be(
    wide_corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    out = tmp_path / "run"
    assert main(["train", "--corpus", str(wide_corpus), "--out", str(out), *FLAGS, "--json", "--range", *words]) == 2
    assert json.loads(capsys.readouterr().out)["hint"]
    assert not out.exists()
