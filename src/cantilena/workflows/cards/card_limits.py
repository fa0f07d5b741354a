"""What a model is for and what it cannot do, said of each model by what it is and what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cantilena.models import Bundle
from cantilena.tokenizers import GridEncoding
from cantilena.workflows.cards.numbers import PEOPLE, CardNumbers


def limits_of(bundle: Bundle, numbers: CardNumbers | None = None) -> list[str]:
    """Intended use and limits, a sentence or two each.

    Args:
        bundle: the model.
        numbers: what was measured of it.

    Example:
        >>> from cantilena.models import find_bundle
        >>> any("no chords" in limit for limit in limits_of(Bundle.load(find_bundle("tunes"))))
        True
    """
    return [
        "For ideas that a musician goes on with, for teaching what rules do, and for research on models of melody. Not "
        "for judging people's music.",
        *_of_its_tokens(bundle),
        "It knows the styles of its corpus and no others, and carries their habits along.",
        *_of_its_tuning(bundle, numbers),
        "It may repeat what it learned: `cantilena compose` says where a melody copies more of its corpus than "
        "people's do of one another, for corpora that are at hand.",
        "Nobody has been asked yet whether its melodies sound human. No number here stands for that.",
    ]


def _of_its_tokens(bundle: Bundle) -> Iterator[str]:
    encoding = bundle.encoding
    if isinstance(encoding, GridEncoding):
        yield (
            "One voice: no chords, no loudness, no articulation. Nothing falls between the steps of the grid, so there "
            "are no triplets, and no note leaves its range; compositions are transposed to other keys afterwards."
        )
    else:
        yield (
            "Notes and chords in order, and no time: rhythm, rests, voices and loudness are not modelled, and each "
            "event sounds for an eighth. A chord in normal order has lost its octaves."
        )
    if bundle.provenance.get("plain_keys"):
        yield "It thinks in C major and A minor: a melody that changes its key is beyond it."
    yield "It does not know where its melody will end, and was not taught to end one."


def _of_its_tuning(bundle: Bundle, numbers: CardNumbers | None) -> Iterator[str]:
    if bundle.prior_weights is None and "tuning" not in bundle.provenance:
        return
    lost = _what_it_cost(numbers) if numbers is not None else ""
    yield (
        f"It was tuned to keep rules, which are not taste, and which people do not maximise.{lost} Melodies much "
        "longer than those it was tuned on were never judged."
    )


def _what_it_cost(numbers: CardNumbers) -> str:
    """How far it is from people, in the numbers that tell of collapse."""
    people, name = numbers.systems.get(PEOPLE), next(name for name in numbers.systems if name != PEOPLE)
    ours = numbers.systems[name]
    told = [(words, _value(people, key), _value(ours, key)) for key, words in _DIVERSITY.items()]
    parts = [
        f"{words} {mine:.2f} beside people's {theirs:.2f}" for words, theirs, mine in told if None not in (theirs, mine)
    ]
    return f" Its variety: {', '.join(parts)}." if parts else ""


_DIVERSITY = {"different_melodies": "different melodies", "distinct_4": "distinct-4", "vendi": "Vendi score"}


def _value(system: Mapping[str, Any] | None, metric: str) -> float | None:
    found = (system or {}).get("metrics", {}).get(metric) or {}
    value = found.get("value")
    return None if value is None else float(value)
