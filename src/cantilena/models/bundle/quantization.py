"""Large weight matrices as bytes: a quarter of their size in float32, with one scale a row.

Row r of a matrix W becomes whole numbers from -127 to 127, q = round(W / s_r), with s_r = max |W_r| / 127, and is read
as s_r q: each weight is off by s_r / 2 at most (symmetric quantisation a row, as Jacob et al. 2018, Quantization and
training of neural networks for efficient integer-arithmetic-only inference, have it for channels). All is computed in
float32 afterwards, as ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import BundleError

SCALE = "scale."
"""Begins the names of the rows' scales: `scale.weights.head.weight`."""

LARGE = 4096
"""Numbers of the smallest matrix that is stored so."""

_HINT = "ask whoever gave it to you for a new file"


def as_bytes(tensors: Mapping[str, NDArray[np.floating]]) -> dict[str, NDArray[Any]]:
    """Large matrices as bytes with their scales, all else as 16-bit floats.

    Args:
        tensors: weights by name.

    Example:
        >>> stored = as_bytes({"weights.a": np.full((64, 64), 0.5, dtype=np.float32)})
        >>> sorted(stored), stored["weights.a"].dtype.name
        (['scale.weights.a', 'weights.a'], 'int8')
        >>> float(from_bytes(stored)["weights.a"][0, 0])
        0.5
    """
    stored: dict[str, NDArray[Any]] = {}
    largest = float(np.finfo(np.float16).max)
    for name, weight in tensors.items():
        if weight.ndim != 2 or weight.size < LARGE:
            stored[name] = np.ascontiguousarray(np.clip(weight, -largest, largest), dtype=np.float16)
            continue
        exact = np.asarray(weight, dtype=np.float64)
        scale = np.abs(exact).max(axis=1) / 127.0
        scale = np.maximum(scale, np.finfo(np.float32).tiny).astype(np.float32)
        stored[name] = np.clip(np.rint(exact / scale[:, None]), -127, 127).astype(np.int8)
        stored[SCALE + name] = scale
    return stored


def from_bytes(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The weights of what `as_bytes` gave, as float32; what is stored otherwise stays as it is.

    Args:
        tensors: of a file that nobody has vouched for.

    Raises:
        BundleError: bytes without a scale for each row, or scales without bytes.
    """
    scales = {name.removeprefix(SCALE): array for name, array in tensors.items() if name.startswith(SCALE)}
    weights = {name: array for name, array in tensors.items() if not name.startswith(SCALE)}
    whole = {name for name, array in weights.items() if array.dtype == np.int8}
    if whole != set(scales):
        odd = sorted(whole ^ set(scales))[0]
        raise BundleError(f"this bundle has bytes or their scales alone of {odd[:80]!r}", _HINT)
    for name, scale in scales.items():
        if weights[name].ndim != 2 or scale.dtype != np.float32 or scale.shape != weights[name].shape[:1]:
            raise BundleError(f"this bundle's bytes of {name[:80]!r} have no scale for each row", _HINT)
        if not np.isfinite(scale).all():
            raise BundleError(f"this bundle's scales of {name[:80]!r} are not all finite", _HINT)
        weights[name] = weights[name].astype(np.float32) * scale[:, None]
    return weights
