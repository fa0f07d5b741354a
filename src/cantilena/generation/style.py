"""The styles that a model was told while it learned, and what is usual in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cantilena.errors import BundleError, UsageError
from cantilena.models import Bundle, NetworkOptions
from cantilena.music import Key, Meter


@dataclass(frozen=True)
class Style:
    """A style that a model can compose in.

    Args:
        name: a composer, a collection or a cluster.
        key: the usual one, in the keys that the model thinks in; None where it is not known.
        meter: the usual one; None where it is not known.
        melodies: how many of it the model learned from; 0 where that is not known.
    """

    name: str
    key: Key | None = None
    meter: Meter | None = None
    melodies: int = 0


def styles_of(bundle: Bundle) -> tuple[Style, ...]:
    """The styles of a bundle's network, in the order of their numbers.

    Raises:
        BundleError: its provenance says that a usual key or meter is none.

    Example:
        >>> from cantilena.models import find_bundle
        >>> isinstance(styles_of(Bundle.load(find_bundle("tunes"))), tuple)
        True
    """
    if not isinstance(bundle.options, NetworkOptions):
        return ()
    said = bundle.provenance.get("styles")
    usual: Mapping[str, Any] = said if isinstance(said, dict) else {}
    return tuple(_style(name, usual.get(name)) for name in bundle.options.styles)


def _style(name: str, said: object) -> Style:
    if not isinstance(said, dict):
        return Style(name)
    key, meter, melodies = said.get("key"), said.get("meter"), said.get("melodies")
    try:
        return Style(
            name,
            Key.parse(key) if isinstance(key, str) else None,
            Meter.parse(meter) if isinstance(meter, str) else None,
            melodies if type(melodies) is int else 0,
        )
    except UsageError as error:
        raise BundleError(
            f"this bundle says that a usual key or meter of {name} is none: {error.text}",
            "train it again with this version, or ask whoever gave it to you for a new file",
        ) from error
