"""Options of harmonising, apart from the model, which imports numpy."""

from __future__ import annotations

from typing import Literal

Style = Literal["chorale", "lied"]
"""The music whose harmony is imitated: Bach's chorales, or songs with piano of the 19th century."""

Every = Literal["beat", "half-bar", "bar"]
"""Where chords may change."""
