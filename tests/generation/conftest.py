"""Small untrained models: what they compose is noise, where it lies is what is tested."""

from __future__ import annotations

import numpy as np
import pytest

from cantilena.generation import Composer
from cantilena.models import Bundle, Network, NetworkOptions
from cantilena.tokenizers import EventsEncoding, GridEncoding

SMALL = NetworkOptions(width=24, embedding=16)


def bundle_of(encoding: GridEncoding | EventsEncoding, *, normalized_key: bool = True, tuned: bool = False) -> Bundle:
    size = len(encoding.vocabulary)
    first, second = (Network(SMALL, size, seed=seed).numpy_weights() for seed in (3, 4))
    return Bundle(
        SMALL,
        second if tuned else first,
        encoding.description(),
        prior_weights=first if tuned else None,
        licence="public domain",
        provenance={"plain_keys": normalized_key},
    )


@pytest.fixture(scope="session")
def tuned() -> Bundle:
    """A tuned model on the grid, whose prior is another network."""
    return bundle_of(GridEncoding(), tuned=True)


@pytest.fixture(scope="session")
def grid(tuned: Bundle) -> Composer:
    return Composer.from_bundle(tuned, "grid")


@pytest.fixture(scope="session")
def events() -> Composer:
    encoding = EventsEncoding(("C4", "D4", "E4", "F#4", "A4", "C5", "0.4.7", "2.6.9"))
    return Composer.from_bundle(bundle_of(encoding, normalized_key=False), "events")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)
