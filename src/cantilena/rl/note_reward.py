"""The reward of notes that are tried: critics that are trained together with the model, and people's frequencies.

With f the mean log odds of the critics of prefixes after a note, clipped, w their weight, and lambda the reward for
having notes as often as people have them (`NoteMatching`) with its weight m, a note that is tried earns

    w f + m lambda      nats, like log p

The critics share no piece of people's. Each goes on learning from the newest melodies and from older ones, so that it
still recognises what the model stopped doing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cantilena.discriminators import PrefixCritic, RunningCritic, in_parallel, prefix_critic_training
from cantilena.generation import FormGuides
from cantilena.models import Bars, critic_features, critic_rows
from cantilena.music import ChordTrack
from cantilena.rl.note_matching import NoteMatching
from cantilena.rl.options import CriticOptions
from cantilena.rl.reward import padded_together
from cantilena.rules import Context
from cantilena.runtime import derived_seed, generator, progress
from cantilena.tokenizers import NotesEncoding
from cantilena.training.checkpointing import add_prefixes, load_optimizer, optimizer_tensors, with_prefix
from cantilena.training.optimizers import AdamW

Ints = NDArray[np.int64]
Rows = NDArray[np.int32]
"""`(notes, columns)`: what a critic reads of a melody."""

MATCHING = "matching"
"""The name of the reward for people's frequencies, beside those of the rules and the critic."""

_LEARNING_RATE, _WEIGHT_DECAY = 1e-3, 0.1
_BATCH, _NEWEST = 32, 20
"""Melodies of each side in a batch, and how many of the model's are among the newest."""
_NEW_MELODIES = 256
"""How many melodies are the newest."""
_EXAMINED = 256
"""Most melodies of people's that an accuracy is measured on."""
_AT_ONCE = 256


@dataclass(frozen=True)
class Composed:
    """A melody of the model.

    Args:
        like: the number of the melody of people's that it is like.
        tokens: `(tokens,)`, perhaps padded.
        rows: what a critic reads of it, at least one note.
    """

    like: int
    tokens: Ints
    rows: Rows


@dataclass(frozen=True)
class PeoplesNotes:
    """People's melodies, and how a model is told to compose others like them.

    Args:
        encoding: of the melodies.
        rows: of each melody, at least one note.
        bars: of the melodies, with their lengths.
        contexts: key and meter of each.
        tell: `tell(numbers, seed)` returns what the model is told to compose a melody like each of those with
            `(melodies,)` numbers: bars, and guides of forms, None for a model that knows no forms.
        compose: `compose(numbers, seed)` returns the tokens of a melody like each of these, of the model that is tuned.
        chords: of each melody, of which the model is told too; none for a model that is told no chords.
    """

    encoding: NotesEncoding
    rows: Sequence[Rows]
    bars: Bars
    contexts: Sequence[Context]
    tell: Callable[[Ints, int], tuple[Bars, FormGuides | None]]
    compose: Callable[[Ints, int], Sequence[Ints]]
    chords: Sequence[ChordTrack] = ()

    @cached_property
    def kinds(self) -> Ints:
        """`(melodies,)`: the kind of each, from 0: its meter, and whether it is in a major key."""
        told = [(context.meter, context.key.mode == "major") for context in self.contexts]
        known = {one: number for number, one in enumerate(dict.fromkeys(told))}
        return np.array([known[one] for one in told], dtype=np.int64)

    @property
    def has_chords(self) -> bool:
        """Whether the model is told chords of any melody."""
        return any(self.chords)

    def describe(self, tokens: Sequence[Ints], like: NDArray[np.integer]) -> list[Composed]:
        """Melodies of the model as critics read them, those without a note left out.

        Args:
            tokens: of each melody.
            like: `(melodies,)`: the number of the melody of people's whose meter, pickup and length it has.
        """
        rows = rows_of_melodies(self.encoding, tokens, self.bars[like])
        return [Composed(*one) for one in zip(like.tolist(), tokens, rows, strict=True) if len(one[2])]


class NoteCritics:
    """Critics of prefixes that are trained together with a model.

    Args:
        people: people's melodies, of which each critic learns from its own.
        options: of the critics.
        seed: of their weights and training.
    """

    def __init__(self, people: PeoplesNotes, options: CriticOptions, seed: int) -> None:
        self.people, self.options, self.seed = people, options, seed
        order = generator(seed, "critics").permutation(len(people.rows))
        self.parts = [[people.rows[row] for row in rows] for rows in np.array_split(order, options.critic_members)]
        self.critics = [PrefixCritic(people.encoding, derived_seed(seed, number)) for number in range(len(self.parts))]
        self.optimizers = [
            AdamW(critic.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY) for critic in self.critics
        ]
        self.older: list[Composed] = []
        self.newest: list[Composed] = []
        self.accuracy = 0.5

    def pretrain(self) -> None:
        """Train on melodies of the model before tuning."""
        rng = generator(self.seed, "critics", "start")
        like = rng.choice(len(self.people.rows), min(self.options.critic_replay, len(self.people.rows)), replace=False)
        self.older = self.people.describe(self.people.compose(like, self.seed), like)
        generated = [melody.rows for melody in self.older]
        trainings, steps = [], 0
        for number, (critic, part) in enumerate(zip(self.critics, self.parts, strict=True)):
            batches = max(min(len(part), len(generated)) // _BATCH, 1)
            epochs = max(round(self.options.critic_start / batches), 1)
            rng = generator(self.seed, "critics", "start", number)
            trainings.append(prefix_critic_training(critic, part, generated, rng, epochs=epochs))
            steps = max(steps, epochs * batches)
        with progress("Training critics", total=steps, unit="batches") as bar:
            for _ in in_parallel(trainings):
                bar.advance(1)

    def log_odds(self, melodies: Sequence[Composed]) -> NDArray[np.float64]:
        """`(melodies,)`: the clipped log odds of whole melodies, the mean over the critics."""
        limit = self.options.critic_clip
        known = [[one[-1] for one in critic.log_odds([m.rows for m in melodies])] for critic in self.critics]
        return np.mean(known, axis=0, dtype=np.float64).clip(-limit, limit)

    def examine(self, melodies: Sequence[Composed], rng: np.random.Generator) -> None:
        """Measure the accuracy on whole new melodies, and on people's that only another critic has learned from."""
        shares = []
        for number, critic in enumerate(self.critics):
            people = self.parts[(number + 1) % len(self.parts)]
            for side, sign in ((_some(people, _EXAMINED, rng), 1), ([m.rows for m in melodies], -1)):
                shares.append(np.mean([sign * odds[-1] > 0 for odds in critic.log_odds(side)]))
        self.accuracy = float(np.mean(shares))

    def train(self, melodies: Sequence[Composed], number: int) -> None:
        """Learn from new melodies, which then replace half as many older ones; `number` determines the randomness."""
        rng = generator(self.seed, "critics", number)
        self.newest = [*self.newest, *melodies][-_NEW_MELODIES:]
        for _ in in_parallel([self._lessons(one, number) for one in range(len(self.critics))]):
            pass
        replaced = rng.choice(len(self.older), min(len(melodies) // 2, len(self.older)), replace=False)
        for row, melody in zip(replaced, melodies, strict=False):
            self.older[row] = melody

    def _lessons(self, critic: int, number: int) -> Iterator[None]:
        """The batches of a critic in a training."""
        rng, part = generator(self.seed, "critics", number, critic), self.parts[critic]
        self.critics[critic].noise.manual_seed(derived_seed(self.seed, "critics", "dropout", number, critic))
        for _ in range(self.options.critic_lessons):
            generated = _some(self.newest, _NEWEST, rng) + _some(self.older, _BATCH - _NEWEST, rng)
            rows = [melody.rows for melody in generated]
            self.critics[critic].learn(self.optimizers[critic], _some(part, _BATCH, rng), rows)
            yield

    def state(self) -> dict[str, Tensor]:
        """Weights, optimizers and melodies as tensors by name."""
        parts: dict[str, Mapping[str, Tensor]] = {"accuracy": {"": torch.tensor(self.accuracy, dtype=torch.float64)}}
        for number, (critic, optimizer) in enumerate(zip(self.critics, self.optimizers, strict=True)):
            parts[f"{number}."] = critic.state_dict()
            parts[f"optimizer.{number}."] = optimizer_tensors(optimizer)
        for name, melodies in (("older.", self.older), ("newest.", self.newest)):
            tokens = padded_together([melody.tokens[None] for melody in melodies]) if melodies else np.zeros((0, 0))
            like = torch.tensor([melody.like for melody in melodies], dtype=torch.int64)
            parts[name] = {"like": like, "tokens": torch.from_numpy(tokens.astype(np.int16))}
        return add_prefixes(parts)

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` returned."""
        self.accuracy = float(state["accuracy"])
        for number, (critic, optimizer) in enumerate(zip(self.critics, self.optimizers, strict=True)):
            critic.load_state_dict(with_prefix(f"{number}.", state))
            load_optimizer(optimizer, with_prefix(f"optimizer.{number}.", state))
        self.older, self.newest = (
            self.people.describe(list(state[f"{name}.tokens"].numpy().astype(np.int64)), state[f"{name}.like"].numpy())
            for name in ("older", "newest")
        )


class TriedReward:
    """The reward of notes that are tried while melodies are composed: a `NoteReward`.

    Args:
        kinds: `(melodies,)`: the kind of each, as `PeoplesNotes` has it.
        critics: None for none.
        matching: the same.
        weight: of the matching.

    Examples:
        >>> encoding = NotesEncoding()
        >>> features = critic_features(encoding)
        >>> rows = np.tile(features.offsets[: features.columns], (2, 1))
        >>> zeros = np.zeros(2, dtype=np.int64)
        >>> matching = NoteMatching(encoding, [rows], zeros[:1])
        >>> matching.weights += 0.5
        >>> reward = TriedReward(zeros[:1], None, matching, weight=2.0)
        >>> bool((reward.attempt(rows, zeros) == 2.0 * matching.rewards(rows, zeros)).all())
        True
    """

    def __init__(
        self, kinds: Ints, critics: NoteCritics | None, matching: NoteMatching | None, weight: float = 1.0
    ) -> None:
        self.kinds, self.critics, self.matching, self.weight = kinds, critics, matching, weight
        heard = critics.critics if critics is not None else []
        self._running = [RunningCritic(critic, len(kinds)) for critic in heard]
        self._described: list[Tensor] = []

    def attempt(self, rows: Ints, melody: Ints) -> NDArray[np.float64]:
        """As `NoteReward` has it."""
        rewards = np.zeros(len(rows))
        if self.critics is not None:
            heard = [critic.attempt(rows, melody) for critic in self._running]
            self._described, options = [described for _, described in heard], self.critics.options
            odds = np.mean([values for values, _ in heard], axis=0, dtype=np.float64)
            rewards += options.critic_weight * odds.clip(-options.critic_clip, options.critic_clip)
        if self.matching is not None:
            rewards += self.weight * self.matching.rewards(rows, self.kinds[melody])
        return rewards

    def take(self, taken: Ints, goes_on: NDArray[np.bool_]) -> None:
        """As `NoteReward` has it."""
        for critic, described in zip(self._running, self._described, strict=True):
            critic.take(described[torch.from_numpy(taken)], goes_on)


def rows_of_melodies(encoding: NotesEncoding, tokens: Sequence[Ints], bars: Bars) -> list[Rows]:
    """What a critic reads of each melody, as `critic_rows`; the tokens may end within a note, which is left out.

    Args:
        encoding: of the tokens.
        tokens: of each melody.
        bars: of the melodies.
    """
    features, rows = critic_features(encoding), list[Rows]()
    for start in range(0, len(tokens), _AT_ONCE):
        some = tokens[start : start + _AT_ONCE]
        padded = padded_together([melody[None] for melody in some])
        padded = padded[:, : padded.shape[1] // features.period * features.period]
        rows += critic_rows(features, padded, bars[np.arange(start, start + len(some))])
    return rows


def _some(melodies: Sequence[Any], count: int, rng: np.random.Generator) -> list[Any]:
    return [melodies[row] for row in rng.choice(len(melodies), min(count, len(melodies)), replace=False)]
