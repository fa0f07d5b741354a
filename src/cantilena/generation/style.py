"""What a bundle's provenance says about usual keys and meters: of tuning, and of the styles of a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cantilena.errors import BundleError, UsageError
from cantilena.models import Bundle
from cantilena.music import Key, Meter


@dataclass(frozen=True)
class Style:
    """A style in which a model can compose.

    Args:
        name: a composer, a collection or a cluster.
        key: the usual one, in the keys of the model; None if unknown.
        meter: the usual one; None if unknown.
        melodies: how many of them the model learned from; 0 if unknown.
    """

    name: str
    key: Key | None = None
    meter: Meter | None = None
    melodies: int = 0


def styles_of(bundle: Bundle) -> tuple[Style, ...]:
    """The styles of a bundle's network in the order of their ids; none of other kinds of models.

    Raises:
        BundleError: a usual key or meter is invalid.

    Examples:
        >>> from cantilena.models import find_bundle
        >>> isinstance(styles_of(Bundle.load(find_bundle("tunes"))), tuple)
        True
    """
    usual, styles = _record(bundle.provenance, "styles"), []
    for name in getattr(bundle.options, "styles", ()):
        record = _record(usual, name)
        key, meter = _key_and_meter(record, f"usual key or meter of {name}")
        melodies = record.get("melodies")
        styles.append(Style(name, key, meter, melodies if type(melodies) is int else 0))
    return tuple(styles)


def tuned_key_and_meter(provenance: Mapping[str, Any]) -> tuple[Key | None, Meter | None]:
    """Key and meter in which a model was tuned, from the provenance of its bundle; None if it says nothing.

    Raises:
        BundleError: they are invalid.

    Examples:
        >>> tuned_key_and_meter({"tuning": {"key": "A minor"}})
        (Key(tonic=9, mode='minor'), None)
    """
    return _key_and_meter(_record(provenance, "tuning"), "key or meter of its tuning")


def _record(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = record.get(name)
    return value if isinstance(value, dict) else {}


def _key_and_meter(record: Mapping[str, Any], what: str) -> tuple[Key | None, Meter | None]:
    key, meter = (str(record.get(name) or "") for name in ("key", "meter"))
    try:
        return Key.parse(key) if key else None, Meter.parse(meter) if meter else None
    except UsageError as error:
        raise BundleError(
            f"this bundle has an invalid {what}: {error.text}",
            "make it again with this version, or ask whoever gave it to you for a new file",
        ) from error
