"""How loud a sound is to people: integrated loudness by Recommendation ITU-R BS.1770-4, in LUFS.

The sound is K-weighted: a shelf for the head, +4 dB from some 1,500 Hz on, and a high-pass for what hardly is heard as
loud. Its mean square is taken in blocks of 400 ms that overlap by three quarters; blocks below -70 LUFS are silence and
do not count, and of the rest those count that are not 10 LU below their mean. The filters are given for 48 kHz; for
other rates they are found anew from the frequencies, gains and qualities behind them (bilinear transform), as B. De
Man, "Evaluation of implementations of the EBU R128 loudness measurement", AES Convention 145, 2018, tells them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

_BLOCK, _HOP = 0.4, 0.1
_SILENCE, _BELOW_MEAN = -70.0, -10.0


def loudness(sound: NDArray[np.floating], rate: int) -> float:
    """Integrated loudness.

    Args:
        sound: `(samples,)` or `(samples, 2)`, full scale is 1; channels are added up, none weighs more.
        rate: samples a second.

    Returns:
        LUFS; minus infinity for silence and for less than 400 ms.

    Example:
        >>> time = np.arange(48_000) / 48_000
        >>> round(loudness(np.sin(2 * np.pi * 997 * time), 48_000), 2)  # as the Recommendation says
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
    heard = power[power > _power(_SILENCE)]
    if not len(heard):
        return -math.inf
    counted = heard[heard > heard.mean() * 10 ** (_BELOW_MEAN / 10)]
    return -0.691 + 10 * math.log10(float(counted.mean()))


def k_weighted(channels: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Channels `(samples, channels)` as the ear weighs them."""
    shelf = _biquad(rate, 1681.974450955533, 0.7071752369554196, shelf_gain=3.999843853973347)
    high_pass = _biquad(rate, 38.13547087602444, 0.5003270373238773)
    for above, below in (shelf, high_pass):
        channels = lfilter(above, below, channels, axis=0)
    return channels


def _biquad(
    rate: int, frequency: float, quality: float, *, shelf_gain: float | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A second-order filter: a high shelf where it has a gain (dB), else a high-pass that is 1 far above."""
    k = math.tan(math.pi * frequency / rate)
    norm = 1 + k / quality + k * k
    below = np.array([1.0, 2 * (k * k - 1) / norm, (1 - k / quality + k * k) / norm])
    if shelf_gain is None:
        return np.array([1.0, -2.0, 1.0]), below
    high = 10 ** (shelf_gain / 20)
    middle = high**0.4996667741545416
    above = np.array([high + middle * k / quality + k * k, 2 * (k * k - high), high - middle * k / quality + k * k])
    return above / norm, below


def _power(lufs: float) -> float:
    return float(10 ** ((lufs + 0.691) / 10))
