"""What was asked for, made ready to be drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.generation.constraints import Constraints
from cantilena.generation.options import SamplingOptions
from cantilena.generation.placement import Placement
from cantilena.models import Bars


@dataclass(frozen=True)
class Commission:
    """All that is fixed before the first token is drawn.

    Args:
        placement: key, range, meter, tempo and primer.
        style: the number of the style that the model is told.
        uniforms: `(melodies, steps)`: the randomness.
        sampling: how tokens are drawn.
        bars: where the first step lies in its bar.
        constraints: rules to keep; None for none.
    """

    placement: Placement
    style: int
    uniforms: NDArray[np.float64]
    sampling: SamplingOptions | None
    bars: Bars
    constraints: Constraints | None

    def asked(self) -> dict[str, Any]:
        """The arguments of `sample` and `draw`."""
        return {
            "uniforms": self.uniforms,
            "options": self.sampling,
            "primer": self.placement.primer,
            "allowed": self.placement.allowed,
            "bars": self.bars,
            "constraints": self.constraints,
        }
