"""Training: it learns, stops early, keeps the best weights, and resumes bit-identically."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cantilena.errors import CorpusError, RunError, UsageError
from cantilena.models import Network, NetworkOptions, Sequences, likelihood, supports_bfloat16, to_numpy
from cantilena.models.network.recurrence import WIDE
from cantilena.training import TrainingOptions, loop, train
from cantilena.training.checkpointing import save_checkpoint
from cantilena.training.loop import CHECKPOINT, METRICS, learning_rate

SHAPE = NetworkOptions(width=12, embedding=8, look_back=(1,), dropout=0.2)
OPTIONS = TrainingOptions(epochs=3, batch=4, steps=16, checkpoint_seconds=0.0, learning_rate=0.02, warmup=2)


def scales(pieces, seed):
    """Pieces that go up and down a scale of six from a random step: easy to learn, hard to guess."""
    rng = np.random.default_rng(seed)
    wave = [0, 1, 2, 3, 4, 5, 4, 3, 2, 1]
    return Sequences.from_tokens(
        [np.roll(np.tile(wave, 6), rng.integers(10))[: rng.integers(20, 60)] for _ in range(pieces)]
    )


TRAIN, VALID = scales(24, 1), scales(6, 2)


def trained(**named):
    options = replace(OPTIONS, **{name: value for name, value in named.items() if hasattr(OPTIONS, name)})
    rest = {name: value for name, value in named.items() if not hasattr(OPTIONS, name)}
    return train(TRAIN, VALID, vocabulary_size=6, training=options, quiet=True, **{"network": SHAPE, **rest})


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """An uninterrupted training and its folder."""
    folder = tmp_path_factory.mktemp("whole")
    return trained(folder=folder), folder


@pytest.fixture
def interrupt(monkeypatch):
    """Interrupts a training after a number of checkpoints, or updates: `interrupt(after, folder=.., **options)`."""

    def interrupted(after, **named):
        done = 0

        def save(*arguments):
            nonlocal done
            save_checkpoint(*arguments)
            done += 1
            if done == after:
                raise KeyboardInterrupt

        monkeypatch.setattr(loop, "save_checkpoint", save)
        with pytest.raises(KeyboardInterrupt):
            trained(**named)
        monkeypatch.undo()

    return interrupted


def same(one: Network, other: Network) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.quick_cases(3)
@pytest.mark.parametrize(
    ("core", "precision"),
    [
        *((core, "float32") for core in ("lstm", "gru", "rnn", "transformer")),
        *(pytest.param(core, "bfloat16", marks=pytest.mark.e2e) for core in ("gru", "rnn")),
        *((core, "bfloat16") for core in ("lstm", "transformer")),
    ],
)
def test_every_core_learns(core, precision):
    if precision == "bfloat16" and not supports_bfloat16(torch.device("cpu")):
        with pytest.raises(UsageError, match="bfloat16"):
            trained(epochs=1, precision=precision)
        pytest.skip("this processor has no recurrent kernel for bfloat16")
    shape = NetworkOptions(core=core, width=24, embedding=16, bar_position=False, look_back=(), dropout=0.0)
    result = trained(network=shape, epochs=8, precision=precision)
    assert result.valid < 0.25  # a uniform guess: ln 6 = 1.79; only the first step is unknown
    assert result.valid == pytest.approx(likelihood(result.network, VALID).nats_per_step)
    assert result.valid == min(entry["valid"] for entry in result.history)
    assert not result.network.training


def test_last_step_prediction_learns():
    shape = NetworkOptions(input="paper", window=4, width=24, dropout=0.0)
    result = trained(network=shape, epochs=6, batch=16)
    assert result.valid < 1.2
    assert len(result.history) == result.epochs == 6


def test_the_seed_determines_the_result_and_the_global_generator_is_unchanged(whole):
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    again, other = trained(), trained(seed=2)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert same(whole[0].network, again.network)
    assert whole[0].history == again.history
    assert not same(again.network, other.network)


def test_early_stopping_keeps_the_best_weights():
    noise = Sequences.from_tokens([np.random.default_rng(piece).integers(0, 6, 30) for piece in range(12)])
    rest = Sequences.from_tokens([np.random.default_rng(piece).integers(0, 6, 30) for piece in range(50, 56)])
    options = replace(OPTIONS, epochs=200, patience=3, schedule="plateau", learning_rate=0.05)
    result = train(noise, rest, vocabulary_size=6, network=SHAPE, training=options, quiet=True)
    assert result.epochs < 40
    assert result.epochs == result.best_epoch + 3
    assert result.history[-1]["learning_rate"] < result.history[result.best_epoch - 1]["learning_rate"]
    assert likelihood(result.network, rest).nats_per_step == pytest.approx(result.valid)


def test_a_callback_may_stop_the_training(whole):
    calls = []

    def stop(epoch, loss):
        calls.append((epoch, loss))
        return epoch == 2

    stopped = trained(after_epoch=stop)
    assert stopped.epochs == 2
    assert stopped.history == whole[0].history[:2]
    assert calls == [(entry["epoch"], entry["valid"]) for entry in whole[0].history[:2]]
    assert same(trained(after_epoch=lambda *_: False).network, whole[0].network)


def test_the_moving_average_is_evaluated_and_kept(whole, tmp_path):
    averaged = trained(ema_decay=0.9, folder=tmp_path)
    assert likelihood(averaged.network, VALID).nats_per_step == pytest.approx(averaged.valid)
    assert not same(averaged.network, whole[0].network)
    assert same(averaged.network, trained(ema_decay=0.9, folder=tmp_path, resume=True).network)


def test_metrics_have_a_line_for_each_epoch(whole):
    result, folder = whole
    lines = [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]
    assert tuple(lines) == result.history
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert set(lines[0]) == {"epoch", "updates", "train", "valid", "learning_rate"}


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("checkpoints", [1, 6, 7, 18, *(pytest.param(many, marks=pytest.mark.e2e) for many in (5, 17))])
def test_a_training_resumes_from_any_batch(whole, tmp_path, interrupt, checkpoints):
    interrupt(checkpoints, folder=tmp_path)  # three epochs of six batches, a checkpoint after each batch
    draft = tmp_path / f".{CHECKPOINT}.0123abcd.draft"
    draft.write_bytes(b"half")  # as a killed process leaves it
    result = trained(folder=tmp_path, resume=True)
    assert same(result.network, whole[0].network)
    assert result.history == whole[0].history
    assert (tmp_path / METRICS).read_bytes() == (whole[1] / METRICS).read_bytes()
    assert not draft.exists()


def test_a_transformer_resumes(tmp_path, interrupt):
    options = {
        "network": NetworkOptions(core="transformer", layers=2, width=12, embedding=8, dropout=0.2, max_context=20),
        "ema_decay": 0.5,
    }
    uninterrupted = trained(**options)
    interrupt(8, **options, folder=tmp_path)  # in the second of three epochs of six batches
    result = trained(**options, folder=tmp_path, resume=True)
    assert same(result.network, uninterrupted.network)
    assert result.history == uninterrupted.history


@pytest.mark.e2e
def test_a_wide_network_in_bfloat16_resumes(tmp_path, interrupt):
    if not supports_bfloat16(torch.device("cpu")):
        pytest.skip("this processor has no recurrent kernel for bfloat16")
    wide = NetworkOptions(layers=2, width=WIDE, embedding=8, look_back=(1,), dropout=0.2)
    options = {"network": wide, "epochs": 1, "precision": "bfloat16"}
    uninterrupted = trained(**options)
    interrupt(3, **options, folder=tmp_path)
    assert same(uninterrupted.network, trained(**options, folder=tmp_path, resume=True).network)


PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_loop import OPTIONS, SHAPE, TRAIN, VALID
from cantilena.training import train
train(TRAIN, VALID, vocabulary_size=6, network=SHAPE, training=OPTIONS, folder=Path(sys.argv[2]), resume=True)
"""


@pytest.mark.e2e
def test_a_killed_training_resumes(whole, tmp_path):
    command = [sys.executable, "-c", PROGRAM, str(Path(__file__).parent), str(tmp_path)]
    checkpoint, statuses = tmp_path / CHECKPOINT, set()
    for _ in range(2):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ.copy())
        until = time.monotonic() + 60
        stamp = checkpoint.stat().st_mtime_ns if checkpoint.exists() else None
        while time.monotonic() < until and process.poll() is None:
            if checkpoint.exists() and checkpoint.stat().st_mtime_ns != stamp:
                break
            time.sleep(0.0005)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        statuses.add(process.returncode)
    assert -signal.SIGKILL in statuses
    result = trained(folder=tmp_path, resume=True)
    assert same(result.network, whole[0].network)
    assert (tmp_path / METRICS).read_bytes() == (whole[1] / METRICS).read_bytes()


def test_checkpoints_of_other_trainings_are_refused(tmp_path):
    trained(folder=tmp_path, epochs=1)
    with pytest.raises(RunError, match="other options"):
        trained(folder=tmp_path, epochs=1, resume=True, learning_rate=0.01)
    with pytest.raises(RunError, match="other options"):
        train(
            VALID,
            TRAIN,
            vocabulary_size=6,
            network=SHAPE,
            training=replace(OPTIONS, epochs=1),
            folder=tmp_path,
            resume=True,
            quiet=True,
        )
    content = (tmp_path / CHECKPOINT).read_bytes()
    for damaged in (b"", content[:100], content[: len(content) // 2], b"\x80\x04pickle"):
        (tmp_path / CHECKPOINT).write_bytes(damaged)
        with pytest.raises(RunError, match="damaged"):
            trained(folder=tmp_path, epochs=1, resume=True)
    restarted = trained(folder=tmp_path, epochs=1)
    assert same(restarted.network, trained(folder=tmp_path, epochs=1, resume=True).network)


def test_an_empty_corpus_and_an_infinite_loss_are_reported():
    with pytest.raises(CorpusError, match="no training pieces"):
        train(Sequences.from_tokens([]), VALID, vocabulary_size=6, quiet=True)
    with pytest.raises(RunError, match="NaN or infinite"):
        trained(learning_rate=10.0, clip=1e6, epochs=200, patience=1000, schedule="constant", weight_decay=10.0)


def test_the_learning_rate_warms_up_and_anneals():
    options = TrainingOptions(learning_rate=1.0, warmup=9)
    assert learning_rate(options, 0, 0.0, 0) == pytest.approx(0.1)
    assert learning_rate(options, 9, 0.0, 0) == pytest.approx(1.0)
    assert learning_rate(options, 99, 1.0, 0) == pytest.approx(0.01)
    assert learning_rate(replace(options, schedule="plateau"), 99, 0.5, 2) == pytest.approx(0.25)


def test_likelihood_counts_every_step_and_every_onset():
    model, pieces = Network(SHAPE, 6, seed=1).eval(), VALID.tokens
    onsets = [piece % 2 == 0 for piece in pieces]
    result = likelihood(model, VALID, onsets)
    log_p = [
        to_numpy(model.log_probs(piece[None], bars=VALID.bars[[row]]))[0] for row, piece in enumerate(VALID.tokens)
    ]
    by_hand = [
        -sum(float(rows[step, token]) for step, token in enumerate(piece))
        for rows, piece in zip(log_p, pieces, strict=True)
    ]
    np.testing.assert_allclose(result.nats, by_hand, rtol=1e-4)
    assert result.nats_per_step == pytest.approx(sum(by_hand) / sum(map(len, pieces)), rel=1e-4)
    assert result.nats_per_note == pytest.approx(sum(by_hand) / sum(int(piece.sum()) for piece in onsets), rel=1e-4)
    with pytest.raises(CorpusError):
        likelihood(model, Sequences.from_tokens([]))
