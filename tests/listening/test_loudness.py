"""Loudness beside the values of the Recommendation and the EBU test signals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cantilena.listening import loudness
from cantilena.listening.study.loudness import _biquad


def sine(decibels: float, seconds: float, rate: int, frequency: float = 1000.0, channels: int = 2) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    wave = 10 ** (decibels / 20) * np.sin(2 * np.pi * frequency * time)
    return np.repeat(wave[:, None], channels, axis=1)


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_a_full_scale_tone_has_the_loudness_of_the_recommendation(rate: int) -> None:
    assert loudness(sine(0, 2, rate, 997, channels=1), rate) == pytest.approx(-3.01, abs=0.02)


def test_the_filters_at_48_khz_are_those_of_the_recommendation() -> None:
    numerator, denominator = _biquad(48_000, 1681.974450955533, 0.7071752369554196, shelf_gain=3.999843853973347)
    assert numerator == pytest.approx([1.53512485958697, -2.69169618940638, 1.19839281085285], abs=1e-8)
    assert denominator == pytest.approx([1.0, -1.69065929318241, 0.73248077421585], abs=1e-8)
    _, denominator = _biquad(48_000, 38.13547087602444, 0.5003270373238773)
    assert denominator == pytest.approx([1.0, -1.99004745483398, 0.99007225036621], abs=1e-8)


# EBU Tech 3341: level of a stereo tone and seconds, in sequence; the loudness of each signal is -23 LUFS.
SIGNALS = {
    1: [(-23.0, 20.0)],
    3: [(-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0)],
    4: [(-72.0, 10.0), (-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0), (-72.0, 10.0)],
    5: [(-26.0, 20.0), (-20.0, 20.1), (-26.0, 20.0)],
}


@pytest.mark.parametrize("case", SIGNALS)
def test_the_ebu_test_signals_have_the_required_loudness(case: int) -> None:
    sound = np.concatenate([sine(level, seconds, 48_000) for level, seconds in SIGNALS[case]])
    assert loudness(sound, 48_000) == pytest.approx(-23.0, abs=0.1)


def test_silence_and_short_sounds_have_no_loudness() -> None:
    assert loudness(np.zeros(48_000), 48_000) == -math.inf
    assert loudness(np.ones(100), 48_000) == -math.inf
