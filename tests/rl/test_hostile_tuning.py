"""What tuning must bear: numbers without end, full disks, killed processes, layers that refuse their gradient."""

from __future__ import annotations

import errno
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cantilena.errors import InputError, RunError, UsageError
from cantilena.models import Bundle, Network, NetworkOptions
from cantilena.rl import (
    LEARNERS,
    PolicyOptions,
    Replay,
    TuningHistory,
    TuningOptions,
    TuningTask,
    Update,
    ValueOptions,
    WatchOptions,
    music_reward,
    next_c,
    tune,
    tune_module,
)
from cantilena.tokenizers import GridEncoding

GRID = GridEncoding()
ASKED = TuningOptions(updates=3, melodies=8, steps=16, device="cpu", watch=WatchOptions(look=0))


def network(**shape: Any) -> Network:
    return Network(NetworkOptions(**{"width": 12, "embedding": 8} | shape), 38, seed=3)


def bundle() -> Bundle:
    made = network()
    return Bundle(made.options, made.numpy_weights(), GRID.description())


@pytest.mark.parametrize(
    "silly",
    [
        {"c": 1e-30},
        {"clip": math.inf},
        {"max_norm": math.inf},
        {"max_norm": math.nan},
        {"weights": ("tonic=inf",)},
        {"weights": ("tonic=nan",)},
        {"weights": ("tonic=1e308",)},
        {"seed": -1},
        {"seed": 2**63},
    ],
)
def test_numbers_that_no_record_can_hold_are_refused(silly: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as refused:
        TuningOptions(**silly)
    assert refused.value.hint


def test_a_weight_named_self_is_a_rule_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="no rule 'self'"):
        music_reward(bundle(), TuningOptions(weights=("self=3",)))


@pytest.mark.parametrize("algorithm", ["rloo", "ppo", "q", "g"])
def test_a_tuning_that_comes_apart_is_one_sentence(algorithm: str, tmp_path: Path) -> None:
    apart = network()
    with torch.no_grad():
        apart.head.bias[3] = math.nan
    with pytest.raises(RunError, match="came apart at update 1"):
        tune_module(apart, GRID, replace(ASKED, algorithm=algorithm), folder=tmp_path)  # type: ignore[arg-type]
    assert not (tmp_path / "metrics.jsonl").exists()


def test_no_number_is_null_in_the_metrics(tmp_path: Path) -> None:
    history = TuningHistory()
    history.add(8, Update({"key": 1.0}, log_p=-1.0, kl=math.nan, entropy=math.inf, loss=0.0), 3.0)
    history.write(tmp_path / "metrics.jsonl")
    row = json.loads((tmp_path / "metrics.jsonl").read_text())
    assert (row["kl"], row["entropy"], row["log_p"]) == (None, None, -1.0)


def test_c_does_not_rise_without_end() -> None:
    c = 3.0
    for _ in range(2000):
        c = next_c(c, 9.0, TuningOptions(target_kl=0.1))
    assert c == 1e6


def test_a_replay_memory_is_no_larger_than_what_will_be_played() -> None:
    asked = replace(ASKED, algorithm="q", value=ValueOptions(replay=10**7))
    model = network()
    learner = LEARNERS["q"](
        TuningTask(
            model, network().requires_grad_(False), music_reward(bundle(), asked), asked, None, torch.Generator()
        )
    )
    assert learner.state()["replay.tokens"].shape == (0, 16)  # and a checkpoint holds what has been filled
    assert len(learner.replay.tokens) == 3 * 8  # type: ignore[attr-defined]
    tune(bundle(), asked)


def test_a_memory_is_taken_back_as_it_was_filled() -> None:
    memory, other = Replay(capacity=4, steps=2, priority=0.5), Replay(capacity=4, steps=2, priority=0.5)
    for first in (1, 4):
        memory.add(torch.arange(first, first + 3)[:, None].expand(3, 2), torch.zeros(3, 2), torch.ones(3, 2))
        memory.reprioritise(torch.arange(2), torch.tensor([2.0, 3.0]))
        other.restore(memory.state())
        assert (len(other), other.added) == (len(memory), memory.added)
        for name, tensor in memory.state().items():
            assert torch.equal(other.state()[name], tensor), name
    one, two = (some.draw(32, torch.Generator().manual_seed(1)) for some in (memory, other))
    assert torch.equal(one.tokens, two.tokens)
    assert torch.equal(one.weight, two.weight)


def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cantilena.rl.tuning._CHECKPOINT_EVERY", 0.0)

    def full(self: Path, content: bytes) -> int:
        with self.open("wb") as half:
            half.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match=r"cannot write .*checkpoint.*No space left"):
        tune(bundle(), ASKED, folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_left_is_swept_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cantilena.rl.tuning._CHECKPOINT_EVERY", 0.0)
    (tmp_path / ".checkpoint.safetensors.0a1b2c3d.draft").write_bytes(b"half")
    tune(bundle(), ASKED, folder=tmp_path, resume=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.safetensors", "metrics.jsonl"]


class LikeCudnn(nn.LSTM):
    """Gives gradients in training mode alone, as cuDNN does."""

    def forward(self, input: Tensor, hx: Any = None) -> Any:  # noqa: A002  (torch's own names)
        if torch.is_grad_enabled() and self.weight_ih_l0.requires_grad and not self.training:
            raise RuntimeError("cudnn RNN backward can only be called in training mode")
        return super().forward(input, hx)


@pytest.mark.parametrize(
    "asked",
    [
        {"algorithm": "rloo"},
        {"algorithm": "ppo", "policy": PolicyOptions(passes=1)},
        {"algorithm": "q"},
        {"algorithm": "g"},
        {"algorithm": "rejection"},
        {"algorithm": "psi", "reference_mode": True},
    ],
    ids=lambda asked: "-".join(map(str, asked.values()))[:20],
)
def test_layers_learn_in_training_mode_without_their_dropout(asked: dict[str, Any]) -> None:
    plain, strict = network(layers=2, dropout=0.5), network(layers=2, dropout=0.5)
    strict.core.__class__ = LikeCudnn
    options = replace(ASKED, **asked)
    tune_module(plain, GRID, options)
    tune_module(strict, GRID, options)
    for one, other in zip(plain.parameters(), strict.parameters(), strict=True):
        assert torch.equal(one, other)
    assert not any(layer.training for layer in strict.modules())
    assert strict.core.dropout == 0.5
