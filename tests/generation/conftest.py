"""Small untrained models: what they compose is noise, where it lies is what is tested."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cantilena.generation import Composer
from cantilena.models import Bundle, Network, NetworkOptions
from cantilena.tokenizers import Encoding, EventsEncoding, GridEncoding, NotesEncoding

SMALL = NetworkOptions(width=24, embedding=16)


def bundle_of(encoding: Encoding, *, normalized_key: bool = True, tuned: bool = False) -> Bundle:
    size, options = len(encoding.vocabulary), SMALL
    if isinstance(encoding, NotesEncoding):
        options = replace(SMALL, durations=encoding.durations, pitches=encoding.high - encoding.low + 1)
    first, second = (Network(options, size, seed=seed).numpy_weights() for seed in (3, 4))
    return Bundle(
        options,
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


@pytest.fixture(scope="session")
def notes() -> Composer:
    """A tuned model of notes, whose prior is another network."""
    return Composer.from_bundle(bundle_of(NotesEncoding(), tuned=True), "notes")


@pytest.fixture(scope="session")
def chords() -> Composer:
    """A model of notes and chords in the keys of its corpus, with few durations."""
    encoding = NotesEncoding((1, 3, 6, 8, 12, 24, 40), 55, 84, ((), (4, 7), (5, 9), (11,)))
    return Composer.from_bundle(bundle_of(encoding, normalized_key=False), "chords")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.fixture(scope="module")
def all_kinds(grid: Composer, events: Composer, notes: Composer, chords: Composer) -> dict[str, Composer]:
    return {"grid": grid, "events": events, "notes": notes, "chords": chords}
