"""Random generators by seed and name; there is no global randomness."""

from __future__ import annotations

import zlib

import numpy as np

from cantilena.errors import UsageError


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """Return a random generator for one use, independent of every other use of the same seed.

    Args:
        seed: the run's seed, 0 to 2^63 - 1.
        names: what it is for, such as `"sample", "lstm", 3`.

    Examples:
        >>> generator(1, "sample").integers(100) == generator(1, "sample").integers(100)
        np.True_
        >>> generator(1, "sample").random() == generator(1, "split").random()
        False
    """
    return np.random.default_rng(_sequence(seed, names))


def derived_seed(seed: int, *names: str | int) -> int:
    """Return a 63-bit seed for a library with its own generator (torch, numba)."""
    return int(_sequence(seed, names).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _sequence(seed: int, names: tuple[str | int, ...]) -> np.random.SeedSequence:
    if not 0 <= seed < 2**63:
        raise UsageError(f"seed {seed} is out of range", "seeds run from 0 to 2^63 - 1")
    key = [name if isinstance(name, int) else zlib.crc32(name.encode()) for name in names]
    return np.random.SeedSequence(seed, spawn_key=key)
