"""The room around the piano: a short, soft reverberation, so that notes do not end in a vacuum."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

ROOM_SECONDS = 0.9
"""How long the room answers; nothing is left after that."""

_FADE = 0.6
"""Seconds in which the answer loses 60 dB: a living room, not a hall."""

_LEVEL = 10 ** (-17 / 20)
"""How loud the room's answer to a click is beside the click, as a root of energy."""


@lru_cache(maxsize=4)
def room_response(rate: int) -> NDArray[np.float32]:
    """The room's answer to a click, `(ROOM_SECONDS * rate,)`: noise that fades, and darkens as it does.

    The noise is the same each time: it is a room, not chance.
    """
    samples = int(ROOM_SECONDS * rate)
    time = np.arange(samples) / rate
    noise = np.random.default_rng(1709).standard_normal(samples)  # Cristofori's first pianos are from about 1709
    dark = np.convolve(noise, np.hanning(max(int(rate / 6000), 3)), mode="same")
    answer = np.where(time < 0.006, 0.0, dark * np.exp(-6.91 * time / _FADE))
    answer *= np.minimum(1.0, 10 * (ROOM_SECONDS - time) / ROOM_SECONDS)
    answer *= _LEVEL / np.sqrt(np.sum(answer**2))
    response = answer.astype(np.float32)
    response.flags.writeable = False
    return response


def in_room(dry: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """A sound with the room's answer to it, `(samples,)` as long as it was.

    The convolution is done in blocks by Fourier transforms, each block's answer running into the next ones
    (overlap-add).
    """
    response = room_response(rate)
    size = 1 << 17
    step = size - len(response) + 1
    blocks = -(-len(dry) // step)
    padded = np.zeros((blocks, size), dtype=np.float32)
    padded[:, :step] = np.pad(dry, (0, blocks * step - len(dry))).reshape(blocks, step)
    answers = np.fft.irfft(np.fft.rfft(padded, axis=1) * np.fft.rfft(response, size), size, axis=1)
    wet = np.zeros(blocks * step + size, dtype=np.float32)
    for start, answer in zip(range(0, blocks * step, step), answers, strict=True):
        wet[start : start + size] += answer.astype(np.float32)
    return np.asarray(dry + wet[: len(dry)])
