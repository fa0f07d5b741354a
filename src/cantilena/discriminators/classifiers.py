"""What every listener is: something that learns from examples and then says how generated others sound."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cantilena.discriminators.examples import Examples
from cantilena.errors import UsageError


class Scorer(Protocol):
    """A listener that has learned."""

    def score(self, examples: Examples) -> NDArray[np.float64]:
        """How generated each melody sounds, `(melodies,)`: 0 human, 1 generated."""


class Family(Protocol):
    """A kind of classifier. One that rewards, one that stops a run and one that judges are different members."""

    def fit(self, examples: Examples, generated: NDArray[np.bool_], rng: np.random.Generator) -> Scorer:
        """Learn to tell generated melodies from others.

        Args:
            examples: as many of each kind, all of one length.
            generated: `(melodies,)`: which are generated.
            rng: where all its randomness comes from.
        """


def family(name: str, device: str = "auto") -> Family:
    """The kind of classifier of that name: one in `options.FAMILIES`, or the control `trivial`.

    Args:
        name: of the kind.
        device: where a network learns.

    Raises:
        UsageError: there is none.

    Example:
        >>> type(family("logistic")).__name__
        'Logistic'
    """
    match name:
        case "logistic":
            from cantilena.discriminators.logistic import Logistic

            return Logistic()
        case "boosting":
            from cantilena.discriminators.boosting import Boosting

            return Boosting()
        case "gru":
            from cantilena.discriminators.recurrent import Recurrent

            return Recurrent(device=device)
        case "trivial":
            from cantilena.discriminators.trivial import Trivial

            return Trivial()
    raise UsageError(f"there is no classifier '{name}'", "choose logistic, boosting, gru or trivial")
