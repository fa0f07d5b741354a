"""The names of the instruments, apart from how they sound: help and options read them without numpy."""

from typing import Literal

InstrumentName = Literal["piano", "plucked", "flute", "strings", "organ"]
"""What plays a melody: a piano, a plucked string, a flute, an ensemble of strings, or an organ."""
