"""A melody as a file to take away."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from cantilena.io import abc, midi_bytes, musicxml
from cantilena.music import Melody
from cantilena.studio.export.engraving import Engraver
from cantilena.studio.export.sheets import Picture, Sheet
from cantilena.studio.export.sounds import played
from cantilena.studio.services.executor import Bench

_WIDTH = 900


@dataclass(frozen=True)
class Export:
    """A format that melodies are written in.

    Args:
        media: what browsers call it.
        written: the bytes of a melody, and whether they shall be expressive; None where it is engraved.
        picture: the file that the engraver makes.
    """

    media: str
    written: Callable[[Melody, bool], bytes] | None = None
    picture: Picture | None = None

    async def of(self, melody: Melody, expressive: bool, bench: Bench, engraver: Engraver) -> bytes:
        """The bytes of a melody in this format.

        Args:
            melody: the melody.
            expressive: whether it shall be played with expression, where it is played.
            bench: where it is written.
            engraver: by whom it is engraved, where it is a picture.

        Raises:
            UsageError: it cannot be written so.
        """
        written = self.written
        if written is None:
            return (await engraver.engrave(Sheet(melody, _WIDTH, heading=True, picture=self.picture))).picture
        return await bench.run(lambda _: written(melody, expressive))


def _midi(melody: Melody, expressive: bool) -> bytes:
    return midi_bytes(melody, expressive=expressive)


def _musicxml(melody: Melody, expressive: bool) -> bytes:
    return musicxml(melody).encode()


def _wav(melody: Melody, expressive: bool) -> bytes:
    return played(melody, expressive=expressive)


def _abc(melody: Melody, expressive: bool) -> bytes:
    return abc(melody).encode()


EXPORTS = {
    "mid": Export("audio/midi", _midi),
    "musicxml": Export("application/vnd.recordare.musicxml+xml", _musicxml),
    "svg": Export("image/svg+xml", picture="svg"),
    "pdf": Export("application/pdf", picture="pdf"),
    "png": Export("image/png", picture="png"),
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
