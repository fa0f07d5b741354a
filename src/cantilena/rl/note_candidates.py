"""Melodies of notes that a policy composes under forms, with several notes tried at each place.

A melody goes on with the first note that was tried, a sample of the policy. The others are samples of it too, and tell
what else it might have done there: `algorithms/mpo.py` learns from all of them. Duration and pitch are drawn among the
tokens that the length and the form of the melody leave, and the policy is what it gives to these, normalised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cantilena.generation import FormGuides, NoteChoices, token_budget
from cantilena.models import Bars, Network
from cantilena.models.network.note_features import NoteFeatures
from cantilena.models.network.stepwise import StepState, split_rows
from cantilena.tokenizers import END, NotesEncoding

Ints = NDArray[np.int64]


class NoteReward(Protocol):
    """A reward of notes that are tried, which follows melodies while they are composed."""

    def attempt(self, rows: Ints, melody: Ints) -> NDArray[np.float64]:
        """`(notes,)` rewards of notes with `(notes, columns)` rows, each of which would continue a melody."""

    def take(self, taken: Ints, goes_on: NDArray[np.bool_]) -> None:
        """Go on with the notes of the last attempt with these numbers, one a melody."""


@dataclass(frozen=True)
class Rollout:
    """Melodies with what was tried at each note.

    Args:
        tokens: `(melodies, 2 notes)`, padded with `END`.
        bars: what the model was told.
        first: `(melodies, notes, tried)`: durations; the first of those tried was taken.
        second: the same: pitches.
        first_allowed: `(melodies, notes, bytes)`: which durations were allowed, packed bits.
        second_allowed: `(melodies, notes, tried, bytes)`: which pitches were, after each duration.
        parts: `(melodies, notes, tried, part columns)`: what the features say after each duration.
        rewards: `(melodies, notes, tried)` nats.
    """

    tokens: Ints
    bars: Bars
    first: Ints
    second: Ints
    first_allowed: NDArray[np.uint8]
    second_allowed: NDArray[np.uint8]
    parts: NDArray[np.int32]
    rewards: NDArray[np.float64]

    @property
    def is_played(self) -> NDArray[np.bool_]:
        """`(melodies, notes)`: false for padding."""
        return np.asarray(self.tokens[:, ::2] != END)

    def take(self, rows: Ints) -> Rollout:
        """Some of the melodies, as long as the longest of them."""
        notes = int(self.is_played[rows].sum(axis=1).max())
        others = {one.name: getattr(self, one.name)[rows, :notes] for one in fields(self)[2:]}
        return Rollout(self.tokens[rows, : 2 * notes], self.bars[rows], **others)


@torch.no_grad()
def roll_out(
    network: Network,
    encoding: NotesEncoding,
    bars: Bars,
    guides: FormGuides | None,
    reward: NoteReward,
    rng: np.random.Generator,
    *,
    features: NoteFeatures,
    tried: int = 4,
) -> Rollout:
    """Compose a melody for each row of bars.

    Args:
        network: the policy, of single notes.
        encoding: of its tokens.
        bars: with the length of each melody.
        guides: the forms of the melodies; None for none.
        reward: of the notes.
        rng: the randomness.
        features: what the reward reads.
        tried: number of notes that are tried at each place.
    """
    melodies = len(bars.length)
    steps = token_budget(encoding, int(bars.length.max()))
    choices = NoteChoices(encoding, None, np.zeros(0, dtype=np.int64), bars.length, steps, bars.pickup, may_end=False)
    scores, state = network.start_scores(melodies, bars)
    _, read = features.first(melodies, bars.without_conditions())
    of = np.repeat(np.arange(melodies), tried)
    record: list[tuple[Any, ...]] = []
    while not choices.ended.all():
        allowed = _left(choices, guides)
        first = _draw(scores.numpy(), allowed, rng, of)
        trying = state.take_rows(of)
        rows, after = network.features.next(first, trying.features)
        _, parts, _ = split_rows(rows, network.features.columns)
        second_scores, hidden = trying.stepper(None, trying.hidden, parts)
        each = [first[number::tried] for number in range(tried)]
        each_allowed = [_left(choices.after(some), guides.after(some) if guides else None) for some in each]
        second_allowed = np.stack(each_allowed, axis=1).reshape(len(of), -1)
        second = _draw(second_scores.numpy(), second_allowed, rng, np.arange(len(of)))
        goes_on = ~choices.ended
        _, half = features.next(first, read.take_rows(of))
        described, whole = features.next(second, half)
        values = reward.attempt(described[:, : features.columns], of)
        taken = np.arange(melodies) * tried  # the first that was tried
        reward.take(taken, goes_on)
        packed = np.packbits(allowed, axis=1), np.packbits(second_allowed, axis=1).reshape(melodies, tried, -1)
        shape = (melodies, tried)
        tried_parts = parts.astype(np.int32).reshape(*shape, -1)
        record.append((first.reshape(shape), second.reshape(shape), *packed, tried_parts, values.reshape(shape)))
        for tokens in (first[taken], second[taken]):
            choices.append(tokens)
            if guides is not None:
                guides.append(tokens)
        scores, state = network.step_scores(second[taken], StepState(state.stepper, hidden, after).take_rows(taken))
        read = whole.take_rows(taken)
    columns: list[Any] = [np.stack(column, axis=1) for column in zip(*record, strict=True)]
    first, second = columns[:2]
    tokens = np.stack([first[:, :, 0], second[:, :, 0]], axis=2).reshape(melodies, -1)
    return Rollout(tokens, bars, *columns)


def log_probs_tried(network: Network, rollout: Rollout) -> Tensor:
    """`(melodies, notes, tried)`: the log probability of each note that was tried, with gradient."""
    first_scores, second_scores = network.try_notes(rollout.tokens, rollout.bars, rollout.parts)
    first = _log_softmax(first_scores, rollout.first_allowed)
    second = _log_softmax(second_scores, rollout.second_allowed)
    chosen = second.gather(-1, torch.from_numpy(rollout.second)[..., None]).squeeze(-1)
    return first.gather(-1, torch.from_numpy(rollout.first)) + chosen


def by_length(rollout: Rollout, parts: int) -> Sequence[Ints]:
    """The numbers of the melodies in so many parts, each of about as many notes."""
    return np.array_split(np.argsort(rollout.is_played.sum(axis=1), kind="stable"), parts)


def _left(choices: NoteChoices, guides: FormGuides | None) -> NDArray[np.bool_]:
    """`(melodies, vocabulary)`: the tokens that the lengths and the forms leave."""
    return choices.allowed() if guides is None else guides.restrict(choices.allowed())


def _draw(scores: NDArray[np.float32], allowed: NDArray[np.bool_], rng: np.random.Generator, rows: Ints) -> Ints:
    """A sample for each of `(samples,)` rows of `(melodies, vocabulary)` scores, by the Gumbel-max trick."""
    kept = np.where(allowed, scores, -np.inf)[rows]
    return np.asarray((kept - np.log(rng.exponential(size=kept.shape))).argmax(axis=1), dtype=np.int64)


def _log_softmax(scores: Tensor, allowed: NDArray[np.uint8]) -> Tensor:
    """Log probabilities of the tokens that are allowed, as packed bits."""
    known = np.unpackbits(allowed, axis=-1, count=scores.shape[-1]).astype(np.bool_)
    return scores.masked_fill(~torch.from_numpy(known), -torch.inf).log_softmax(-1)
