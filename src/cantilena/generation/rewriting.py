"""New music for a gap that fits what comes after it too.

What a model draws after the past alone knows nothing of the future: it may run into it by a leap, in the wrong
harmony. What is wanted is a draw from p(gap | past, future), and by Bayes' rule

    p(gap | past, future)  is proportional to  p(gap | past) p(future | past, gap).

So many candidates are drawn from p(gap | past), each is weighted by the probability of the future after it, and one is
drawn by these weights: sampling-importance resampling (D. B. Rubin, "Using the SIR algorithm to simulate posterior
distributions", Bayesian Statistics 3, 1988), exact as the candidates become many. With a temperature both factors are
those of the tempered model, whose every step is p^(1/T), normalised. The draw by weights adds Gumbel noise to their
logarithms and takes the largest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cantilena.generation.constraints import Constraints
from cantilena.generation.infilling import Surroundings
from cantilena.generation.options import SamplingOptions
from cantilena.generation.sampling import log_likelihood, sample
from cantilena.models import Bars, SequenceModel, log_probs_in_bars, log_softmax, numpy_of
from cantilena.tokenizers import Encoding

CANDIDATES = 64
"""How many candidates are drawn for one gap."""

_CELLS = 100_000
"""Steps that are judged in one call: bounds the memory."""


@dataclass(frozen=True)
class Filling:
    """What fills a gap.

    Args:
        tokens: `(steps,)`.
        log_likelihood: nats of the tokens after the past, under the untuned model.
        policy_log_likelihood: the same under the model that drew them, of what rules left.
        broken: how often a rule was broken; None without rules.
    """

    tokens: NDArray[np.int64]
    log_likelihood: float
    policy_log_likelihood: float
    broken: int | None


@dataclass(frozen=True)
class Candidates:
    """What might fill a gap.

    Args:
        tokens: `(candidates, steps)`.
        log_likelihood: `(candidates,)` nats of the new tokens after the past.
        log_future: `(candidates,)` nats of what follows after the past and the candidate, under the tempered model.
        broken: `(candidates,)` how often a rule was broken; None without rules.
    """

    tokens: NDArray[np.int64]
    log_likelihood: NDArray[np.float64]
    log_future: NDArray[np.float64]
    broken: NDArray[np.int64] | None

    def chosen(self, rng: np.random.Generator, *, greedy: bool = False) -> int:
        """One of them, drawn by the probability of what follows; greedy: the most probable whole.

        Example:
            >>> two = Candidates(np.zeros((2, 1), dtype=int), np.zeros(2), np.array([-90.0, -1.0]), None)
            >>> two.chosen(np.random.default_rng(1))
            1
        """
        noise = self.log_likelihood if greedy else rng.gumbel(size=len(self.tokens))
        return int(np.argmax(np.nan_to_num(self.log_future + noise, neginf=-1e300)))


def fill(
    around: Surroundings,
    rng: np.random.Generator,
    *,
    model: SequenceModel,
    prior: SequenceModel,
    encoding: Encoding,
    bars: Bars,
    sampling: SamplingOptions,
    allowed: NDArray[np.bool_] | None = None,
    constraints: Constraints | None = None,
) -> Filling:
    """Draw candidates and choose one; arguments as of `candidates_for`, and the model before tuning."""
    drawn = candidates_for(
        model, around, rng, encoding=encoding, bars=bars, sampling=sampling, allowed=allowed, constraints=constraints
    )
    chosen = drawn.chosen(rng, greedy=sampling.greedy)
    tokens = drawn.tokens[chosen]
    untuned = log_likelihood(prior, tokens[None], primer=around.past, bars=bars[:1])[0]
    broken = None if drawn.broken is None else int(drawn.broken[chosen])
    return Filling(tokens, float(untuned), float(drawn.log_likelihood[chosen]), broken)


def candidates_for(
    model: SequenceModel,
    around: Surroundings,
    rng: np.random.Generator,
    *,
    encoding: Encoding,
    bars: Bars,
    sampling: SamplingOptions,
    allowed: NDArray[np.bool_] | None = None,
    constraints: Constraints | None = None,
) -> Candidates:
    """Draw candidates for a gap after its past, and weigh what follows after each.

    Args:
        model: what draws and weighs.
        around: the gap.
        rng: the randomness.
        encoding: what the tokens mean.
        bars: where the first token lies, one row a candidate.
        sampling: temperature and cut-offs; the candidates of a greedy draw are drawn at its temperature.
        allowed: `(vocabulary,)`: which tokens may be drawn.
        constraints: rules to keep.
    """
    drawn = sample(
        model,
        rng.random((len(bars.pickup), around.steps)),
        options=replace(sampling, greedy=False),
        primer=around.past,
        allowed=_allowed(around, encoding, allowed),
        bars=bars,
        constraints=constraints,
    )
    whole = around.whole(drawn.tokens, encoding)
    future = np.zeros(len(whole))
    at_once = max(_CELLS // max(whole.shape[1], 1), 1) if len(around.future) else len(whole)
    for first in range(0, len(whole) if len(around.future) else 0, at_once):
        rows = slice(first, first + at_once)
        future[rows] = _log_future(model, whole[rows], bars[rows], len(around.future), sampling.temperature)
    return Candidates(drawn.tokens, drawn.log_likelihood, future, drawn.broken)


def _log_future(
    model: SequenceModel, whole: NDArray[np.int64], bars: Bars, steps: int, temperature: float
) -> NDArray[np.float64]:
    """Nats of the last steps of each row, at a temperature."""
    log_probs = np.asarray(numpy_of(log_probs_in_bars(model, whole, bars))[:, -steps:], dtype=np.float64)
    tempered = log_softmax(log_probs / temperature)
    chosen: NDArray[np.float64] = np.take_along_axis(tempered, whole[:, -steps:, None], axis=-1)[..., 0].sum(axis=1)
    return chosen


def _allowed(around: Surroundings, encoding: Encoding, allowed: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    """`(steps, vocabulary)`: what may come at each step; the first ends what sounded before."""
    if not around.begins_anew:
        return allowed
    size = len(encoding.vocabulary)
    each = np.tile(np.ones(size, dtype=bool) if allowed is None else allowed, (around.steps, 1))
    each[0, encoding.vocabulary.index("hold")] = False
    return each
