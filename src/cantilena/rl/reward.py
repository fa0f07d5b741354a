"""The reward of the rules, r_MT / c.

The paper (section VIII.C): r(s, a) = log p(a given s) + r_MT(a, s) / c. The learner adds log p.
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
    """A rule set as a reward.

    Args:
        encoding: defines the tokens.
        rules: the rules with their weights.
        context: key and meter of the rules.
        c: divisor of the rules' rewards.
        clip: maximum magnitude of a rule's reward at a step, so that a reward of -100 does not dominate.
    """

    encoding: Encoding
    rules: RuleSet
    context: Context
    c: float
    clip: float

    def bars(self, melodies: int) -> Bars | None:
        """The bars of melodies in the meter and key of the reward; None if tokens have no duration."""
        return bars_for_encoding(self.context.meter, melodies, self.encoding, self.context.key)

    def terms(self, tokens: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        """The weighted reward of each rule, `(melodies, steps)` by rule, neither clipped nor divided by c."""
        return self.rules.rewards(self.encoding.line(tokens), self.context)

    def clipped(self, terms: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float32]:
        """The sum of the clipped terms, `(melodies, steps)`, not divided by c."""
        return np.asarray(sum(np.clip(term, -self.clip, self.clip) for term in terms.values()), dtype=np.float32)

    def scaled(self, terms: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float32]:
        """r_MT / c: the sum of the clipped terms divided by c, `(melodies, steps)`."""
        return np.asarray(self.clipped(terms) / self.c, dtype=np.float32)
