"""Engraved scores for the page, with notes coloured by what rules say."""

from __future__ import annotations

from cantilena.io import NoteLook
from cantilena.music import Melody
from cantilena.studio.export.engraving import Engraver
from cantilena.studio.export.sheets import Sheet
from cantilena.studio.schemas.requests import Colours
from cantilena.studio.schemas.responses import Head, Score, TimedHead


async def engraved(
    engraver: Engraver, melody: Melody, *, width: int, heading: bool, colours: Colours | None = None
) -> Score:
    """Engrave a melody.

    Args:
        engraver: who does it.
        melody: the melody.
        width: pixels.
        heading: whether the title stands above.
        colours: what notes are coloured by; those that a rule gives something get the class `gain` and a +, those that
            it takes something from `loss` and a -, others `none`.

    Raises:
        UsageError: it cannot be engraved.
    """
    looks = looks_of(melody, colours) if colours is not None else {}
    engraving = (await engraver.engrave(Sheet(melody, width, heading, looks))).score
    assert engraving is not None
    timemap = [
        TimedHead(note=head.note, id=head.id, onset=round(head.onset, 6), end=round(head.end, 6))
        for head in engraving.timemap
    ]
    return Score(svg=engraving.svg, notes=[Head(note=one.note, id=one.id) for one in timemap], timemap=timemap)


def looks_of(melody: Melody, colours: Colours) -> dict[int, NoteLook]:
    """The look of each note; of notes that begin together the first has one."""
    values = {one.note: one.values.get(colours.rule, 0.0) if colours.rule else one.total for one in colours.notes}
    looks, onset = {}, -1
    for number, note in enumerate(melody.sounding):
        if note.onset == onset:
            continue
        onset, value = note.onset, round(values.get(number, 0.0), 2)
        kind = "gain" if value > 0 else "loss" if value < 0 else "none"
        looks[number] = NoteLook(words=f"{value:+.3g}".replace("-", "−") if value else "", kind=kind)
    return looks
