"""Policies: how the scores of a network become probabilities.

With s the network's scores and p the prior (the model before tuning):

    likelihood   log softmax s                     a trained network, and policy gradients
    softmax-q    log softmax Q                     the published code's sampling for q
    argmax-q     all on the highest Q              the paper's policy for q
    psi          log softmax Psi                   Psi-learning (Jaques et al., Sequence Tutor, arXiv 1611.02796)
    g            log softmax (log p + G)           G-learning (the same)

Numpy arrays and torch tensors, told apart without importing torch.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.models.protocol import Array, Bars, SequenceModel, State, log_probs_in_bars, start_in_bars


def numpy_of(array: Any) -> NDArray[Any]:  # noqa: ANN401  (a numpy array or a torch tensor)
    """A numpy array, or a torch tensor's values as one (without its gradient).

    Example:
        >>> numpy_of(np.arange(3)).tolist()
        [0, 1, 2]
    """
    return np.asarray(array.detach().cpu().numpy() if hasattr(array, "detach") else array)


def log_softmax(scores: Any) -> Any:  # noqa: ANN401
    """Normalised natural log probabilities over the last axis, of numpy arrays or torch tensors alike.

    Example:
        >>> bool(np.allclose(np.exp(log_softmax(np.array([[1.0, 2.0, 3.0]]))).sum(), 1.0))
        True
    """
    if hasattr(scores, "detach"):
        return scores.log_softmax(-1)
    centred = scores - scores.max(axis=-1, keepdims=True)
    return centred - np.log(np.exp(centred).sum(axis=-1, keepdims=True))


Policy = Literal["likelihood", "softmax-q", "argmax-q", "psi", "g"]
"""The name of a policy."""
POLICIES: tuple[str, ...] = get_args(Policy)
"""The policies by name."""

NEVER = -1e4
"""Log probability of what a deterministic policy does not choose: its exponential is 0, and 0 times it 0, not NaN."""


class ScoreModel(SequenceModel, Protocol):
    """A sequence model that also gives its head's raw scores."""

    def scores(self, tokens: Array, bars: Bars | None = None) -> Array:
        """`(melodies, steps, vocabulary)` scores, entry t given the tokens before t."""
        ...

    def start_scores(self, melodies: int, bars: Bars | None = None) -> tuple[Array, State]:
        """`(melodies, vocabulary)` scores of the first token, and the state."""
        ...

    def step_scores(self, tokens: Array, state: State) -> tuple[Array, State]:
        """`(melodies, vocabulary)` scores of the next token, and the state."""
        ...


def policy_log_probs(policy: str, scores: Array, prior_log_probs: Array | None = None) -> Array:
    """Scores as normalised log probabilities over the last axis; numpy in, numpy out, and the same for torch.

    Args:
        policy: its name.
        scores: `(..., vocabulary)`.
        prior_log_probs: the same shape, log p of the model before tuning; only `g` reads it.

    Raises:
        UsageError: an unknown policy, or `g` without a prior.

    Example:
        >>> policy_log_probs("argmax-q", np.array([[1.0, 3.0]])).tolist()
        [[-10000.0, 0.0]]
    """
    if policy in ("likelihood", "softmax-q", "psi"):
        return log_softmax(scores)
    if policy == "argmax-q":
        best = scores.argmax(-1)[..., None]  # the first where several are highest
        never = scores * 0 + NEVER
        if hasattr(scores, "detach"):
            return never.scatter(-1, best, 0.0)
        np.put_along_axis(never, best, 0.0, axis=-1)
        return never
    if policy == "g":
        if prior_log_probs is None:
            raise UsageError("the policy g without its prior", "use a bundle that tuning wrote: it holds both networks")
        return log_softmax(scores + prior_log_probs)
    raise UsageError(f"there is no policy '{policy}'", f"choose one of {', '.join(POLICIES)}")


class PolicyModel:
    """A tuned network read by its policy: itself a sequence model.

    Args:
        network: gives the scores.
        policy: how they are read.
        prior: the model before tuning, where the policy asks for it.

    Raises:
        UsageError: as `policy_log_probs`.
    """

    def __init__(self, network: ScoreModel, policy: str, prior: SequenceModel | None = None) -> None:
        if policy not in POLICIES:
            raise UsageError(f"there is no policy '{policy}'", f"choose one of {', '.join(POLICIES)}")
        if policy == "g" and prior is None:
            raise UsageError("the policy g without its prior", "use a bundle that tuning wrote: it holds both networks")
        self.network, self.policy = network, policy
        self.prior = prior if policy == "g" else None

    @property
    def vocabulary_size(self) -> int:
        """How many tokens there are."""
        return self.network.vocabulary_size

    @property
    def uses_bars(self) -> bool:
        """Whether it cares where in its bar a step lies."""
        return any(getattr(model, "uses_bars", False) for model in (self.network, self.prior))

    def start(self, melodies: int, *, bars: Bars | None = None) -> tuple[Array, State]:
        """`(melodies, vocabulary)` log p of the first token, and the state."""
        scores, state = self.network.start_scores(melodies, bars)
        prior, prior_state = start_in_bars(self.prior, melodies, bars) if self.prior else (None, None)
        return policy_log_probs(self.policy, scores, prior), (state, prior_state)

    def step(self, tokens: Array, state: State) -> tuple[Array, State]:
        """`(melodies, vocabulary)` log p of the next token, and the state."""
        scores, network_state = self.network.step_scores(tokens, state[0])
        prior, prior_state = self.prior.step(tokens, state[1]) if self.prior else (None, None)
        return policy_log_probs(self.policy, scores, prior), (network_state, prior_state)

    def log_probs(self, tokens: Array, *, bars: Bars | None = None) -> Array:
        """`(melodies, steps, vocabulary)` log p of each step given the tokens before it."""
        prior = log_probs_in_bars(self.prior, tokens, bars) if self.prior else None
        return policy_log_probs(self.policy, self.network.scores(tokens, bars), prior)
