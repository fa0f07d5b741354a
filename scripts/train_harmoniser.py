"""Train the model of `cantilena harmonise` on Bach's chorales and on songs with piano, and measure it beside people's.

    python scripts/train_harmoniser.py --lieder CORPUS --scores DIR [--leave-out FILE] [--out FILE]

Chords are those that `cantilena chords` infers from all parts of a score. The songs of `--leave-out` (the index of
people's analyses: an analysis and a score a line, divided by a tab) are not learned from. What is printed is the
agreement on held-out works, beside a hidden Markov model that explains the notes of each beat by its chord alone.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cantilena.data import Corpus, chorale_voices, chords_of_score, load_builtin
from cantilena.io import read_score
from cantilena.models.harmony.harmoniser import FEATURES, Beats, Harmoniser, _Chain
from cantilena.models.harmony.options import Style
from cantilena.music import Chord, ChordTrack, Key, Melody, find_key, infer_chords
from cantilena.runtime import generator, log, progress

LABELS = 120
"""The most chords that a model keeps."""
HIDDEN = 96
CHUNK, BATCH = 96, 32
"""Beats and pieces of a batch."""


@dataclass(frozen=True)
class Example:
    """A melody with people's chords.

    Args:
        melody: of the score.
        chords: as inferred from all its parts.
        style: the music that it belongs to.
        split: `train`, `valid` or `test`.
    """

    melody: Melody
    chords: ChordTrack
    style: Style
    split: str

    @property
    def key(self) -> Key:
        """The key of the melody."""
        return self.melody.key or find_key(self.melody) or Key()


def chorales() -> list[Example]:
    """The sopranos of the built-in chorales with the chords of all voices."""
    corpus = load_builtin("chorales")
    splits = dict(zip(corpus.column("source"), corpus.column("split"), strict=True))
    made = []
    for voices in chorale_voices(corpus):
        sopranos = [voice for voice in voices if voice.source.endswith("#soprano")]
        if len(voices) >= 4 and sopranos:
            melody = sopranos[0]
            notes = [(p, n.onset, n.duration) for voice in voices for n in voice.sounding for p in n.pitches]
            pitch, onset, duration = np.array(notes, dtype=np.int64).T
            track = infer_chords(
                pitch, onset, duration, melody.meter, pickup=melody.pickup, length=melody.length, key=melody.key,
                every="beat",
            )  # fmt: skip
            made.append(Example(melody, track.between(0, melody.length), "chorale", splits[melody.source]))
    return made


def lieder(corpus: Corpus, scores: Path, leave_out: Path | None) -> list[Example]:
    """The voices of songs with the chords of all parts; songs that people analysed are for testing alone."""
    analysed = {line.split("\t")[1] for line in leave_out.read_text("utf-8").splitlines()} if leave_out else set()
    made = []
    with progress("Reading scores", total=len(corpus), unit="songs") as bar:
        for melody, split in zip(corpus, corpus.column("split"), strict=True):
            name = melody.source.partition("#")[0]
            found = chords_of_score(read_score(scores / name)[0], every="beat")
            held = any(name.endswith(one) for one in analysed)
            made.append(Example(melody, found.track.between(0, melody.length), "lied", "test" if held else split))
            bar.advance()
    return made


@dataclass(frozen=True)
class Encoded:
    """An example as arrays: beats, and `(beats,)` labels, -1 where no chord sounds."""

    beats: Beats
    labels: NDArray[np.int64]


def encoded(example: Example, model: Harmoniser) -> Encoded:
    """An example as arrays; the chord of a beat is the one that sounds longest in it."""
    beats = Beats.of_melody(example.melody, example.key, example.style)
    labels = np.full(len(beats.classes), -1)
    for number, (start, end) in enumerate(zip(beats.ticks[:-1], beats.ticks[1:], strict=True)):
        inside = example.chords.between(int(start), int(end))
        if inside and end > start:
            _, _, chord = max(inside.spans(int(end - start)), key=lambda span: span[1])
            labels[number] = model.label_of(chord, example.key)
    return Encoded(beats, labels)


def labels_of(examples: Sequence[Example]) -> tuple[Chord, ...]:
    """The chords relative to the tonic that sound longest in all, root positions of each first."""
    ticks: Counter[Chord] = Counter()
    for example in examples:
        for _, duration, chord in example.chords.spans(example.melody.length):
            if chord.root is not None:
                ticks[chord.transposed(-example.key.tonic)] += duration
    return tuple(chord for chord, _ in ticks.most_common(LABELS))


class Field(nn.Module):
    """The conditional random field in torch."""

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.hidden, self.scores = nn.Linear(FEATURES, HIDDEN), nn.Linear(HIDDEN, labels)
        self.pairs, self.change = nn.Parameter(torch.zeros(labels, labels)), nn.Parameter(torch.zeros(3))
        self.dropout = nn.Dropout(0.3)

    def loss(self, features: Tensor, classes: Tensor, labels: Tensor, known: Tensor) -> Tensor:
        """Mean nats a beat.

        Args:
            features: `(pieces, beats, FEATURES)`.
            classes: `(pieces, beats)`.
            labels: `(pieces, beats)`.
            known: `(pieces, beats)`, false for padding.
        """
        u = self.scores(self.dropout(torch.tanh(self.hidden(self.dropout(features)))))
        other = 1.0 - torch.eye(len(self.pairs))
        tables = torch.stack([self.pairs + self.change[number] * other for number in range(3)])
        weights = tables.exp()
        total = u[:, 0]
        gold = u[:, 0].gather(1, labels[:, :1])[:, 0]
        for t in range(1, u.shape[1]):
            highest = total.max(dim=1, keepdim=True).values
            ways = torch.einsum("bi,cij->cbj", (total - highest).exp(), weights)
            chosen = ways[classes[:, t], torch.arange(len(total))]
            step = chosen.clamp_min(1e-30).log() + highest + u[:, t]
            live = known[:, t, None]
            total = torch.where(live, step, total)
            pair = tables[classes[:, t], labels[:, t - 1], labels[:, t]] + u[:, t].gather(1, labels[:, t, None])[:, 0]
            gold = gold + pair * known[:, t]
        loss: Tensor = (total.logsumexp(dim=1) - gold).sum() / known.sum()
        return loss

    def numpy_weights(self) -> dict[str, NDArray[np.float32]]:
        """The weights by the names of `Harmoniser`."""
        return {name: value.detach().numpy().copy() for name, value in self.state_dict().items()}


Part = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
"""Features, metrical classes and labels of a run of beats."""


def chunks(pieces: Sequence[Encoded]) -> list[Part]:
    """Runs of beats that all have chords, of at most `CHUNK`."""
    made: list[Part] = []
    for piece in pieces:
        has = np.append(piece.labels >= 0, False)
        start = 0
        for number in range(len(has)):
            if not has[number] or number - start == CHUNK:
                if number - start > 3:
                    span = slice(start, number)
                    made.append((piece.beats.features[span], piece.beats.classes[span], piece.labels[span]))
                start = number if has[number] else number + 1
    return made


def train(field: Field, pieces: Sequence[Encoded], valid: Sequence[Encoded], epochs: int, seed: int) -> float:
    """Train with Adam, keep the best epoch, and return its nats a beat on the validation part."""
    torch.manual_seed(seed)
    optimizer = torch.optim.AdamW(field.parameters(), lr=3e-3, weight_decay=0.02)
    parts, judged = chunks(pieces), chunks(valid)
    steps = epochs * -(-len(parts) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=steps)
    best, kept = float("inf"), field.state_dict()
    with progress("Training", total=steps, unit="batches") as bar:
        for epoch in range(epochs):
            order = generator(seed, "harmoniser", epoch).permutation(len(parts))
            field.train()
            for start in range(0, len(order), BATCH):
                loss = field.loss(*_batch([parts[k] for k in order[start : start + BATCH]]))
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
                bar.advance()
            field.eval()
            with torch.no_grad():
                found = [field.loss(*_batch(judged[k : k + 64])).item() for k in range(0, len(judged), 64)]
            now = float(np.mean(found))
            if now < best:
                best, kept = now, {name: value.clone() for name, value in field.state_dict().items()}
    field.load_state_dict(kept)
    return best


def _batch(parts: Sequence[Part]) -> tuple[Tensor, ...]:
    longest = max(len(part[0]) for part in parts)
    padded = [
        torch.stack([torch.from_numpy(np.pad(part[k], ((0, longest - len(part[k])), *[(0, 0)] * (part[k].ndim - 1))))
                     for part in parts])
        for k in range(3)
    ]  # fmt: skip
    known = torch.arange(longest)[None, :] < torch.tensor([len(part[0]) for part in parts])[:, None]
    return (*padded, known)


class Markov:
    """A hidden Markov model: bigrams of chords, and each degree that sounds in a beat drawn from its chord."""

    def __init__(self, labels: int, pieces: Sequence[Encoded]) -> None:
        pairs, notes = np.full((labels, labels), 0.02), np.full((labels, 12), 0.1)
        for piece in pieces:
            degrees = self._degrees(piece.beats)
            has = piece.labels >= 0
            np.add.at(notes, piece.labels[has], degrees[has])
            both = has[1:] & has[:-1]
            np.add.at(pairs, (piece.labels[:-1][both], piece.labels[1:][both]), 1.0)
        self.pairs = np.log(pairs / pairs.sum(axis=1, keepdims=True))
        self.notes = np.log(notes / notes.sum(axis=1, keepdims=True))

    @staticmethod
    def _degrees(beats: Beats) -> NDArray[np.float64]:
        middle = beats.features[:, 4 * ((FEATURES - 3) // 9) :]
        return np.asarray(middle[:, :12], dtype=np.float64)

    def best(self, beats: Beats, agreement: NDArray[np.float64]) -> NDArray[np.int64]:
        """`(beats,)`: the labels of the largest expected agreement, as the model chooses its own."""
        chain = _Chain(self._degrees(beats) @ self.notes.T, [self.pairs] * len(beats.classes))
        best: NDArray[np.int64] = (chain.marginals() @ agreement).argmax(axis=1)
        return best


def measure(model: Harmoniser, rival: Markov, examples: Sequence[Example], title: str) -> None:
    """Print the agreement with people's chords by beat: root, root and quality, at phrase ends; and the variety."""
    rows: dict[str, list[NDArray[np.float64]]] = {"people": [], "the model": [], "hidden Markov model": []}
    for example in examples:
        one = encoded(example, model)
        track = model.harmonise(example.melody, style=example.style)[0].chords
        found = encoded(replace(example, chords=track), model).labels
        made = {"people": one.labels, "the model": found, "hidden Markov model": rival.best(one.beats, model.agreement)}
        known = one.labels >= 0
        ends = one.beats.features[:, 4 * ((FEATURES - 3) // 9) + 29] > 0  # a phrase ends with this beat
        for name, labels in made.items():
            rows[name].append(_agreement(model, labels, one.labels, known, ends))
    print(f"{title}: {len(examples)} melodies")
    print("| | root | root and quality | root at phrase ends | chords a piece | changes a beat |")
    print("|---|---|---|---|---|---|")
    for name, rows_of in rows.items():
        table = np.array(rows_of)
        beats, phrase_ends = table[:, 0].sum(), table[:, 3].sum()
        cells = [table[:, 1].sum() / beats, table[:, 2].sum() / beats, table[:, 4].sum() / phrase_ends]
        print(f"| {name} | {' | '.join(f'{cell:.3f}' for cell in cells)} | {table[:, 5].mean():.1f} |"
              f" {table[:, 6].sum() / beats:.2f} |")  # fmt: skip


def _agreement(
    model: Harmoniser, labels: NDArray[np.int64], people: NDArray[np.int64], known: NDArray[Any], ends: NDArray[Any]
) -> NDArray[np.float64]:
    roots = np.array([label.root for label in model.labels])
    names = sorted({chord.quality for chord in model.labels})
    kinds = np.array([names.index(label.quality) for label in model.labels])
    same = known & (roots[labels] == roots[people])
    both = same & (kinds[labels] == kinds[people])
    last = known & ends
    changes = (labels[1:] != labels[:-1]) & known[1:] & known[:-1]
    numbers = (known.sum(), same.sum(), both.sum(), last.sum(), (same & last).sum(), len(set(labels[known].tolist())))
    return np.array([*numbers, changes.sum()], dtype=np.float64)


def main() -> None:
    """Train, measure and write the model."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--lieder", type=Path, required=True, help="the corpus file of OpenScore Lieder")
    parser.add_argument("--scores", type=Path, required=True, help="the folder that it was read from")
    parser.add_argument("--leave-out", type=Path, help="the index of songs that must not be learned from")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/harmoniser.safetensors"))
    given = parser.parse_args()
    examples = [*chorales(), *lieder(Corpus.load(given.lieder), given.scores, given.leave_out)]
    parts = {split: [one for one in examples if one.split == split] for split in ("train", "valid", "test")}
    shape = Harmoniser(labels_of(parts["train"]), {})
    data = {split: [encoded(one, shape) for one in parts[split]] for split in ("train", "valid")}
    field = Field(len(shape.labels))
    nats = train(field, data["train"], data["valid"], given.epochs, given.seed)
    model = Harmoniser(shape.labels, field.numpy_weights())
    log(f"{len(shape.labels)} chords, {nats:.3f} nats a beat on the validation part")
    rival = Markov(len(shape.labels), data["train"])
    for style in ("chorale", "lied"):
        for split in ("valid", "test"):
            measure(model, rival, [one for one in parts[split] if one.style == style], f"{style}, {split}")
    given.out.parent.mkdir(parents=True, exist_ok=True)
    model.save(given.out)


if __name__ == "__main__":
    main()
