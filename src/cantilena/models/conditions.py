"""Conditions: key, mode, meter, style, role and register of a melody, which a network can be given before it begins.

Each is one of a few values and one more row of the table of features at every step (`features.py`). `UNKNOWN` has a row
of its own, which training shows to some pieces, so that a network works with any subset of the conditions (as in
classifier-free guidance: Ho and Salimans 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cantilena.errors import UsageError

if TYPE_CHECKING:
    from cantilena.music import Mode

CONDITIONS = ("key", "mode", "meter", "style", "role", "register")
"""All conditions, in the order of the columns of condition ids."""

METERS = ("2/2", "3/2", "2/4", "3/4", "4/4", "6/4", "3/8", "6/8", "9/8", "12/8")
"""The meters that have an id; others are unknown."""

MODES: tuple[Mode, ...] = ("major", "minor", "dorian", "mixolydian", "lydian", "phrygian", "locrian")
"""The modes that have an id; a network is given those that it has learned (`NetworkOptions.modes`)."""

ROLES = ("lead", "inner", "bass")
"""What a part is to the others of its score; the only part leads."""

LEAD = ROLES[0]
"""The role of a melody that leads, and of all that no source names."""

REGISTERS = 20
"""Ids of the mean pitch of a melody."""

UNKNOWN = 0
"""The id of an unknown value."""

MAX_STYLES = 512


PLAN_COLUMNS = 4
"""Numbers about each bar of a form (`plan_rows`)."""


def condition_sizes(conditions: Sequence[str], styles: Sequence[str], modes: int = 2) -> list[int]:
    """Number of ids of each condition, `UNKNOWN` included, in the order of `CONDITIONS`.

    Args:
        conditions: of the network.
        styles: their names.
        modes: the number of modes that it has learned.

    Examples:
        >>> condition_sizes(("mode", "style"), ("jig", "reel"))
        [3, 3]
    """
    values = {"key": 12, "mode": modes, "meter": len(METERS), "style": len(styles)}
    values |= {"role": len(ROLES), "register": REGISTERS}
    return [values[kind] + 1 for kind in CONDITIONS if kind in conditions]


def condition_columns(conditions: Sequence[str]) -> list[int]:
    """The columns of condition ids that a network with these conditions reads."""
    return [number for number, kind in enumerate(CONDITIONS) if kind in conditions]


def register_id(pitch: float) -> int:
    """The id of a mean pitch: thirds of an octave from C2 on.

    Examples:
        >>> register_id(36.0), register_id(71.5)
        (1, 9)
    """
    return min(max(int((pitch - 36.0) // 4.0), 0), REGISTERS - 1) + 1


def style_id(name: str, styles: Sequence[str]) -> int:
    """The id of a style, by its name or an unambiguous part of it; case does not matter.

    Args:
        name: such as `Bach`; empty means unknown.
        styles: the styles of the network.

    Raises:
        UsageError: no style matches, or several do.

    Examples:
        >>> style_id("bach", ["Johann Sebastian Bach", "Joseph Haydn"]), style_id("", ["jig"])
        (1, 0)
    """
    wanted = name.strip().casefold()
    if not wanted:
        return UNKNOWN
    if not styles:
        raise UsageError(f"this model knows no style '{name}'", "leave out the style, or train with --styles")
    exact = [number for number, style in enumerate(styles, 1) if style.casefold() == wanted]
    matches = exact or [number for number, style in enumerate(styles, 1) if wanted in style.casefold()]
    if len(matches) == 1:
        return matches[0]
    if matches:
        names = ", ".join(styles[number - 1] for number in matches)
        raise UsageError(f"the style '{name}' is ambiguous", f"choose one of {names}")
    raise UsageError(f"this model knows no style '{name}'", f"choose one of {', '.join(styles)}")


def check_conditions(conditions: Sequence[str], styles: Sequence[str], modes: Sequence[str]) -> None:
    """Check the conditions, styles and modes of a network.

    Raises:
        UsageError: a condition is unknown, repeated or out of order, or the styles or modes are invalid.
    """
    unknown = [kind for kind in conditions if kind not in CONDITIONS]
    if unknown:
        raise UsageError(f"there is no condition '{unknown[0]}'", f"choose among {', '.join(CONDITIONS)}")
    if list(conditions) != [kind for kind in CONDITIONS if kind in conditions]:
        raise UsageError("the conditions are out of order", f"give each once, in this order: {' '.join(CONDITIONS)}")
    if ("style" in conditions) != bool(styles):
        raise UsageError("the condition style and the names of styles do not fit", "give both, or neither")
    if len(styles) > MAX_STYLES or len(set(map(str.casefold, styles))) < len(styles):
        raise UsageError(f"the names of {len(styles)} styles are too many or not unique", f"give up to {MAX_STYLES}")
    if any(not 1 <= len(style) <= 80 or not style.isprintable() for style in styles):
        raise UsageError("the name of a style is empty, too long or not printable", "give 1 to 80 printable characters")
    if len(set(modes)) < len(modes) or not set(modes) <= set(MODES):
        raise UsageError(f"the modes are {', '.join(modes)}", f"give each once, of {', '.join(MODES)}")
