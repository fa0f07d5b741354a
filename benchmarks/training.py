"""Training the paper's network with teacher forcing, against the paper's method (a window of 40, only the last step).

    python benchmarks/training.py [FOLDER OF SCORES]

Both train the same 3 x 1024 LSTM with 40 % dropout on as many events as the paper's corpus has, with the objectives and
the optimizer of `cantilena train`. An epoch of teacher forcing is timed completely; of the paper's method 20 batches,
extrapolated to an epoch. The paper's method is timed twice: cell by cell, as Keras computes an LSTM on a CPU, and with
the kernel for a whole layer, which is what `--input paper` uses. Then both train a 3 x 128 network until they have
predicted the same number of tokens, and their losses on held-out pieces are compared. The timings use random tokens,
the losses the built-in corpus or the notes and chords of the folder.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cantilena.data import ReadOptions, open_corpus, read_folder
from cantilena.models import Network, NetworkOptions, Sequences, autocast, choose_precision, likelihood
from cantilena.training import TrainingOptions, preset, train
from cantilena.training.loop import TrainState
from cantilena.training.objectives import BatchPosition, LastStepPrediction, Objective, TeacherForcing
from cantilena.workflows.data import EncodedCorpus, encode_as_events, encode_on_grid

EVENTS, PIECES, VOCABULARY = 46_250, 307, 417
LITERAL_BATCHES = 20
PROCESSOR = torch.device("cpu")


def seconds(lesson: Objective[Network], shape: NetworkOptions, precision: torch.dtype, batches: int) -> float:
    """Return the seconds of so many batches, after a warm-up batch."""
    _, options = preset("paper")
    network = Network(shape, VOCABULARY).train()
    course = TrainState(network, options)
    order = lesson.epoch(0)
    started = 0.0
    for number, batch in enumerate([order[0], *order[:batches]]):
        started = time.perf_counter() if number == 1 else started
        for loss, steps in lesson.losses(network, batch, BatchPosition(), lambda: autocast(PROCESSOR, precision)):
            course.update(loss, steps, 0.0)
    return time.perf_counter() - started


class Cells(nn.Module):
    """The paper's network cell by cell, as Keras computes it on a CPU."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.LSTMCell(below, 1024) for below in (1, 1024, 1024))
        self.head = nn.Linear(1024, VOCABULARY)

    def forward(self, numbers: Tensor) -> Tensor:
        """Return `(windows, vocabulary)` scores of `(windows, window)` numbers."""
        inputs = list(numbers.unsqueeze(-1).unbind(1))
        for layer in self.layers:
            hidden = cell = numbers.new_zeros(len(numbers), 1024)
            for step, below in enumerate(inputs):
                hidden, cell = layer(below, (hidden, cell))
                inputs[step] = F.dropout(hidden, 0.4)
        scores: Tensor = self.head(inputs[-1])
        return scores


def cell_by_cell(lesson: LastStepPrediction, batches: int) -> float:
    """Return the seconds of so many batches of windows, after a warm-up batch."""
    network = Cells()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)
    order = lesson.epoch(0)
    started = 0.0
    for number, batch in enumerate([order[0], *order[:batches]]):
        started = time.perf_counter() if number == 1 else started
        windows, targets = (torch.from_numpy(tokens) for tokens in lesson.windows(batch))
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(network(windows / VOCABULARY), targets).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    return time.perf_counter() - started


def time_epochs() -> None:
    """Print the seconds of an epoch of the 3 x 1024 network, and the ratios."""
    rng = np.random.default_rng(1)
    lengths = rng.multinomial(EVENTS, np.full(PIECES, 1 / PIECES))
    pieces = Sequences.from_tokens([rng.integers(0, VOCABULARY, length) for length in lengths])
    modern = NetworkOptions(layers=3, width=1024, embedding=256, dropout=0.4, bar_position=False, look_back=())
    literal = NetworkOptions(layers=3, width=1024, dropout=0.4, input="paper")
    _, options = preset("paper")

    last_step = LastStepPrediction(pieces, literal.window, 64, 1, VOCABULARY)
    paper_epochs = []
    for title, part in (
        ("cell by cell", cell_by_cell(last_step, LITERAL_BATCHES)),
        ("layer by layer", seconds(last_step, literal, torch.float32, LITERAL_BATCHES)),
    ):
        paper_epochs.append(part / LITERAL_BATCHES * last_step.batches_per_epoch)
        print(
            f"the paper's method, {title:14s} {part / LITERAL_BATCHES:5.2f} s per batch of 64, "
            f"{paper_epochs[-1]:,.0f} s per epoch"
        )
    every_step = TeacherForcing(options.steps, pieces, options.batch, 1)
    for precision in (torch.bfloat16, torch.float32):
        epoch = seconds(every_step, modern, precision, every_step.batches_per_epoch)
        name = str(precision).removeprefix("torch.")
        cells, layers = (f"{whole / epoch:.0f}" for whole in paper_epochs)
        speed = f"{epoch:6.1f} s per epoch of {EVENTS:,} events: {cells} and {layers} times faster"
        print(f"teacher forcing, {name:8s} {speed}")
    chosen = str(choose_precision("auto", PROCESSOR)).removeprefix("torch.")
    print(f"the default on this CPU is {chosen}; {torch.get_num_threads()} threads")


def compare_losses(material: EncodedCorpus, name: str) -> None:
    """Print held-out losses of both methods, for a 3 x 128 network and the same number of predicted tokens."""
    pieces = material.train.sequences
    count = int(np.searchsorted(np.cumsum(pieces.lengths), EVENTS)) + 1
    few = Sequences(pieces.tokens[:count], pieces.bars[:count])
    held_out, size, bars = material.test.sequences, len(material.encoding.vocabulary), material.encoding.is_timed
    held_out = Sequences(held_out.tokens[:40], held_out.bars[:40])
    look_back = NetworkOptions().look_back if bars else ()
    modern = NetworkOptions(layers=3, width=128, dropout=0.4, bar_position=bars, look_back=look_back)
    literal = NetworkOptions(layers=3, width=128, dropout=0.4, input="paper")
    epochs = 3
    print(
        f"\n3 x 128 on {name}: {few.steps:,} tokens, {epochs} epochs; nats per step of {held_out.steps:,} held-out ones"
    )
    ours = TrainingOptions(epochs=epochs, budget=0, batch=4)
    papers = replace(ours, batch=64, learning_rate=1e-3, schedule="constant")
    for title, shape, options in (("paper's method", literal, papers), ("teacher forcing", modern, ours)):
        trained = train(few, held_out, vocabulary_size=size, network=shape, training=options, quiet=True)
        loss = likelihood(trained.network, held_out).nats_per_step
        print(f"{title:16s} {loss:.3f} after {epochs * few.steps:,} predicted tokens, {trained.seconds:.0f} s")


def main() -> None:
    """Time both methods, then compare their losses."""
    time_epochs()
    if len(sys.argv) > 1:
        corpus = read_folder(Path(sys.argv[1]), ReadOptions(seconds=30.0, voice="all"))
        compare_losses(encode_as_events(corpus), Path(sys.argv[1]).name)
    else:
        compare_losses(encode_on_grid(open_corpus("tunes")), "the built-in corpus")


if __name__ == "__main__":
    main()
