"""What a network can be told of a melody before it begins: its key, its mode, its meter and its style.

Each is a choice among a few values, told at every step as one more row of the table of features (`features.py`). What
is not known is not told: there is a row for that too, which training shows now and then, so that a network composes and
is measured with whatever is known, or with nothing (as classifier-free guidance trains: Ho and Salimans 2022).

What is told of melodies beforehand, as numbers: a row of four for each.
"""

from __future__ import annotations

from collections.abc import Sequence

from cantilena.errors import UsageError

KINDS = ("key", "mode", "meter", "style")
"""What can be told, in the order of the columns."""

METERS = ("2/2", "3/2", "2/4", "3/4", "4/4", "6/4", "3/8", "6/8", "9/8", "12/8")
"""The meters that are told apart; of another one nothing is told but how long its bars are."""

MODES = ("major", "minor")

UNTOLD = 0
"""The value of what is not told."""

MOST_STYLES = 512


def sizes(conditions: Sequence[str], styles: Sequence[str]) -> list[int]:
    """How many values each of the conditions has, `UNTOLD` among them, in the order of `KINDS`.

    Example:
        >>> sizes(("mode", "style"), ("jig", "reel"))
        [3, 3]
    """
    values = {"key": 12, "mode": len(MODES), "meter": len(METERS), "style": len(styles)}
    return [values[kind] + 1 for kind in KINDS if kind in conditions]


def columns(conditions: Sequence[str]) -> list[int]:
    """Which columns of what is told a network with these conditions reads."""
    return [number for number, kind in enumerate(KINDS) if kind in conditions]


def style_number(name: str, styles: Sequence[str]) -> int:
    """The number of a style, by its name or a part of it that no other has; case does not matter.

    Args:
        name: such as `Bach`; empty for none.
        styles: the names that a network knows.

    Raises:
        UsageError: no such style, or several.

    Example:
        >>> style_number("bach", ["Johann Sebastian Bach", "Joseph Haydn"]), style_number("", ["jig"])
        (1, 0)
    """
    wanted = name.strip().casefold()
    if not wanted:
        return UNTOLD
    if not styles:
        raise UsageError(f"this model knows no style '{name}'", "leave out the style, or train with --styles")
    exact = [number for number, style in enumerate(styles, 1) if style.casefold() == wanted]
    found = exact or [number for number, style in enumerate(styles, 1) if wanted in style.casefold()]
    if len(found) == 1:
        return found[0]
    near = ", ".join(styles[number - 1] for number in found) if found else ", ".join(styles)
    trouble = f"the style '{name}' can be several" if found else f"this model knows no style '{name}'"
    raise UsageError(trouble, f"choose one of {near}")


def check_conditions(conditions: Sequence[str], styles: Sequence[str]) -> None:
    """Refuse what no network can be told.

    Raises:
        UsageError: unknown or repeated conditions, styles without their condition, or silly names.
    """
    unknown = [kind for kind in conditions if kind not in KINDS]
    if unknown:
        raise UsageError(f"there is no condition '{unknown[0]}'", f"choose among {', '.join(KINDS)}")
    if list(conditions) != [kind for kind in KINDS if kind in conditions]:
        raise UsageError("the conditions are out of order", f"give each once, in this order: {' '.join(KINDS)}")
    if ("style" in conditions) != bool(styles):
        raise UsageError("styles without their names, or names without styles", "give both, or neither")
    if len(styles) > MOST_STYLES or len(set(map(str.casefold, styles))) < len(styles):
        raise UsageError(f"{len(styles)} styles", f"give up to {MOST_STYLES}, each with a name of its own")
    if any(not 1 <= len(style) <= 80 or not style.isprintable() for style in styles):
        raise UsageError("a style's name is empty, long or cannot be printed", "give 1 to 80 printable characters")
