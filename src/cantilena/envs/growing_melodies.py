"""Melodies that grow by one token a step, and what each new token earns.

The rules judge every step from what has sounded up to it, and know how long the melody will be. So a melody that is
still growing is a line of its full length, its future filled with holds, of which only the newest step is read: the
same rules, and the same numbers, as when the finished melody is judged whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.models import Bundle, find_bundle, to_numpy, start_with_bars
from cantilena.music import HOLD, Key, Line, Melody, Meter
from cantilena.rl import MusicReward
from cantilena.rules import Context, RuleSet, load_rules

LEAST_LOG_P = -30.0
"""An agent is shown no smaller log p than this: a bound that an observation can have."""


@dataclass(frozen=True, slots=True)
class Earned:
    """What the newest token of each melody earned.

    Args:
        log_p: `(melodies,)` float64, nats: log p of the token under the prior.
        terms: `(melodies,)` float64 by rule: what each rule says, whole, weights counted, neither clipped nor divided.
        reward: `(melodies,)` float64: log p + r_MT / c, the rules clipped as `MusicReward.learned` clips them.
    """

    log_p: NDArray[np.float64]
    terms: dict[str, NDArray[np.float64]]
    reward: NDArray[np.float64]


class GrowingMelodies:
    """Many melodies of one length that grow at the same pace.

    Args:
        bundle: whose prior gives log p, and whose encoding says what a token is.
        reward: r_MT / c.
        melodies: how many.
        steps: how long each will be.
        memory: how many of the latest tokens an agent is shown, `steps` at the most.

    Raises:
        UsageError: a size out of range.

    Example:
        >>> from cantilena.models import find_bundle
        >>> from cantilena.rules import RULE_SETS, Context
        >>> bundle = Bundle.load(find_bundle("tunes"))
        >>> reward = MusicReward(bundle.encoding, RULE_SETS["paper"], Context(), c=0.5, clip=10.0)
        >>> growing = GrowingMelodies(bundle, reward, melodies=2, steps=4, memory=3)
        >>> earned = growing.append(np.array([14, 15]))  # C4 and C#4
        >>> earned.terms["tonic"].tolist(), earned.terms["key"].tolist()
        ([3.0, 0.0], [0.0, -1.0])
        >>> growing.observation()["tokens"].tolist()  # 38: nothing yet
        [[38, 38, 14], [38, 38, 15]]
    """

    def __init__(self, bundle: Bundle, reward: MusicReward, *, melodies: int, steps: int, memory: int) -> None:
        for name, value, most in (("melodies", melodies, 65536), ("steps", steps, 4096), ("memory", memory, 4096)):
            if not 1 <= value <= most:
                raise UsageError(f"{name} is {value}", f"give a whole number from 1 to {most}")
        self.melodies, self.steps, self.memory = melodies, steps, min(memory, steps)
        self.encoding, self.reward = bundle.encoding, reward
        self.vocabulary_size = len(self.encoding.vocabulary)
        self.steps_per_bar = reward.context.steps_per_bar if self.encoding.is_timed else None
        self._prior = bundle.prior()
        # Each token by itself, read once: in every encoding it says the same wherever it stands.
        self._alone = self.encoding.line(np.arange(self.vocabulary_size)[:, None])
        self._rows = np.arange(melodies)
        self.start()

    @classmethod
    def of(
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
        """The same from what a user names; `MelodyEnv` says what each is.

        Raises:
            UsageError: a name or number that cannot be.
            BundleError: the bundle is missing or cannot be read.
        """
        for name, value in (("c", c), ("clip", clip)):
            if not 0.0 < value <= 1e6:
                raise UsageError(f"{name} is {value:g}", "give a number above 0")
        loaded = bundle if isinstance(bundle, Bundle) else Bundle.load(find_bundle(bundle))
        chosen = rules if isinstance(rules, RuleSet) else load_rules(rules)
        asked, beat = Key.parse(key) if key else Key(), Meter.parse(meter)
        home = asked.plain if loaded.provenance.get("plain_keys") else asked
        encoding = loaded.encoding
        context = Context(home, beat, max(beat.ticks_per_bar // encoding.ticks_per_step, 1), timed=encoding.is_timed)
        reward = MusicReward(encoding, chosen, context, c, clip)
        return cls(loaded, reward, melodies=melodies, steps=steps, memory=memory)

    def start(self) -> None:
        """Begin anew: nothing has sounded."""
        shape = self.melodies, self.steps
        self.clock = 0
        self._heard = np.full((self.melodies, self.memory + self.steps), self.vocabulary_size, dtype=np.int64)
        self._line = Line.from_events(np.full(shape, HOLD), np.full(shape, -1))
        self._log_p, self._state = start_with_bars(self._prior, self.melodies, self.reward.bars(self.melodies))
        self._log_p = to_numpy(self._log_p)

    @property
    def compass(self) -> tuple[int, int]:
        """The lowest and the highest pitch that a token can strike as its top note, MIDI numbers."""
        struck = self._alone.pitch[self._alone.pitch >= 0]
        return (int(struck.min()), int(struck.max())) if struck.size else (60, 60)

    @property
    def finished(self) -> bool:
        """Whether every melody has its last token."""
        return self.clock == self.steps

    @property
    def tokens(self) -> NDArray[np.int64]:
        """`(melodies, steps so far)`: a copy of what has sounded."""
        return self._heard[:, self.memory : self.memory + self.clock].copy()

    def append(self, tokens: NDArray[np.int64]) -> Earned:
        """Let every melody grow by a token.

        Args:
            tokens: `(melodies,)`.

        Raises:
            UsageError: the melodies are finished, or tokens that do not exist.
        """
        self._check(tokens)
        now, line, alone = self.clock, self._line, self._alone
        self._heard[:, self.memory + now] = tokens
        line.event[:, now] = alone.event[tokens, 0]
        line.pitch[:, now] = alone.pitch[tokens, 0]
        line.pitch_classes[:, now] = alone.pitch_classes[tokens, 0]

        judged = self.reward.rules.rewards(line, self.reward.context)
        terms = {name: values[:, now].copy() for name, values in judged.items()}
        log_p = self._log_p[self._rows, tokens].astype(np.float64)
        self.clock += 1
        self._log_p, self._state = self._prior.step(tokens, self._state)
        self._log_p = to_numpy(self._log_p)
        return Earned(log_p, terms, log_p + self.reward.learned(terms))

    def observation(self) -> dict[str, NDArray[np.generic]]:
        """What an agent is shown before the next token, in new arrays, one row a melody; `MelodyEnv` explains it."""
        shown: dict[str, NDArray[np.generic]] = {
            "tokens": self._heard[:, self.clock : self.clock + self.memory].copy(),
            "left": np.full(self.melodies, self.steps - self.clock),
            "log_p": np.maximum(self._log_p, LEAST_LOG_P).astype(np.float32),
        }
        if self.steps_per_bar is not None:
            shown["place"] = np.full(self.melodies, self.clock % self.steps_per_bar)
        return shown

    def decoded(self) -> list[Melody]:
        """What the tokens say so far, as melodies."""
        context = self.reward.context
        return [self.encoding.decode(row, key=context.key, meter=context.meter) for row in self.tokens]

    def _check(self, tokens: NDArray[np.int64]) -> None:
        if self.finished:
            raise UsageError(f"a melody of {self.steps} steps is finished", "reset the environment to begin another")
        if tokens.shape != (self.melodies,) or tokens.dtype.kind not in "iu":
            raise UsageError(
                f"actions of shape {tokens.shape}, type {tokens.dtype}", f"give {self.melodies} whole numbers"
            )
        if not (int(tokens.min()) >= 0 and int(tokens.max()) < self.vocabulary_size):
            raise UsageError(
                f"an action from {int(tokens.min())} to {int(tokens.max())}",
                f"the vocabulary has 0..{self.vocabulary_size - 1}",
            )
