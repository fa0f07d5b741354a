"""A melody as a file to take away."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from cantilena.formats import abc, midi_bytes, musicxml, score_svg
from cantilena.music import Melody
from cantilena.studio.sounds import played

_WIDTH = 900


@dataclass(frozen=True)
class Export:
    """A format that melodies are written in.

    Args:
        media: what browsers call it.
        written: the bytes of a melody, and whether they shall be expressive.
    """

    media: str
    written: Callable[[Melody, bool], bytes]


def _midi(melody: Melody, expressive: bool) -> bytes:
    return midi_bytes(melody, expressive=expressive)


def _musicxml(melody: Melody, expressive: bool) -> bytes:
    return musicxml(melody).encode()


def _svg(melody: Melody, expressive: bool) -> bytes:
    return score_svg(melody, width=_WIDTH).encode()


def _pdf(melody: Melody, expressive: bool) -> bytes:
    from cantilena.studio.pictures import pdf_bytes

    return pdf_bytes(_svg(melody, expressive).decode())


def _png(melody: Melody, expressive: bool) -> bytes:
    from cantilena.studio.pictures import png_bytes

    return png_bytes(_svg(melody, expressive).decode())


def _wav(melody: Melody, expressive: bool) -> bytes:
    return played(melody, expressive=expressive)


def _abc(melody: Melody, expressive: bool) -> bytes:
    return abc(melody).encode()


EXPORTS = {
    "mid": Export("audio/midi", _midi),
    "musicxml": Export("application/vnd.recordare.musicxml+xml", _musicxml),
    "svg": Export("image/svg+xml", _svg),
    "pdf": Export("application/pdf", _pdf),
    "png": Export("image/png", _png),
    "wav": Export("audio/wav", _wav),
    "abc": Export("text/vnd.abc", _abc),
}
"""The formats by the ending of their files."""


def file_name(title: str, ending: str) -> str:
    """A name that every system can hold, from a title.

    Example:
        >>> file_name("../Étude #1", "mid"), file_name("…", "mid")
        ('tude-1.mid', 'melody.mid')
    """
    plain = re.sub(r"[^A-Za-z0-9+]+", "-", title).strip("-")[:60].strip("-")
    return f"{plain or 'melody'}.{ending}"
