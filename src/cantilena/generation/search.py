"""Looking ahead while composing: sequential Monte Carlo over several candidates of each melody.

Of the tokens only those are drawn that the form, the range and the rules to keep leave. Where these are improbable the
melody has run into its form by chance, as the model would not have done with the form in mind. Wanted is a draw from

    p(melody | all tokens are among those left)  exp(r / c + f), normalised,

with the probability p of the model at the temperature, the rewards r of rules and the log odds f of a critic that
people made the melody. Several candidates are drawn as one is without a search. The weight of a candidate is the
product of the probabilities that the tokens left had together at each token, times exp(r / c) of what is there. At each
barline that all candidates of a melody have passed they are resampled by their weights at that barline, if the
effective sample size is below half of their number, by systematic resampling; what they have drawn beyond the barline
counts at the next one (N. J. Gordon, D. J. Salmond and A. F. M. Smith 1993; A. Doucet and A. M. Johansen, A Tutorial on
Particle Filtering and Smoothing, 2011). At the end one candidate is drawn by its weight times exp f, which is exact in
the limit of many candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.generation.options import ComposeOptions
from cantilena.generation.sampling import Drawing, Samples
from cantilena.models import Bars, MelodyCritic, find_critic
from cantilena.music import ChordTrack
from cantilena.rules import Context, RuleSet, load_rules
from cantilena.tokenizers import Encoding

Floats = NDArray[np.float64]

RULE_SCALE = 3.0
"""The c by which rewards of rules are divided, the default of tuning."""
_CLIP = 10.0
"""The largest reward of a rule at a step, the same."""
_END = 2**40
"""A time beyond the end of any melody."""
_FEWEST = 0.5
"""The effective sample size below which candidates are resampled, as a share of their number."""


@dataclass(frozen=True)
class Search:
    """A search among candidates; the candidates of a melody are adjacent rows, and every melody has as many.

    Args:
        rngs: the randomness of each melody.
        encoding: of the tokens.
        context: the key and bars of the tokens.
        rules: whose rewards weigh; None for none.
        critic: whose log odds weigh whole melodies; None for none.
        chords: over each candidate, in the key of the tokens; empty if they are not told any.
    """

    rngs: Sequence[np.random.Generator]
    encoding: Encoding
    context: Context
    rules: RuleSet | None = None
    critic: MelodyCritic | None = None
    chords: Sequence[ChordTrack] = ()

    @classmethod
    def from_options(
        cls,
        options: ComposeOptions,
        encoding: Encoding,
        context: Context,
        rngs: Sequence[np.random.Generator],
        chords: Sequence[ChordTrack] = (),
    ) -> Search:
        """The search with the rules and the critic that options name.

        Raises:
            UsageError: there are no such rules, or the critic is of another encoding.
        """
        rules: str | RuleSet | None = options.rules
        if isinstance(rules, str):
            rules = load_rules(rules) if rules.strip() else None
        critic = None if options.critic is None else MelodyCritic.load(find_critic(options.critic))
        if critic is not None and critic.encoding != encoding:
            raise UsageError(
                f"{options.critic} judges melodies of other tokens than this model's",
                "train one for this model: cantilena train critic",
            )
        return cls(rngs, encoding, context, rules, critic, chords)

    def __call__(self, drawing: Drawing, bars: Bars | None) -> Samples:
        """Draw all candidates, of which nothing is drawn yet, and choose one of each melody.

        At the barlines of `bars`, those of the candidates, they are compared; None compares them at the end alone.
        """
        rows, melodies = len(drawing.tokens), len(self.rngs)
        count = rows // melodies
        barlines = _barlines(bars, drawing.tokens.shape)
        at_barline, paid = np.full(barlines.shape, np.nan), np.zeros(rows)
        passed = np.zeros(melodies, dtype=np.int64)
        while not drawing.is_done:
            drawing.advance()
            new = (drawing.clock[:, None] >= barlines) & np.isnan(at_barline)
            if not new.any():
                continue
            weights = drawing.log_mass[:, None] + self._rewards(drawing.samples.tokens, barlines)
            at_barline[new] = weights[new]
            common = (~np.isnan(at_barline)).sum(axis=1).reshape(melodies, count).min(axis=1)
            chosen = np.arange(rows)
            for melody in np.flatnonzero(common > passed).tolist():
                own = np.arange(count) + melody * count
                now = at_barline[own, common[melody] - 1]
                shares = _shares(now - paid[own])
                if 1.0 / (shares**2).sum() < _FEWEST * count:
                    ancestors = own[_systematic(shares, self.rngs[melody].random(), count)]
                    chosen[own], paid[own] = ancestors, at_barline[ancestors, common[melody] - 1]
            passed = common
            if (chosen != np.arange(rows)).any():
                drawing.take(chosen)
                at_barline = at_barline[chosen]
        weights = drawing.log_mass - paid + self._rewards(drawing.samples.tokens, np.full((rows, 1), _END))[:, 0]
        if self.critic is not None and bars is not None:
            weights = weights + self.critic.log_odds(drawing.tokens, bars)
        best = [
            count * melody + int(_systematic(_shares(own), rng.random(), 1)[0])
            for melody, (own, rng) in enumerate(zip(weights.reshape(melodies, count), self.rngs, strict=True))
        ]
        return drawing.samples[np.array(best)]

    def _rewards(self, tokens: NDArray[np.int64], times: NDArray[np.int64]) -> Floats:
        """`(candidates, times)`: r / c of the steps before each of `(candidates, times)` times, in the unit of bars."""
        if self.rules is None:
            return np.zeros(times.shape)
        line = self.encoding.line(tokens)
        if self.chords:
            line = line.with_chords(self.chords, self.encoding.ticks_per_step)
        terms = self.rules.rewards(line, self.context).values()
        total = np.cumsum(sum(np.clip(term, -_CLIP, _CLIP) for term in terms) / RULE_SCALE, axis=1)
        total = np.concatenate([np.zeros((len(tokens), 1)), total], axis=1)
        steps = times * self.encoding.ticks_per_count // self.encoding.ticks_per_step
        return np.take_along_axis(total, np.minimum(steps, total.shape[1] - 1), axis=1)


def _barlines(bars: Bars | None, shape: tuple[int, int]) -> NDArray[np.int64]:
    """`(candidates, barlines)` times between beginning and end for `(candidates, steps)` tokens; the rest is `_END`."""
    if bars is None:
        return np.full((shape[0], 0), _END)
    end = np.where(bars.length > 0, bars.length, shape[1])[:, None]
    count = int((end[:, 0] // bars.steps_per_bar).max(initial=0))
    times = bars.pickup[:, None] + bars.steps_per_bar[:, None] * np.arange(count + 1)[None, :]
    return np.where((times > 0) & (times < end), times, _END)


def _shares(log_weights: Floats) -> Floats:
    weights = np.exp(log_weights - log_weights.max())
    shares: Floats = weights / weights.sum()
    return shares


def _systematic(shares: Floats, uniform: float, count: int | None = None) -> NDArray[np.int64]:
    """Draw `count` indices, by default as many as there are, each about as often as its share says.

    Examples:
        >>> _systematic(np.array([0.5, 0.1, 0.4]), 0.5, 4).tolist()
        [0, 0, 2, 2]
    """
    count = len(shares) if count is None else count
    places = (np.arange(count) + uniform) / count
    return np.minimum(np.searchsorted(np.cumsum(shares), places, side="right"), len(shares) - 1)
