"""Large weight matrices as 8-bit integers with one float32 scale a row.

Row r of a matrix W is stored as q = round(W / s_r), from -127 to 127, with s_r = max |W_r| / 127, and read as s_r q:
the error of a weight is at most s_r / 2 (symmetric quantisation as of channels in Jacob et al. 2018, Quantization and
training of neural networks for efficient integer-arithmetic-only inference). Computation is in float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import BundleError

SCALE = "scale."
"""Prefix of the names of scales: `scale.weights.head.weight`."""

MIN_SIZE = 4096
"""Numbers of the smallest matrix that is quantised."""

_HINT = "ask whoever gave it to you for a new file"


def quantize(tensors: Mapping[str, NDArray[np.floating]]) -> dict[str, NDArray[Any]]:
    """Large matrices as int8 with their scales, everything else as float16.

    Examples:
        >>> stored = quantize({"weights.a": np.full((64, 64), 0.5, dtype=np.float32)})
        >>> sorted(stored), stored["weights.a"].dtype.name
        (['scale.weights.a', 'weights.a'], 'int8')
        >>> float(dequantize(stored)["weights.a"][0, 0])
        0.5
    """
    stored: dict[str, NDArray[Any]] = {}
    for name, weight in tensors.items():
        if weight.ndim != 2 or weight.size < MIN_SIZE:
            stored[name] = to_floats(weight, np.float16)
            continue
        exact = np.asarray(weight, dtype=np.float64)
        scale = np.abs(exact).max(axis=1) / 127.0
        scale = np.maximum(scale, np.finfo(np.float32).tiny).astype(np.float32)
        stored[name] = np.clip(np.rint(exact / scale[:, None]), -127, 127).astype(np.int8)
        stored[SCALE + name] = scale
    return stored


def to_floats(weight: NDArray[np.floating], dtype: type[np.floating]) -> NDArray[np.floating]:
    """Weights as floats of a type; values beyond its range are clipped."""
    largest = float(np.finfo(dtype).max)
    return np.ascontiguousarray(np.clip(weight, -largest, largest), dtype=dtype)


def dequantize(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The weights of `quantize` as float32; tensors of other types are unchanged.

    Args:
        tensors: untrusted.

    Raises:
        BundleError: int8 matrices and scales do not correspond.
    """
    scales = {name.removeprefix(SCALE): array for name, array in tensors.items() if name.startswith(SCALE)}
    weights = {name: array for name, array in tensors.items() if not name.startswith(SCALE)}
    quantized = {name for name, array in weights.items() if array.dtype == np.int8}
    if quantized != set(scales):
        odd = sorted(quantized ^ set(scales))[0]
        raise BundleError(f"this bundle has only the 8-bit integers or only the scales of {odd[:80]!r}", _HINT)
    for name, scale in scales.items():
        if weights[name].ndim != 2 or scale.dtype != np.float32 or scale.shape != weights[name].shape[:1]:
            raise BundleError(f"this bundle's 8-bit integers {name[:80]!r} do not have a scale for each row", _HINT)
        if not np.isfinite(scale).all():
            raise BundleError(f"this bundle's scales of {name[:80]!r} are not all finite", _HINT)
        weights[name] = weights[name].astype(np.float32) * scale[:, None]
    return weights
