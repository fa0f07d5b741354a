"""Training the paper's network: every step predicted, against the paper's own way (a window of 40, the last step only).

    python benchmarks/training.py [FOLDER OF SCORES]

Both sides train the same 3 x 1024 LSTM with 40 % dropout on as many events as the paper's corpus has, through the
product's own lessons and optimizer. An epoch of the one is timed whole; of the other 20 batches, scaled to the epoch.
The paper's way is timed twice: one cell after the other, as Keras computes an LSTM on a processor, and through the
kernel that computes a whole layer at once, which is what `--input paper` does here. Then both ways learn at 3 x 128
until they have predicted equally many tokens, and are compared on pieces held out. Timing depends on sizes alone, so
its tokens are random; the losses are of the built-in corpus, or of the folder's notes and chords.
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
from cantilena.training.loop import Course
from cantilena.training.objectives import EveryStep, LastStep, Lesson, Place
from cantilena.workflows.data import EncodedCorpus, encode_as_events, encode_on_grid

EVENTS, PIECES, VOCABULARY = 46_250, 307, 417
LITERAL_BATCHES = 20
PROCESSOR = torch.device("cpu")


def seconds(lesson: Lesson[Network], shape: NetworkOptions, precision: torch.dtype, batches: int) -> float:
    """How long so many batches take, after one that is not counted."""
    _, options = preset("paper")
    network = Network(shape, VOCABULARY).train()
    course = Course(network, options)
    order = lesson.epoch(0)
    started = 0.0
    for number, batch in enumerate([order[0], *order[:batches]]):
        started = time.perf_counter() if number == 1 else started
        for loss, steps in lesson.losses(network, batch, Place(), lambda: autocast(PROCESSOR, precision)):
            course.update(loss, steps, 0.0)
    return time.perf_counter() - started


class Cells(nn.Module):
    """The paper's network one cell after the other, as Keras computes it on a processor."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.LSTMCell(below, 1024) for below in (1, 1024, 1024))
        self.head = nn.Linear(1024, VOCABULARY)

    def forward(self, numbers: Tensor) -> Tensor:
        """`(windows, vocabulary)` scores for `(windows, window)` numbers."""
        told = list(numbers.unsqueeze(-1).unbind(1))
        for layer in self.layers:
            hidden = cell = numbers.new_zeros(len(numbers), 1024)
            for step, below in enumerate(told):
                hidden, cell = layer(below, (hidden, cell))
                told[step] = F.dropout(hidden, 0.4)
        scores: Tensor = self.head(told[-1])
        return scores


def cell_by_cell(lesson: LastStep, batches: int) -> float:
    """How long so many batches of windows take, after one that is not counted."""
    network = Cells()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)
    order = lesson.epoch(0)
    started = 0.0
    for number, batch in enumerate([order[0], *order[:batches]]):
        started = time.perf_counter() if number == 1 else started
        seen, following = (torch.from_numpy(tokens) for tokens in lesson.windows(batch))
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(network(seen / VOCABULARY), following).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    return time.perf_counter() - started


def time_epochs() -> None:
    """Print the seconds of an epoch at 3 x 1024, and the ratios."""
    rng = np.random.default_rng(1)
    lengths = rng.multinomial(EVENTS, np.full(PIECES, 1 / PIECES))
    pieces = Sequences.of([rng.integers(0, VOCABULARY, length) for length in lengths])
    modern = NetworkOptions(layers=3, width=1024, embedding=256, dropout=0.4, bar_position=False, look_back=())
    literal = NetworkOptions(layers=3, width=1024, dropout=0.4, input="paper")
    _, options = preset("paper")

    last_step = LastStep(pieces, literal.window, 64, 1, VOCABULARY)
    wholes = []
    for title, part in (
        ("cell by cell", cell_by_cell(last_step, LITERAL_BATCHES)),
        ("layer by layer", seconds(last_step, literal, torch.float32, LITERAL_BATCHES)),
    ):
        wholes.append(part / LITERAL_BATCHES * last_step.each_epoch)
        print(
            f"the paper's way, {title:14s} {part / LITERAL_BATCHES:5.2f} s a batch of 64, {wholes[-1]:,.0f} s an epoch"
        )
    every_step = EveryStep(options.steps, pieces, options.batch, 1)
    for precision in (torch.bfloat16, torch.float32):
        epoch = seconds(every_step, modern, precision, every_step.each_epoch)
        name = str(precision).removeprefix("torch.")
        cells, layers = (f"{whole / epoch:.0f}" for whole in wholes)
        print(f"every step, {name:8s} {epoch:6.1f} s an epoch of {EVENTS:,} events: {cells} and {layers} times faster")
    chosen = str(choose_precision("auto", PROCESSOR)).removeprefix("torch.")
    print(f"this processor's own choice is {chosen}; {torch.get_num_threads()} threads")


def compare_losses(material: EncodedCorpus, name: str) -> None:
    """Print the held-out loss of both ways at 3 x 128 after equal numbers of predicted tokens."""
    pieces = material.train.sequences
    enough = int(np.searchsorted(np.cumsum(pieces.lengths), EVENTS)) + 1
    few = Sequences(pieces.tokens[:enough], pieces.bars[:enough])
    held_out, size, bars = material.test.sequences, len(material.encoding.vocabulary), material.encoding.tells_time
    held_out = Sequences(held_out.tokens[:40], held_out.bars[:40])
    look_back = NetworkOptions().look_back if bars else ()
    modern = NetworkOptions(layers=3, width=128, dropout=0.4, bar_position=bars, look_back=look_back)
    literal = NetworkOptions(layers=3, width=128, dropout=0.4, input="paper")
    epochs = 3
    print(f"\n3 x 128 on {name}: {few.steps:,} tokens, {epochs} times; nats a step on {held_out.steps:,} held out")
    ours = TrainingOptions(epochs=epochs, budget=0, batch=4)
    papers = replace(ours, batch=64, learning_rate=1e-3, schedule="constant")
    for title, shape, options in (("the paper's way", literal, papers), ("every step", modern, ours)):
        trained = train(few, held_out, vocabulary_size=size, network=shape, training=options, quiet=True)
        loss = likelihood(trained.network, held_out).nats_per_step
        print(f"{title:16s} {loss:.3f} after {epochs * few.steps:,} predicted tokens, {trained.seconds:.0f} s")


def main() -> None:
    """Time both ways, then compare what they have learned."""
    time_epochs()
    if len(sys.argv) > 1:
        corpus = read_folder(Path(sys.argv[1]), ReadOptions(seconds=30.0, voice="all"))
        compare_losses(encode_as_events(corpus), Path(sys.argv[1]).name)
    else:
        compare_losses(encode_on_grid(open_corpus("tunes")), "the built-in corpus")


if __name__ == "__main__":
    main()
