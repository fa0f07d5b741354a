"""Episodes: melodies that grow by one token a step, and the reward of each token.

Rules judge each step by what sounded up to it and by the length of the melody. An unfinished melody is therefore a line
of its full length, filled with holds, of which only the newest step is read: the same rules give the same rewards as
for the finished melody. Of notes the line is filled with a rest, and the steps of the newest note are read as soon as
all its tokens are known.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.models import Bundle, find_bundle, start_with_bars, to_numpy
from cantilena.models.policy import LOG_ZERO
from cantilena.music import HOLD, Key, Line, Melody, Meter
from cantilena.rl import MusicReward
from cantilena.rl.reward import most_tokens, sum_by_token, token_of_steps
from cantilena.rules import Context, RuleSet, load_rules
from cantilena.tokenizers import END, NotesEncoding

DEFAULT_BUNDLE = "tunes+rl-tuner"
"""Of the models that ship the one whose tokens are steps, as the task of RL Tuner has them."""

MIN_LOG_P = -30.0
"""Lower bound of log p in observations."""


@dataclass(frozen=True, slots=True)
class StepRewards:
    """The rewards of the newest token of each melody.

    Args:
        log_p: `(melodies,)` float64: log p of the token under the prior, in nats.
        terms: `(melodies,)` float64 by rule: the weighted reward of each rule, neither clipped nor divided by c.
        reward: `(melodies,)` float64: log p + r_MT / c, with the rules clipped as by `MusicReward.scaled`.
    """

    log_p: NDArray[np.float64]
    terms: dict[str, NDArray[np.float64]]
    reward: NDArray[np.float64]


class MelodyEpisodes:
    """Melodies of one length that grow in step.

    On the grid all are finished after `steps` tokens. Melodies of notes are as long, but of different numbers of
    tokens: those that are full get the token `end` until all are.

    Args:
        bundle: its prior gives log p, its encoding defines the tokens.
        reward: r_MT / c.
        melodies: number of melodies.
        steps: their length.
        memory: number of latest tokens in an observation, at most those of a melody.

    Raises:
        UsageError: a size is out of range.

    Examples:
        >>> from cantilena.models import find_bundle
        >>> from cantilena.rules import RULE_SETS, Context
        >>> bundle = Bundle.load(find_bundle("tunes+rl-tuner"))
        >>> reward = MusicReward(bundle.encoding, RULE_SETS["paper"], Context(), c=0.5, clip=10.0)
        >>> episodes = MelodyEpisodes(bundle, reward, melodies=2, steps=4, memory=3)
        >>> rewards = episodes.append(np.array([14, 15]))  # C4 and C#4
        >>> rewards.terms["tonic"].tolist(), rewards.terms["key"].tolist()
        ([3.0, 0.0], [0.0, -1.0])
        >>> episodes.observation()["tokens"].tolist()  # 38: no token yet
        [[38, 38, 14], [38, 38, 15]]
    """

    def __init__(self, bundle: Bundle, reward: MusicReward, *, melodies: int, steps: int, memory: int) -> None:
        for name, value, most in (("melodies", melodies, 65536), ("steps", steps, 4096), ("memory", memory, 4096)):
            if not 1 <= value <= most:
                raise UsageError(f"{name} is out of range: {value}", f"give an integer from 1 to {most}")
        self.encoding, self.reward = bundle.encoding, reward
        self.melodies, self.steps = melodies, steps
        self.most_tokens = most_tokens(self.encoding, steps)
        """Tokens of a melody, of notes at most."""
        self.memory = min(memory, self.most_tokens)
        self.vocabulary_size = len(self.encoding.vocabulary)
        self.steps_per_bar = reward.context.steps_per_bar if self.encoding.has_rhythm else None
        self.counts_per_step = self.encoding.ticks_per_step // self.encoding.ticks_per_count
        """Units of the observations `left` and `place` in a step: ticks of notes."""
        self._notes = self.encoding if isinstance(self.encoding, NotesEncoding) else None
        self._prior = bundle.prior()
        if self._notes is None:
            # Each token as a line of one step: in every encoding but notes it means the same at any step.
            self._events = self.encoding.line(np.arange(self.vocabulary_size)[:, None])
        self._rows = np.arange(melodies)
        self.reset()

    @classmethod
    def from_names(
        cls,
        bundle: Bundle | str | Path,
        rules: RuleSet | str,
        *,
        melodies: int,
        steps: int,
        memory: int,
        c: float,
        clip: float,
        key: str,
        meter: str,
    ) -> Self:
        """Create episodes from the arguments of `MelodyEnv`, which documents them.

        Raises:
            UsageError: an argument is invalid.
            BundleError: the bundle is missing or cannot be read.
        """
        for name, value in (("c", c), ("clip", clip)):
            if not 0.0 < value <= 1e6:
                raise UsageError(f"{name} is out of range: {value:g}", "give a number above 0, up to 1000000")
        bundle = bundle if isinstance(bundle, Bundle) else Bundle.load(find_bundle(bundle))
        rules = rules if isinstance(rules, RuleSet) else load_rules(rules)
        tonality, time = Key.parse(key) if key else Key(), Meter.parse(meter)
        tonality = tonality.plain if bundle.provenance.get("plain_keys") else tonality
        encoding = bundle.encoding
        context = Context(
            tonality, time, max(time.ticks_per_bar // encoding.ticks_per_step, 1), timed=encoding.has_rhythm
        )
        reward = MusicReward(encoding, rules, context, c, clip)
        return cls(bundle, reward, melodies=melodies, steps=steps, memory=memory)

    def reset(self) -> None:
        """Start with empty melodies."""
        shape = self.melodies, self.steps
        self.step = 0
        self._tokens = np.full((self.melodies, self.memory + self.most_tokens), self.vocabulary_size, dtype=np.int64)
        self._line = Line.from_events(np.full(shape, HOLD), np.full(shape, -1))
        self._ticks = np.zeros(self.melodies, dtype=np.int64)  # of the notes that have all their tokens
        log_p, self._state = start_with_bars(self._prior, self.melodies, self.reward.bars(self.melodies, self.steps))
        self._log_p = to_numpy(log_p)

    @property
    def pitch_range(self) -> tuple[int, int]:
        """The lowest and highest MIDI pitch of the top note of any token."""
        if self._notes is not None:
            return self._notes.low, self._notes.high
        pitches = self._events.pitch[self._events.pitch >= 0]
        return (int(pitches.min()), int(pitches.max())) if pitches.size else (60, 60)

    @property
    def finished(self) -> bool:
        """Whether the melodies have their full length."""
        return self.step == self.steps if self._notes is None else bool((self._ticks == self._length).all())

    @property
    def may_come(self) -> NDArray[np.bool_]:
        """`(melodies, vocabulary)`: which tokens may be next."""
        may_come: NDArray[np.bool_] = self._log_p > LOG_ZERO / 2
        return may_come if self._notes is not None else np.ones_like(may_come)

    @property
    def has_mask(self) -> bool:
        """Whether only some tokens may be next, as of notes: a duration, then a pitch."""
        return self._notes is not None

    @property
    def tokens(self) -> NDArray[np.int64]:
        """`(melodies, tokens so far)`: a copy of the tokens."""
        return self._tokens[:, self.memory : self.memory + self.step].copy()

    def append(self, tokens: NDArray[np.int64]) -> StepRewards:
        """Append `(melodies,)` tokens, one to each melody.

        Of notes, a token that may not be next counts as the one with the nearest number that may.

        Raises:
            UsageError: the melodies are finished, or the tokens are invalid.
        """
        self._check(tokens)
        if self._notes is not None:
            distance = np.abs(np.arange(self.vocabulary_size) - tokens[:, None])
            tokens = np.where(self.may_come, distance, self.vocabulary_size).argmin(axis=1)
        self._tokens[:, self.memory + self.step] = tokens
        terms, music = self._judge_step(tokens) if self._notes is None else self._judge_notes(self._notes)
        log_p = self._log_p[self._rows, tokens].astype(np.float64)
        self.step += 1
        next_log_p, self._state = self._prior.step(tokens, self._state)
        self._log_p = to_numpy(next_log_p)
        return StepRewards(log_p, terms, log_p + music)

    def _judge_step(self, tokens: NDArray[np.int64]) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.float32]]:
        """The terms of the newest step, and r_MT / c."""
        now, line, events = self.step, self._line, self._events
        line.event[:, now] = events.event[tokens, 0]
        line.pitch[:, now] = events.pitch[tokens, 0]
        line.pitch_classes[:, now] = events.pitch_classes[tokens, 0]
        rewards = self.reward.rules.rewards(line, self.reward.context)
        terms = {name: values[:, now].copy() for name, values in rewards.items()}
        return terms, self.reward.scaled(terms)

    def _judge_notes(self, encoding: NotesEncoding) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.float32]]:
        """The same of the newest notes if their last token was given: the sums of their steps; otherwise 0."""
        now = self.step + 1
        if now % len(encoding.parts):
            none = np.zeros(self.melodies)
            return {name: none.copy() for name in self.reward.rules.names}, none.astype(np.float32)
        tokens = self._tokens[:, self.memory : self.memory + now]
        self._ticks = encoding.ticks(np.pad(tokens, ((0, 0), (0, 1)), constant_values=END))[:, -1]
        whole = np.concatenate([tokens, rests(encoding, self._length - self._ticks)], axis=1)
        terms = self.reward.rules.rewards(encoding.line(whole), self.reward.context)
        owner = token_of_steps(encoding, whole, self.steps)

        def newest(values: NDArray[Any]) -> NDArray[Any]:
            return sum_by_token(values, owner, whole.shape[1])[:, now - 1]

        return {name: newest(values) for name, values in terms.items()}, newest(self.reward.scaled(terms))

    @property
    def _length(self) -> int:
        """Ticks of a melody."""
        return self.steps * self.encoding.ticks_per_step

    def observation(self) -> dict[str, NDArray[np.generic]]:
        """The observation before the next token, in new arrays, one row a melody; see `MelodyEnv`."""
        told = np.full(self.melodies, self.step) if self._notes is None else self._ticks
        observation: dict[str, NDArray[np.generic]] = {
            "tokens": self._tokens[:, self.step : self.step + self.memory].copy(),
            "left": self.steps * self.counts_per_step - told,
            "log_p": np.maximum(self._log_p, MIN_LOG_P).astype(np.float32),
        }
        if self.steps_per_bar is not None:
            observation["place"] = told % (self.steps_per_bar * self.counts_per_step)
        return observation

    def decode(self) -> list[Melody]:
        """The tokens so far as melodies."""
        context = self.reward.context
        return [self.encoding.decode(row, key=context.key, meter=context.meter) for row in self.tokens]

    def _check(self, tokens: NDArray[np.int64]) -> None:
        if self.finished:
            raise UsageError(f"the melody is finished after {self.step} tokens", "call reset() to start another")
        if tokens.shape != (self.melodies,) or tokens.dtype.kind not in "iu":
            raise UsageError(
                f"invalid action of shape {tokens.shape} and type {tokens.dtype}", f"give {self.melodies} integers"
            )
        if not (int(tokens.min()) >= 0 and int(tokens.max()) < self.vocabulary_size):
            raise UsageError(
                f"an action is out of range: {int(tokens.min())} to {int(tokens.max())}",
                f"give tokens from 0 to {self.vocabulary_size - 1}",
            )


def rests(encoding: NotesEncoding, ticks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Tokens of rests that last `(melodies,)` ticks: `(melodies, tokens)`, padded with `end`.

    Examples:
        >>> notes = NotesEncoding()
        >>> [[notes.vocabulary[token] for token in row] for row in rests(notes, np.array([24, 30]))]
        [['1/4', 'rest', 'end', 'end'], ['1/4', 'rest', '1/16', 'rest']]
    """
    silence = [encoding.rest, *(first for first, _ in encoding.parts[2:])]  # and no chord
    parts, left = [np.zeros((len(ticks), 0), dtype=np.int64)], ticks
    while left.any():
        token = np.searchsorted(encoding.durations, left, side="right")  # durations are numbered from 1
        parts.append(np.where(token > 0, np.stack([token, *(np.full_like(token, one) for one in silence)]), END).T)
        left = left - np.array([0, *encoding.durations])[token]
    return np.concatenate(parts, axis=1)
