"""Policies: how scores of a network become probabilities.

With s the scores of the network and p the prior (the model before tuning):

    likelihood   log softmax s                     a trained network, and policy gradients
    softmax-q    log softmax Q                     the published code's sampling for q
    argmax-q     all on the highest Q              the paper's policy for q
    psi          log softmax Psi                   Psi-learning (Jaques et al., Sequence Tutor, arXiv 1611.02796)
    g            log softmax (log p + G)           G-learning (the same)

Functions here take numpy arrays or torch tensors, and do not import torch.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.models.protocol import Array, Bars, SequenceModel, State, log_probs_with_bars, start_with_bars

Policy = Literal["likelihood", "softmax-q", "argmax-q", "psi", "g"]
"""The name of a policy."""
POLICIES: tuple[str, ...] = get_args(Policy)
"""All policies."""

LOG_ZERO = -1e4
"""Log probability of tokens that are never chosen: its exponential is 0, and 0 times it is 0, not NaN."""


def to_numpy(array: Any) -> NDArray[Any]:  # noqa: ANN401  (a numpy array or a torch tensor)
    """Convert a torch tensor (detached) or a numpy array to a numpy array.

    Examples:
        >>> to_numpy(np.arange(3)).tolist()
        [0, 1, 2]
    """
    return np.asarray(array.detach().cpu().numpy() if hasattr(array, "detach") else array)


def no_grad() -> AbstractContextManager[object]:
    """`torch.no_grad()` if torch is imported, as any model in torch has done; other models must not import it."""
    torch = sys.modules.get("torch")
    return nullcontext() if torch is None else torch.no_grad()


def log_softmax(scores: Any) -> Any:  # noqa: ANN401
    """Natural log probabilities, normalised over the last axis, of a numpy array or a torch tensor.

    Examples:
        >>> bool(np.allclose(np.exp(log_softmax(np.array([[1.0, 2.0, 3.0]]))).sum(), 1.0))
        True
    """
    if hasattr(scores, "detach"):
        return scores.log_softmax(-1)
    centred = scores - scores.max(axis=-1, keepdims=True)
    return centred - np.log(np.exp(centred).sum(axis=-1, keepdims=True))


class ScoreModel(SequenceModel, Protocol):
    """A sequence model that also gives the raw scores of its head."""

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
    """Convert scores to log probabilities, normalised over the last axis.

    Args:
        policy: one of `POLICIES`.
        scores: `(..., vocabulary)`.
        prior_log_probs: the same shape, log p of the model before tuning; used by `g`.

    Raises:
        UsageError: the policy is unknown, or `g` without a prior.

    Examples:
        >>> policy_log_probs("argmax-q", np.array([[1.0, 3.0]])).tolist()
        [[-10000.0, 0.0]]
    """
    if policy in ("likelihood", "softmax-q", "psi"):
        return log_softmax(scores)
    if policy == "argmax-q":
        best = scores.argmax(-1)[..., None]  # the first where several are highest
        log_probs = scores * 0 + LOG_ZERO
        if hasattr(scores, "detach"):
            return log_probs.scatter(-1, best, 0.0)
        np.put_along_axis(log_probs, best, 0.0, axis=-1)
        return log_probs
    check_policy(policy, has_prior=prior_log_probs is not None)
    return log_softmax(scores + prior_log_probs)


def check_policy(policy: str, *, has_prior: bool) -> None:
    """Check that a policy exists and has the prior that it needs.

    Raises:
        UsageError: it does not.
    """
    if policy not in POLICIES:
        raise UsageError(f"there is no policy '{policy}'", f"choose one of {', '.join(POLICIES)}")
    if policy == "g" and not has_prior:
        raise UsageError("the policy g needs its prior", "use a bundle that tuning wrote: it holds both networks")


class PolicyModel:
    """A tuned network and its policy as a sequence model.

    Args:
        network: gives the scores.
        policy: one of `POLICIES`.
        prior: the model before tuning; needed by `g`.

    Raises:
        UsageError: as `policy_log_probs`.
    """

    def __init__(self, network: ScoreModel, policy: str, prior: SequenceModel | None = None) -> None:
        check_policy(policy, has_prior=prior is not None)
        self.network, self.policy = network, policy
        self.prior = prior if policy == "g" else None

    @property
    def vocabulary_size(self) -> int:
        """Number of tokens."""
        return self.network.vocabulary_size

    @property
    def uses_bars(self) -> bool:
        """Whether it reads bars."""
        return any(getattr(model, "uses_bars", False) for model in (self.network, self.prior))

    def start(self, melodies: int, *, bars: Bars | None = None) -> tuple[Array, State]:
        """`(melodies, vocabulary)` log p of the first token, and the state."""
        scores, state = self.network.start_scores(melodies, bars)
        prior, prior_state = start_with_bars(self.prior, melodies, bars) if self.prior else (None, None)
        return policy_log_probs(self.policy, scores, prior), (state, prior_state)

    def step(self, tokens: Array, state: State) -> tuple[Array, State]:
        """`(melodies, vocabulary)` log p of the next token, and the new state."""
        scores, network_state = self.network.step_scores(tokens, state[0])
        prior, prior_state = self.prior.step(tokens, state[1]) if self.prior else (None, None)
        return policy_log_probs(self.policy, scores, prior), (network_state, prior_state)

    def log_probs(self, tokens: Array, *, bars: Bars | None = None) -> Array:
        """`(melodies, steps, vocabulary)` log p of each step given the tokens before it."""
        prior = log_probs_with_bars(self.prior, tokens, bars) if self.prior else None
        return policy_log_probs(self.policy, self.network.scores(tokens, bars), prior)
