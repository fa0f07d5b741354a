"""Training and tuning as the command line asks for them: provenance, held-out folders, resuming."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cantilena.data import Corpus, Manifest, read_folder
from cantilena.errors import CorpusError, RunError, UsageError
from cantilena.generation import load
from cantilena.io import write
from cantilena.models import Bundle
from cantilena.music import Melody
from cantilena.rl import TuningOptions
from cantilena.rules import RULE_SETS
from cantilena.training import TRANSFORMER_RATE
from cantilena.workflows import ReproduceOptions, TrainOptions, run_training, run_tuning
from cantilena.workflows.train import run as train_run
from cantilena.workflows.train.blend import score
from cantilena.workflows.train.config import read_material, shape_and_training
from cantilena.workflows.tune import run as tune_run

TINY = {"width": 8, "epochs": 2, "batch": 8, "device": "cpu", "precision": "float32"}
TUNING = TuningOptions(updates=4, melodies=8, steps=16, device="cpu")


class HereError(Exception):
    pass


def request(corpus: Path | str, **fields: object) -> TrainOptions:
    return TrainOptions(corpus=str(corpus), **{**TINY, **fields})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def trained(corpus_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_training(request(corpus_file), tmp_path_factory.mktemp("trained") / "run").bundle


def test_a_bundle_says_what_it_was_learned_from(tunes: Path, tmp_path: Path) -> None:
    read = read_folder(tunes, quiet=True)
    free = Corpus(read.table, replace(read.manifest, name="my tunes", licence="CC0-1.0"))
    free.save(tmp_path / "free.arrow")
    done = run_training(request(tmp_path / "free.arrow"), tmp_path / "run")
    bundle = Bundle.load(done.bundle)
    assert bundle.licence == "CC0-1.0"
    assert bundle.provenance["corpus"] == {"name": "my tunes", "licence": "CC0-1.0", "sha256": free.sha256}
    assert 1 <= bundle.provenance["training"]["best_epoch"] <= bundle.provenance["training"]["epochs_done"] == 2
    assert str(tmp_path) not in json.dumps(dict(bundle.provenance))
    assert isinstance(free.manifest, Manifest)
    answer = done.answer()
    assert list(answer) == ["bundle", "epochs", "seconds", "valid", "test", "blend"]
    assert set(answer["valid"]) == set(answer["test"]) == {"nats_per_step", "nats_per_note"}
    assert answer["epochs"] == 2
    tuned = run_tuning(str(done.bundle), TUNING, tmp_path / "tuned")
    assert Bundle.load(tuned.bundle).licence == "CC0-1.0"


def test_a_transformer_learns_slower_unless_told_otherwise(tmp_path: Path, corpus_file: Path) -> None:
    asked = request(corpus_file, core="transformer", layers=2, heads=2, conditions="none", dropout=0.1)
    network, training = shape_and_training(asked)
    assert (network.core, network.layers, network.heads) == ("transformer", 2, 2)
    recurrent = shape_and_training(request(corpus_file))[1]
    assert training == replace(recurrent, learning_rate=TRANSFORMER_RATE)
    assert shape_and_training(replace(asked, learning_rate=0.01))[1].learning_rate == 0.01
    done = run_training(asked, tmp_path / "run")
    assert Bundle.load(done.bundle).options == network
    tuned = run_tuning(str(done.bundle), TUNING, tmp_path / "tuned")
    assert Bundle.load(tuned.bundle).prior_weights is not None


def held_out(folder: Path) -> Path:
    """Two tunes that are the same, one of them far away in another key, and a long low one."""
    tune = [(60, 24), (62, 24), (66, 24), (67, 24)] * 4
    write(Melody.of(tune), folder / "a.mid")
    write(Melody.of(tune), folder / "b.mid")
    write(Melody.of([(pitch + 6, ticks) for pitch, ticks in tune]), folder / "c.mid")
    write(Melody.of([(50, 24), (53, 24)] * 200), folder / "d.mid")
    return folder


@pytest.mark.parametrize("encoding", ["grid", "events"])
def test_held_out_folders_are_taken_as_they_are(tunes: Path, tmp_path: Path, encoding: str) -> None:
    valid, test = held_out(tmp_path / "valid"), held_out(tmp_path / "test")
    asked = request(tunes, valid=valid, test=test, encoding=encoding, seconds=3.0)
    material, _ = read_material(asked)
    assert len(material.valid) == len(material.test) == 4
    assert len(material.train) == len(read_folder(tunes, quiet=True))
    assert not material.plain_keys
    spoken = material.encoding
    for piece, tokens in zip(material.test.melodies, material.test.sequences.tokens, strict=True):
        np.testing.assert_array_equal(spoken.line(tokens[None]).pitch.max(), max(n.top for n in piece.sounding))
    tops = [piece.sounding[0].top for piece in material.test.melodies]
    assert tops == [60, 60, 66, 50]
    assert len(material.test.melodies[3].sounding) == 400
    assert max(len(tokens) for tokens in material.train.sequences.tokens) <= 24


def test_one_held_out_folder_leaves_the_other_part_to_the_corpus(corpus_file: Path, tmp_path: Path) -> None:
    material, _ = read_material(request(corpus_file, test=held_out(tmp_path / "test")))
    corpus = Corpus.load(corpus_file)
    assert len(material.test) == 4
    assert len(material.train) == len(corpus.melodies("train"))
    assert len(material.valid) == len(corpus.melodies("valid"))


def test_an_interrupted_training_ends_with_the_same_bundle(
    corpus_file: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise HereError

    with monkeypatch.context() as patched:
        patched.setattr(train_run, "blending", stop)
        with pytest.raises(HereError):
            run_training(request(corpus_file), tmp_path)
    with pytest.raises(RunError, match="other options"):
        run_training(request(corpus_file, seed=2), tmp_path, resume=True)
    done = run_training(request(corpus_file), tmp_path, resume=True)
    assert done.bundle.read_bytes() == trained.read_bytes()


def test_a_forced_run_does_not_go_on_from_the_earlier_one(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise HereError

    other = replace(TUNING, seed=2)
    expected = run_tuning(str(trained), other, tmp_path / "expected").bundle.read_bytes()
    monkeypatch.setattr("cantilena.rl.tuning._CHECKPOINT_EVERY", 0.0)
    run = tmp_path / "run"
    run_tuning(str(trained), TUNING, run)
    assert (run / "checkpoint.safetensors").exists()
    with monkeypatch.context() as patched:
        patched.setattr(tune_run, "tune", stop)
        with pytest.raises(HereError):
            run_tuning(str(trained), other, run, force=True)
    assert run_tuning(str(trained), other, run, resume=True).bundle.read_bytes() == expected


def test_an_interrupted_tuning_is_resumed_with_the_same_model_only(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, run = tmp_path / "model.safetensors", tmp_path / "run"
    model.write_bytes(trained.read_bytes())

    def stop(*_: object, **__: object) -> None:
        raise HereError

    whole = run_tuning(str(model), TUNING, tmp_path / "whole")
    with monkeypatch.context() as patched:
        patched.setattr(tune_run, "measure", stop)
        with pytest.raises(HereError):
            run_tuning(str(model), TUNING, run)
    Bundle.save(replace(Bundle.load(trained), licence="another"), model)
    with pytest.raises(RunError, match="other options"):
        run_tuning(str(model), TUNING, run, resume=True)
    model.write_bytes(trained.read_bytes())
    resumed = run_tuning(str(model), TUNING, run, resume=True)
    assert resumed.bundle.read_bytes() == whole.bundle.read_bytes()
    assert resumed.metrics == whole.metrics
    answer = resumed.answer()
    assert list(answer)[:7] == ["bundle", "steps", "steps_per_second", "c", "clip", "kl_per_step", "metrics"]
    assert set(answer["systems"]) == {"untuned", "tuned"}
    for side in ("untuned", "tuned"):
        rewards = answer["systems"][side]["rewards"]
        assert list(rewards) == list(RULE_SETS[TUNING.rules].names)
        assert all(one["low"] <= one["value"] <= one["high"] for one in rewards.values())
    assert "Reward a melody, by rule" in resumed.text()
    assert answer["c"] == 3.0
    assert answer["steps"] == 4 * 8 * 16


def test_chords_are_trained_and_tuned_too(tunes: Path, tmp_path: Path) -> None:
    done = run_training(request(tunes, encoding="events"), tmp_path / "run")
    assert Bundle.load(done.bundle).encoding.name == "events"
    assert done.test["nats_per_step"] == pytest.approx(done.test["nats_per_note"])
    tuned = run_tuning(str(done.bundle), replace(TUNING, rules="paper", algorithm="q"), tmp_path / "tuned")
    assert tuned.c == 0.5


@pytest.mark.parametrize("encoding", ["grid", "events"])
def test_an_n_gram_is_trained_like_a_network(tunes: Path, tmp_path: Path, encoding: str) -> None:
    asked = TrainOptions(corpus=str(tunes), model="ngram", order=4, encoding=encoding)  # type: ignore[arg-type]
    done = run_training(asked, tmp_path / "run")
    answer = done.answer()
    assert list(answer) == ["bundle", "epochs", "seconds", "valid", "test", "blend"]
    assert answer["epochs"] == 1
    assert set(answer["valid"]) == set(answer["test"]) == {"nats_per_step", "nats_per_note"}
    bundle = Bundle.load(done.bundle)
    assert bundle.encoding.name == encoding
    assert bundle.provenance["plain_keys"] == (encoding == "grid")
    assert bundle.provenance["ngram"]["order"] == 4
    assert set(bundle.provenance["corpus"]) == {"name", "licence", "sha256"}
    material, _ = read_material(asked)
    assert score(bundle.model(), material.test, material) == answer["test"]
    again = run_training(asked, tmp_path / "again").bundle
    assert again.read_bytes() == done.bundle.read_bytes()
    assert load(done.bundle).compose(bars=2, seed=1).tokens


def test_an_n_gram_counts_what_is_held_out_as_it_is(tunes: Path, tmp_path: Path) -> None:
    valid, test = held_out(tmp_path / "valid"), held_out(tmp_path / "test")
    asked = TrainOptions(corpus=str(tunes), valid=valid, test=test, model="ngram", range="C2-C7")
    done = run_training(asked, tmp_path / "run")
    bundle = Bundle.load(done.bundle)
    assert not bundle.provenance["plain_keys"]
    assert len(bundle.encoding.vocabulary) == 2 + 61
    assert TrainOptions(corpus=str(tunes), model="ngram", keys="all").plain_keys is False


def test_an_interrupted_n_gram_ends_the_same_and_leaves_nothing_half_written(
    corpus_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise HereError

    asked = TrainOptions(corpus=str(corpus_file), model="ngram")
    whole = run_training(asked, tmp_path / "whole").bundle.read_bytes()
    run = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setattr("safetensors.numpy.save", stop)
        with pytest.raises(HereError):
            run_training(asked, run)
    assert sorted(path.name for path in run.iterdir()) == [".lock", "run.json"]
    with pytest.raises(RunError, match="unfinished"):
        run_training(asked, run)
    assert run_training(asked, run, resume=True).bundle.read_bytes() == whole
    with pytest.raises(RunError, match="other options"):
        run_training(replace(asked, order=3), run)
    run_training(replace(asked, order=3), run, force=True)
    assert Bundle.load(run / "model.safetensors").provenance["ngram"]["order"] == 3


ALONE: list[dict[str, object]] = [{"echoes": 2}, {"attention": 4, "reach": 32}, {"copy_head": True}]
TOGETHER: dict[str, object] = {"echoes": 1, "attention": 4, "reach": 32, "copy_head": True}


@pytest.mark.parametrize(
    "memory", [TOGETHER, *(pytest.param(one, marks=pytest.mark.slow) for one in ALONE)], ids="-".join
)
def test_a_network_that_remembers_is_trained_tuned_and_composes(
    corpus_file: Path, tmp_path: Path, memory: dict[str, object]
) -> None:
    done = run_training(request(corpus_file, **memory), tmp_path / "run")
    bundle = Bundle.load(done.bundle)
    assert {name: getattr(bundle.options, name) for name in memory} == memory
    assert load(done.bundle).compose(bars=2, seed=1).tokens
    for algorithm in ("rloo", "q"):
        tuned = run_tuning(str(done.bundle), replace(TUNING, algorithm=algorithm), tmp_path / algorithm)
        assert Bundle.load(tuned.bundle).options == bundle.options
        assert load(tuned.bundle).compose(bars=2, seed=1).tokens


def test_a_network_that_remembers_ends_the_same_when_interrupted(corpus_file: Path, tmp_path: Path) -> None:
    asked = request(corpus_file, echoes=1, attention=4, copy_head=True, dropout=0.2)
    one, two = (run_training(asked, tmp_path / name).bundle.read_bytes() for name in ("one", "two"))
    assert one == two


def test_an_n_gram_is_trained_without_torch(corpus_file: Path, tmp_path: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from cantilena.workflows import TrainRequest, run_training
run_training(TrainRequest(corpus={str(corpus_file)!r}, model="ngram"), Path({str(tmp_path / "run")!r}))
assert "torch" not in sys.modules, "torch was imported"
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120, capture_output=True)


def test_an_n_gram_is_not_tuned(corpus_file: Path, tmp_path: Path) -> None:
    done = run_training(TrainOptions(corpus=str(corpus_file), model="ngram"), tmp_path / "run")
    with pytest.raises(UsageError, match="n-gram"):
        run_tuning(str(done.bundle), TUNING, tmp_path / "tuned")
    assert not (tmp_path / "tuned").exists()


@pytest.mark.parametrize(
    ("silly", "said"),
    [
        ({"model": "ngram", "width": 8}, "--width with --model ngram"),
        ({"model": "ngram", "learning_rate": 0.1, "core": "gru"}, "--core and --learning-rate with"),
        ({"model": "ngram", "preset": "paper"}, "--preset with"),
        ({"model": "ngram", "device": "cuda"}, "--device with"),
        ({"model": "ngram", "transpose": 6}, "--transpose with"),
        ({"model": "ngram", "order": 0}, "order 0"),
        ({"model": "ngram", "order": 17}, "order 17"),
        ({"model": "ngram", "copy_head": True, "echoes": 2}, "--echoes and --copy-head with"),
        ({"model": "ngram", "attention": 8}, "--attention with"),
        ({"model": "ngram", "blend": True}, "--blend with"),
        ({"blend": True, "order": 0}, "order 0"),
        ({"order": 5}, "--order with a network"),
        ({"model": "n-gram"}, "no model 'n-gram'"),
    ],
)
def test_flags_of_the_other_model_are_refused(silly: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        TrainOptions(corpus="tunes", **silly)  # type: ignore[arg-type]
    assert said in refused.value.text
    assert refused.value.hint


def test_too_small_a_corpus_is_one_sentence(tmp_path: Path) -> None:
    write(Melody.of([(60, 24), (62, 24)] * 8), tmp_path / "scores" / "one.mid")
    with pytest.raises(CorpusError) as refused:
        run_training(request(tmp_path / "scores"), tmp_path / "run")
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
        run_training(request(corpus_file, **silly), tmp_path / "run")
    assert refused.value.hint
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("silly", [{"counted": 1}, {"heard": 0}, {"seed": -1}, {"preset": "slow"}, {"corpus": " "}])
def test_silly_experiments_are_refused(silly: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        ReproduceOptions(**silly)  # type: ignore[arg-type]


def test_an_empty_name_is_not_the_working_folder() -> None:
    with pytest.raises(UsageError, match="no name"):
        TrainOptions(corpus="")
