"""Several processes that train together do what one with all the pieces of a batch does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cantilena.data import load_builtin
from cantilena.models import Network, NetworkOptions, Sequences, supports_bfloat16
from cantilena.models.network.recurrence import WIDE
from cantilena.tokenizers import GridEncoding
from cantilena.training import Processes, TrainingOptions, train, transpositions
from cantilena.training import loop as course
from cantilena.training.objectives import EveryStep, LastStep, Place
from cantilena.workflows.data import encode_pieces

GRID = GridEncoding()
PLAIN = NetworkOptions(width=16, embedding=8, dropout=0.0)
OPTIONS = TrainingOptions(
    epochs=2, budget=0, batch=6, steps=32, warmup=2, learning_rate=6e-3, precision="float32", device="cpu"
)
MELODIES = load_builtin("tunes").melodies("train")[:500:8]
TUNES = Sequences.from_tokens([GRID.encode(melody) for melody in MELODIES])
PIECES, VALID = Sequences.from_tokens(TUNES.tokens[:61]), Sequences.from_tokens(TUNES.tokens[61:])  # the last batch holds one piece
KNOWN = encode_pieces(GRID, MELODIES[:61], [1 + number % 2 for number in range(61)]).sequences
TOLD = replace(PLAIN, conditions=("key", "mode", "meter", "style"), styles=("odd", "even"))
TRAININGS = {
    "plain": (PLAIN, replace(OPTIONS, epochs=1)),
    "memory": (
        replace(PLAIN, repeat_features=1, copy_head=True, attention=4),
        replace(OPTIONS, averaging=0.9, transpose=3, schedule="plateau", epochs=1),
    ),
    "told": (TOLD, replace(OPTIONS, transpose=6, forget=0.3, epochs=1)),
    "transformer": (
        replace(TOLD, core="transformer", heads=2),
        replace(OPTIONS, transpose=6, forget=0.3, epochs=1, learning_rate=1e-3),
    ),
    "paper": (NetworkOptions(input="paper", window=4, width=8, dropout=0.0), replace(OPTIONS, batch=400)),
    "wide": (replace(PLAIN, width=WIDE), replace(OPTIONS, precision="bfloat16", batch=30, epochs=1)),
    "dropout": (replace(PLAIN, layers=2, dropout=0.3), replace(OPTIONS, epochs=1)),
}


if not supports_bfloat16(torch.device("cpu"), WIDE):
    del TRAININGS["wide"]


def recorded(shape: NetworkOptions, options: TrainingOptions, **named):
    """A training, and the loss of each of its updates."""
    pieces = KNOWN if shape.conditions else PIECES if shape.width < WIDE else Sequences.from_tokens(PIECES.tokens[:20])
    losses, update = [], course.Course.update

    def noted(self, loss, steps, share):
        before = self.standing.nats
        update(self, loss, steps, share)
        losses.append((self.standing.nats - before) / steps)

    course.Course.update = noted
    try:
        table = transpositions(GRID, options.transpose) if options.transpose else None
        asked = {"vocabulary_size": 38, "network": shape, "training": options, "transpositions": table, "quiet": True}
        return train(pieces, VALID, **asked, **named), losses
    finally:
        course.Course.update = update


TOGETHER = """
import json, sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from safetensors.torch import save_file
from test_processes import TRAININGS, recorded
from cantilena.training import together
with together() as processes:
    for name, (shape, options) in [*TRAININGS.items(), ("again", TRAININGS["dropout"])]:
        made, losses = recorded(shape, replace(options, batch=options.batch // 2), processes=processes)
        path = Path(sys.argv[2]) / f"{name}.{processes.rank}"
        save_file(made.network.state_dict(), path.with_suffix(f"{path.suffix}.safetensors"))
        path.with_suffix(f"{path.suffix}.json").write_text(json.dumps({"losses": losses, "history": made.history}))
    asked = []
    made, _ = recorded(*TRAININGS["paper"], processes=processes, after_epoch=lambda *told: asked.append(told) or True)
    Path(sys.argv[2], f"ended.{processes.rank}.json").write_text(json.dumps([made.epochs, made.valid, asked]))
threads = [file.read_text() for file in Path("/proc/self/task").glob("*/comm")]  # none elsewhere than on Linux
assert not any("gloo" in name for name in threads), threads  # one that is left may abort the process as it ends
"""


def test_two_processes_follow_one_with_the_double_batch(tmp_path: Path, torchrun: Any) -> None:
    process = torchrun(tmp_path, TOGETHER, str(Path(__file__).parent), str(tmp_path))
    alone = {name: recorded(*asked) for name, asked in TRAININGS.items()}
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err

    def weights(name: str, rank: int) -> bytes:
        return (tmp_path / f"{name}.{rank}.safetensors").read_bytes()

    for name, (one, losses) in alone.items():
        zero, other = (json.loads((tmp_path / f"{name}.{rank}.json").read_text()) for rank in (0, 1))
        assert zero == other
        assert weights(name, 0) == weights(name, 1)
        assert len(zero["losses"]) == len(losses)
        if name == "dropout":
            continue
        if name == "wide":  # rounded otherwise, and yet all gradients are added up: the bytes above are the same
            np.testing.assert_allclose(zero["losses"], losses, atol=0.02, rtol=0)
            continue
        assert len(losses) >= 50
        np.testing.assert_allclose(zero["losses"][:50], losses[:50], atol=1e-4, rtol=0)
        np.testing.assert_allclose([e["valid"] for e in zero["history"]], [e["valid"] for e in one.history], atol=1e-4)
        both = load_file(tmp_path / f"{name}.0.safetensors")
        for part, weight in one.network.state_dict().items():
            torch.testing.assert_close(both[part], weight, atol=1e-4, rtol=0)
    # Only process 0 is asked whether that was the last epoch, and all end there.
    first, second = (json.loads((tmp_path / f"ended.{rank}.json").read_text()) for rank in (0, 1))
    assert first[:2] == second[:2]
    assert (first[0], first[2], second[2]) == (1, [[1, first[1]]], [])
    # Dropout leaves out other cells in each process, the same ones whenever the same two train again.
    assert weights("again", 0) == weights("dropout", 0)
    both = json.loads((tmp_path / "dropout.0.json").read_text())["losses"]
    assert both[0] != pytest.approx(alone["dropout"][1][0], abs=1e-4)
    assert both[-1] == pytest.approx(alone["dropout"][1][-1], abs=0.5)


@pytest.mark.parametrize("world", [2, 3, 8])
def test_shares_add_up_to_the_batch_part_by_part(world: int) -> None:
    pieces = Sequences.from_tokens([np.arange(length) % 38 for length in (90, 40, 33, 32, 17, 1, 1)])
    network, batch = Network(PLAIN, 38, seed=1), np.arange(7)

    def parts(rank: int, world: int):
        lesson = EveryStep(16, pieces, 7, 1, processes=Processes(rank=rank, world=world))
        return list(lesson.losses(network, batch, Place(), lambda: torch.autocast("cpu", enabled=False)))

    def gradient(losses) -> torch.Tensor:
        network.zero_grad()
        for loss, _ in losses:
            if loss.requires_grad:
                loss.backward()
        return torch.cat([weight.grad.flatten() for weight in network.parameters()])

    whole, shares = parts(0, 1), [parts(rank, world) for rank in range(world)]
    assert [count for _, count in whole] == [16 * 5 + 2, 16 * 4 + 1, 16 + 8 + 1, 16, 16, 10]
    for share in shares:
        assert [count for _, count in share] == [count for _, count in whole]
    for number, (loss, _) in enumerate(whole):
        assert sum(float(share[number][0].detach()) for share in shares) == pytest.approx(
            float(loss.detach()), abs=1e-6
        )
    last = [share[-1][0].requires_grad for share in shares]
    assert last == [True] + [False] * (world - 1)  # only the longest piece goes on to the end
    expected = gradient(parts(0, 1))
    torch.testing.assert_close(
        sum(gradient(parts(rank, world)) for rank in range(min(world, 7))), expected, atol=1e-6, rtol=1e-5
    )


def test_windows_are_shared_too_and_one_without_any_still_answers() -> None:
    pieces, network = Sequences.from_tokens([[1, 2, 3]]), Network(TRAININGS["paper"][0], 38)
    found = []
    for rank in range(4):
        lesson = LastStep(pieces, 4, 8, 1, 38, Processes(rank=rank, world=4))
        found += lesson.losses(network, lesson.epoch(0)[0], Place(), lambda: torch.autocast("cpu", enabled=False))
    assert [count for _, count in found] == [3] * 4
    assert [loss.requires_grad for loss, _ in found] == [True, True, True, False]
