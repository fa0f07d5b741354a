"""Numpy arrays and torch tensors, told apart without importing torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


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
