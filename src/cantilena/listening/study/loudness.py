"""Integrated loudness by Recommendation ITU-R BS.1770-4, in LUFS.

The sound is K-weighted: a high shelf for the effect of the head, +4 dB from about 1,500 Hz on, and a high-pass for low
frequencies, which sound less loud. The mean square is taken in blocks of 400 ms that overlap by three quarters. Blocks
below -70 LUFS are ignored as silence, and so are blocks more than 10 LU below the mean of the others. The
Recommendation gives the filters for 48 kHz; for other rates they are computed from their frequencies, gains and
qualities by the bilinear transform, as in B. De Man, "Evaluation of implementations of the EBU R128 loudness
measurement", AES Convention 145, 2018.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

_BLOCK, _HOP = 0.4, 0.1
_SILENCE, _BELOW_MEAN = -70.0, -10.0


def loudness(sound: NDArray[np.floating], rate: int) -> float:
    """Compute the integrated loudness of a sound `(samples,)` or `(samples, 2)` with full scale 1.

    The power of both channels is summed. The result is minus infinity for silence and for less than 400 ms.

    Examples:
        >>> time = np.arange(48_000) / 48_000
        >>> round(loudness(np.sin(2 * np.pi * 997 * time), 48_000), 2)  # the value in the Recommendation
        -3.01
    """
    channels = np.asarray(sound, np.float64).reshape(len(sound), -1)
    weighted = k_weighted(channels, rate)
    block, hop = round(_BLOCK * rate), round(_HOP * rate)
    if len(weighted) < block:
        return -math.inf
    total = np.concatenate([[0.0], np.cumsum((weighted**2).sum(axis=1))])
    starts = np.arange(0, len(weighted) - block + 1, hop)
    power = np.maximum((total[starts + block] - total[starts]) / block, 0.0)
    loud = power[power > float(10 ** ((_SILENCE + 0.691) / 10))]
    if not len(loud):
        return -math.inf
    counted = loud[loud > loud.mean() * 10 ** (_BELOW_MEAN / 10)]
    return -0.691 + 10 * math.log10(float(counted.mean()))


def k_weighted(channels: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Apply the K-weighting filters to `(samples, channels)`."""
    shelf = _biquad(rate, 1681.974450955533, 0.7071752369554196, shelf_gain=3.999843853973347)
    high_pass = _biquad(rate, 38.13547087602444, 0.5003270373238773)
    for numerator, denominator in (shelf, high_pass):
        channels = lfilter(numerator, denominator, channels, axis=0)
    return channels


def _biquad(
    rate: int, frequency: float, quality: float, *, shelf_gain: float | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A second-order filter: a high shelf if there is a gain (dB), else a high-pass with unit gain."""
    k = math.tan(math.pi * frequency / rate)
    norm = 1 + k / quality + k * k
    denominator = np.array([1.0, 2 * (k * k - 1) / norm, (1 - k / quality + k * k) / norm])
    if shelf_gain is None:
        return np.array([1.0, -2.0, 1.0]), denominator
    high = 10 ** (shelf_gain / 20)
    middle = high**0.4996667741545416
    numerator = np.array([high + middle * k / quality + k * k, 2 * (k * k - high), high - middle * k / quality + k * k])
    return numerator / norm, denominator
