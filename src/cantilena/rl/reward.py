"""What a melody earns: rules of music theory, scored whole and by rule.

The paper (section VIII.C): r(s, a) = log p(a given s) + r_MT(a, s) / c. This file is r_MT / c; the learner adds log p.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.models import Bars, bars_for_encoding
from cantilena.rules import Context, RuleSet
from cantilena.tokenizers import Encoding


@dataclass(frozen=True)
class MusicReward:
    """A rule set, read as a reward.

    Args:
        encoding: what the tokens mean.
        rules: the rules with their weights.
        context: key and meter that the rules ask for.
        c: the reward of the rules is divided by it.
        clip: no rule gives or takes more than this at a step, so that one rule's -100 does not drown the rest.
    """

    encoding: Encoding
    rules: RuleSet
    context: Context
    c: float
    clip: float

    def bars(self, melodies: int) -> Bars | None:
        """The bars of melodies in the reward's meter and key, both told; None where tokens tell no time."""
        return bars_for_encoding(self.context.meter, melodies, self.encoding, self.context.key)

    def terms(self, tokens: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        """What each rule says, whole: `(melodies, steps)` by rule, weights counted, neither clipped nor divided."""
        return self.rules.rewards(self.encoding.line(tokens), self.context)

    def clipped(self, terms: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float32]:
        """The rules together: `(melodies, steps)`, each clipped, then summed, not yet divided by c."""
        return np.asarray(sum(np.clip(term, -self.clip, self.clip) for term in terms.values()), dtype=np.float32)

    def learned(self, terms: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float32]:
        """What the learner is given, r_MT / c: `(melodies, steps)`, each rule clipped, summed, divided by c."""
        return np.asarray(self.clipped(terms) / self.c, dtype=np.float32)
