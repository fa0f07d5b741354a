"""Training: it learns, stops, keeps the best, and goes on after a kill as if nothing had happened."""

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
from cantilena.models import Network, NetworkOptions, NGram, NGramOptions, Sequences, supports_bfloat16, likelihood
from cantilena.models.network.recurrence import WIDE
from cantilena.training import TrainingOptions, loop, preset, train
from cantilena.training import loop as keeping
from cantilena.training.checkpointing import save_checkpoint
from cantilena.training.loop import CHECKPOINT, METRICS, learning_rate

SHAPE = NetworkOptions(width=12, embedding=8, look_back=(1,), dropout=0.2)
OPTIONS = TrainingOptions(epochs=3, batch=4, steps=16, checkpoint_seconds=0.0, learning_rate=0.02, warmup=2)


def scales(pieces, seed):
    """Pieces that go up and down a scale of six from a random place: easy to learn, hard to guess."""
    rng = np.random.default_rng(seed)
    wave = [0, 1, 2, 3, 4, 5, 4, 3, 2, 1]
    return Sequences.from_tokens([np.roll(np.tile(wave, 6), rng.integers(10))[: rng.integers(20, 60)] for _ in range(pieces)])


TRAIN, VALID = scales(24, 1), scales(6, 2)


def trained(**named):
    options = replace(OPTIONS, **{name: value for name, value in named.items() if hasattr(OPTIONS, name)})
    rest = {name: value for name, value in named.items() if not hasattr(OPTIONS, name)}
    return train(TRAIN, VALID, vocabulary_size=6, training=options, quiet=True, **{"network": SHAPE, **rest})


def same(one: Network, other: Network) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("core", ["lstm", "gru", "rnn", "transformer"])
def test_it_learns_what_is_there_to_learn(core, precision):
    if precision == "bfloat16" and not supports_bfloat16(torch.device("cpu")):
        with pytest.raises(UsageError, match="bfloat16"):
            trained(epochs=1, precision=precision)
        pytest.skip("this processor has no recurrent kernel for bfloat16")
    shape = NetworkOptions(core=core, width=24, embedding=16, bar_position=False, look_back=(), dropout=0.0)
    result = trained(network=shape, epochs=12, precision=precision)
    assert result.valid < 0.25  # evens: ln 6 = 1.79; only where a piece starts is unknown
    assert result.valid == pytest.approx(likelihood(result.network, VALID).nats_per_step)
    assert result.valid == min(entry["valid"] for entry in result.history)
    assert not result.network.training


def test_the_papers_way_learns_too():
    shape = NetworkOptions(input="paper", window=4, width=24, dropout=0.0)
    result = trained(network=shape, epochs=6, batch=16)
    assert result.valid < 1.2
    assert len(result.history) == 6


def test_the_seed_decides_and_the_global_generator_is_left_alone():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    one, two, other = trained(), trained(), trained(seed=2)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert same(one.network, two.network)
    assert one.history == two.history
    assert not same(one.network, other.network)


def test_it_stops_when_the_held_out_loss_stops_falling_and_keeps_the_best():
    noise = Sequences.from_tokens([np.random.default_rng(piece).integers(0, 6, 30) for piece in range(12)])
    rest = Sequences.from_tokens([np.random.default_rng(piece).integers(0, 6, 30) for piece in range(50, 56)])
    options = replace(OPTIONS, epochs=200, patience=3, schedule="plateau", learning_rate=0.05)
    result = train(noise, rest, vocabulary_size=6, network=SHAPE, training=options, quiet=True)
    assert result.epochs < 40
    assert result.epochs == result.best_epoch + 3
    assert result.history[-1]["learning_rate"] < result.history[result.best_epoch - 1]["learning_rate"]
    assert likelihood(result.network, rest).nats_per_step == pytest.approx(result.valid)


def test_whoever_is_told_of_each_epoch_may_end_it_there():
    heard = []

    def tell(epoch, loss):
        heard.append((epoch, loss))
        return epoch == 2

    whole, halted = trained(), trained(after_epoch=tell)
    assert halted.epochs == 2
    assert halted.history == whole.history[:2]
    assert heard == [(entry["epoch"], entry["valid"]) for entry in whole.history[:2]]
    assert same(trained(after_epoch=lambda *_: False).network, whole.network)


def test_averaged_weights_are_what_is_measured_and_kept(tmp_path):
    whole = trained(averaging=0.9, folder=tmp_path / "a")
    assert likelihood(whole.network, VALID).nats_per_step == pytest.approx(whole.valid)
    assert not same(whole.network, trained().network)
    assert same(whole.network, trained(averaging=0.9, folder=tmp_path / "a", resume=True).network)


def test_a_wide_network_in_bfloat16_goes_on_to_the_identical_network(tmp_path, monkeypatch):
    if not supports_bfloat16(torch.device("cpu")):
        pytest.skip("this processor has no recurrent kernel for bfloat16")
    wide = NetworkOptions(layers=2, width=WIDE, embedding=8, look_back=(1,), dropout=0.2)
    asked = {"network": wide, "epochs": 1, "precision": "bfloat16"}
    whole = trained(**asked)
    updates, update = 0, loop.Course.update

    def stopped(course, loss, steps, share):
        nonlocal updates
        updates += 1
        if updates == 10:
            raise KeyboardInterrupt
        update(course, loss, steps, share)

    monkeypatch.setattr(loop.Course, "update", stopped)
    with pytest.raises(KeyboardInterrupt):
        trained(**asked, folder=tmp_path)
    monkeypatch.undo()
    assert (tmp_path / CHECKPOINT).exists()
    assert same(whole.network, trained(**asked, folder=tmp_path, resume=True).network)


def test_metrics_are_a_line_an_epoch(tmp_path):
    result = trained(folder=tmp_path)
    lines = [json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines()]
    assert tuple(lines) == result.history
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert set(lines[0]) == {"epoch", "updates", "train", "valid", "learning_rate"}


PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_train import OPTIONS, SHAPE, TRAIN, VALID
from cantilena.training import train
train(TRAIN, VALID, vocabulary_size=6, network=SHAPE, training=OPTIONS, folder=Path(sys.argv[2]), resume=True)
print("done")
"""


@pytest.mark.slow  # cli/test_interrupted.py kills one too
def test_a_killed_training_goes_on_to_the_identical_network(tmp_path):
    whole = trained(folder=tmp_path / "whole")
    command = [sys.executable, "-c", PROGRAM, str(Path(__file__).parent), str(tmp_path / "killed")]
    checkpoint, seen = tmp_path / "killed" / CHECKPOINT, set()
    for _ in range(2):  # kill it twice, at other moments each
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ.copy())
        until = time.monotonic() + 60
        stamp = checkpoint.stat().st_mtime_ns if checkpoint.exists() else None
        while time.monotonic() < until and process.poll() is None:
            if checkpoint.exists() and checkpoint.stat().st_mtime_ns != stamp:
                break
            time.sleep(0.0005)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        seen.add(process.returncode)
    assert -signal.SIGKILL in seen
    half_written = tmp_path / "killed" / f".{CHECKPOINT}.0123abcd.draft"
    half_written.write_bytes(b"half")
    result = trained(folder=tmp_path / "killed", resume=True)
    assert not half_written.exists()
    assert same(result.network, whole.network)
    assert result.history == whole.history
    assert (tmp_path / "killed" / METRICS).read_bytes() == (tmp_path / "whole" / METRICS).read_bytes()


@pytest.mark.parametrize("checkpoints", [1, 5, 6, 7, 17, 18])
def test_an_interruption_after_any_batch_leaves_no_trace(tmp_path, monkeypatch, checkpoints):
    whole = trained(folder=tmp_path / "whole")  # three epochs of six batches, a checkpoint after each batch
    done = 0

    def interrupted(*arguments):
        nonlocal done
        save_checkpoint(*arguments)
        done += 1
        if done == checkpoints:
            raise KeyboardInterrupt

    monkeypatch.setattr(keeping, "save_checkpoint", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trained(folder=tmp_path / "stopped")
    monkeypatch.undo()
    result = trained(folder=tmp_path / "stopped", resume=True)
    assert same(result.network, whole.network)
    assert result.history == whole.history
    assert (tmp_path / "stopped" / METRICS).read_bytes() == (tmp_path / "whole" / METRICS).read_bytes()


def test_an_interrupted_transformer_goes_on_to_the_identical_network(tmp_path, monkeypatch):
    shape = NetworkOptions(core="transformer", layers=2, width=12, embedding=8, dropout=0.2, max_context=20)
    whole = trained(network=shape, averaging=0.5, folder=tmp_path / "whole")
    done = 0

    def interrupted(*arguments):
        nonlocal done
        save_checkpoint(*arguments)
        done += 1
        if done == 8:  # in the second of three epochs of six batches
            raise KeyboardInterrupt

    monkeypatch.setattr(keeping, "save_checkpoint", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trained(network=shape, averaging=0.5, folder=tmp_path / "stopped")
    monkeypatch.undo()
    result = trained(network=shape, averaging=0.5, folder=tmp_path / "stopped", resume=True)
    assert same(result.network, whole.network)
    assert result.history == whole.history


def test_checkpoints_of_other_trainings_are_refused(tmp_path):
    trained(folder=tmp_path)
    with pytest.raises(RunError, match="other options"):
        trained(folder=tmp_path, resume=True, learning_rate=0.01)
    with pytest.raises(RunError, match="other options"):
        train(
            VALID, TRAIN, vocabulary_size=6, network=SHAPE, training=OPTIONS, folder=tmp_path, resume=True, quiet=True
        )
    content = (tmp_path / CHECKPOINT).read_bytes()
    for damaged in (b"", content[:100], content[: len(content) // 2], b"\x80\x04pickle"):
        (tmp_path / CHECKPOINT).write_bytes(damaged)
        with pytest.raises(RunError, match="damaged"):
            trained(folder=tmp_path, resume=True)
    started_anew = trained(folder=tmp_path)
    assert same(started_anew.network, trained(folder=tmp_path, resume=True).network)


def test_nothing_to_learn_and_a_loss_that_is_no_number_are_said_plainly():
    with pytest.raises(CorpusError):
        train(Sequences.from_tokens([]), VALID, vocabulary_size=6, quiet=True)
    with pytest.raises(RunError, match="astray"):
        trained(learning_rate=10.0, clip=1e6, epochs=200, patience=1000, schedule="constant", weight_decay=10.0)


@pytest.mark.parametrize(
    "wrong",
    [{"epochs": 0}, {"batch": 0}, {"learning_rate": float("nan")}, {"schedule": "x"}, {"precision": "int8"},
     {"transpose": 99}, {"averaging": 1.0}, {"seed": -1}],
)  # fmt: skip
def test_impossible_options_are_refused_with_advice(wrong):
    with pytest.raises(UsageError) as caught:
        TrainingOptions(**wrong)
    assert caught.value.hint


def test_presets():
    network, options = preset("paper")
    assert (network.layers, network.width, network.dropout) == (3, 1024, 0.4)
    assert (options.batch, options.epochs) == (16, 200)
    assert preset("quick")[0].width == 128
    with pytest.raises(UsageError):
        preset("huge")


def test_the_learning_rate_warms_up_and_comes_down():
    options = TrainingOptions(learning_rate=1.0, warmup=9)
    assert learning_rate(options, 0, 0.0, 0) == pytest.approx(0.1)
    assert learning_rate(options, 9, 0.0, 0) == pytest.approx(1.0)
    assert learning_rate(options, 99, 1.0, 0) == pytest.approx(0.01)
    assert learning_rate(replace(options, schedule="plateau"), 99, 0.5, 2) == pytest.approx(0.25)


def test_likelihood_counts_every_step_and_every_onset():
    model = NGram.fit(TRAIN.tokens, 6, NGramOptions(order=3))
    onsets = [piece % 2 == 0 for piece in VALID.tokens]
    found = likelihood(model, VALID, onsets)
    by_hand = [
        -sum(model.log_probs(piece[None])[0, step, token] for step, token in enumerate(piece)) for piece in VALID.tokens
    ]
    np.testing.assert_allclose(found.nats, by_hand)
    assert found.nats_per_step == pytest.approx(sum(by_hand) / sum(map(len, VALID.tokens)))
    assert found.nats_per_note == pytest.approx(sum(by_hand) / sum(int(piece.sum()) for piece in onsets))
    with pytest.raises(CorpusError):
        likelihood(model, Sequences.from_tokens([]))
