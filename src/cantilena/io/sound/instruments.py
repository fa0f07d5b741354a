"""The instruments: their names, their places in General MIDI, and how they sound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

from cantilena.errors import UsageError, unknown_name_hint
from cantilena.io.sound import piano, plucked, sustained
from cantilena.io.sound.names import InstrumentName
from cantilena.io.sound.synthesis import Sound


@dataclass(frozen=True, slots=True)
class Instrument:
    """How the notes of a melody sound.

    Args:
        name: its name in options and requests.
        title: its name for people.
        program: its number in General MIDI, from 0.
        sound: renders a note that is not released, by MIDI pitch, velocity, seconds and samples a second.
        release: seconds in which a note of a pitch fades by 60 dB when it is released.
        accompanied_by: the instrument that plays the chords under its melodies; by default itself.
    """

    name: InstrumentName
    title: str
    program: int
    sound: Callable[[int, int, float, int], Sound]
    release: Callable[[float], float]
    accompanied_by: InstrumentName | None = None

    @property
    def chords(self) -> Instrument:
        """The instrument that plays the chords under its melodies."""
        return INSTRUMENTS[self.accompanied_by or self.name]


def find_instrument(name: str) -> Instrument:
    """Return the instrument of a name.

    Raises:
        UsageError: there is no such instrument.

    Examples:
        >>> find_instrument("flute").chords.title
        'Piano'
    """
    if name not in INSTRUMENTS:
        raise UsageError(f"'{name}' is not an instrument", unknown_name_hint(name, INSTRUMENTS, "the instruments"))
    return INSTRUMENTS[name]


INSTRUMENTS: dict[str, Instrument] = {
    one.name: one
    for one in (
        Instrument("piano", "Piano", 0, piano.ringing_string, piano.release_seconds),
        Instrument("plucked", "Plucked string", 24, plucked.plucked_string, plucked.release_seconds),
        Instrument("flute", "Flute", 73, sustained.flute, lambda _: 0.12, accompanied_by="piano"),
        Instrument("strings", "Strings", 48, sustained.strings, lambda _: 0.3),
        Instrument("organ", "Organ", 16, sustained.organ, lambda _: 0.06),
    )
}
"""The instruments by name, the default first."""

assert tuple(INSTRUMENTS) == get_args(InstrumentName)
