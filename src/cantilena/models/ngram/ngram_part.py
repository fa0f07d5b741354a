"""The n-gram that a network is blended with, as a bundle holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from cantilena.models.ngram.ngram_options import NGramOptions


@dataclass(frozen=True, eq=False)
class NGramPart:
    """The n-gram of a blend.

    Args:
        options: its shape.
        arrays: what was counted (`ngram_arrays`).
        share: how much of the blend it is, 0 to 1.
    """

    options: NGramOptions
    arrays: Mapping[str, NDArray[Any]] = field(repr=False)
    share: float
