"""Chords to compose over: from the options to what a network is told and what the melody carries."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cantilena.errors import UsageError
from cantilena.generation.options import ComposeOptions
from cantilena.models import Bars, chord_rows, padded_chords
from cantilena.music import (
    Chord,
    ChordTrack,
    Form,
    FormSection,
    Key,
    Melody,
    Meter,
    key_of_chords,
    parse_sections,
)

_FILE = re.compile(
    r"\.(cho|chordpro|chopro|crd|pro|txt|mid|midi|kar|smf|rmi|musicxml|mxl|xml|abc|krn)(\s*\Z|[#:])", re.IGNORECASE
)
"""The suffix of a file with chords, at the end or before the name of a tune."""


@dataclass(frozen=True)
class ChordPlan:
    """The chords that are asked for, of the whole melody or by section.

    Args:
        meter: of the melody.
        whole: from the first barline on; empty if they are given by section.
        sections: those of each section, by letter.

    Examples:
        >>> chords = ChordPlan.parse("A: C | G7; B: F", Meter(4, 4))
        >>> form = chords.form("ABA")
        >>> str(form), [str(chord) for _, chord in chords.track(form, form.bars)]
        ('A2B1A2', ['C', 'G7', 'F', 'C', 'G7'])
    """

    meter: Meter
    whole: ChordTrack = field(default_factory=ChordTrack)
    sections: Mapping[str, ChordTrack] = field(default_factory=dict)

    @classmethod
    def from_options(cls, options: ComposeOptions, meter: Meter) -> ChordPlan | None:
        """The chords that options ask for; None for none.

        Raises:
            UsageError: they are no chords, or the length is a number of notes.
        """
        if not options.chords:
            return None
        if options.events is not None:
            raise UsageError("--chords with --events: a number of notes has no bars", "give --bars, or no length")
        if isinstance(options.chords, str):
            return cls.parse(options.chords, meter)
        assert not isinstance(options.chords, Path)  # `with_chord_defaults` has read it
        return cls(meter, ChordTrack(tuple(options.chords)))

    @classmethod
    def parse(cls, text: str, meter: Meter) -> ChordPlan:
        """Parse `C | Am | F G7 | C`, or by section `A: C | G7; B: F | C`.

        Raises:
            UsageError: it is neither.
        """
        if ":" in text:
            return cls(meter, sections=parse_sections(text, meter))
        return cls(meter, ChordTrack.parse(text, meter))

    @property
    def bars(self) -> int | None:
        """The number of bars of the whole; None if the chords are given by section."""
        return None if self.sections else self.whole.bars(self.meter)

    def form(self, text: str, bars: int | None = None) -> Form:
        """Parse a form; letters without numbers of bars have as many as their chords, unless `bars` are given.

        Raises:
            UsageError: it is no form, or it has other letters than the chords.
        """
        lengths = {letter: track.bars(self.meter) for letter, track in self.sections.items()}
        return Form.parse(text, bars, lengths=lengths if bars is None else None)

    def track(self, form: Form | None, bars: int) -> ChordTrack:
        """The chords of a melody of so many bars from its first barline on; what is shorter repeats from its start.

        Raises:
            UsageError: there are more chords than bars, a section has no chords, or chords have no section.
        """
        if not self.sections:
            return self._filled(self.whole, bars, "the melody")
        if form is None:
            raise UsageError(
                f"chords of the sections {', '.join(self.sections)} without a form", "give one, such as --form AABA"
            )
        labels = {section.label for section in form.sections}
        for letter in sorted(labels ^ self.sections.keys()):
            if letter in labels:
                raise UsageError(f"section {letter} has no chords", f"give them, such as '{letter}: C | F | G7 | C'")
            raise UsageError(f"the form {form} has no section {letter}", f"leave out the chords of {letter}")
        whole = ChordTrack()
        for section in form.sections:
            part = self._filled(self.sections[section.label], section.bars, f"section {section.label}")
            whole = whole.then(part, (section.first - 1) * self.meter.ticks_per_bar)
        return whole

    def _filled(self, track: ChordTrack, bars: int, what: str) -> ChordTrack:
        own, bar = track.bars(self.meter), self.meter.ticks_per_bar
        if own > bars:
            raise UsageError(
                f"{own} bars of chords, and {what} has {bars}", f"give {own} bars, or leave out {own - bars} of chords"
            )
        turns = range(0, bars * bar, own * bar)
        return ChordTrack(tuple((at + tick, chord) for at in turns for tick, chord in track)).between(0, bars * bar)


def with_chord_defaults(options: ComposeOptions, primer: Melody | None) -> tuple[ComposeOptions, Melody | None]:
    """The options with the chords of the file that they name, if they do, and with the key that chords have.

    Key and meter of the chords are the defaults, also of a primer that was typed, which has none of its own.

    Raises:
        UsageError: the melody is to have another meter than the chords.
        ScoreError: the file cannot be read, or has no chords.
    """
    if not options.chords:
        return options, primer
    own = primer if primer is not None and primer.source else None
    if not names_chord_file(options.chords):
        meter = Meter.parse(options.meter) if options.meter else own.meter if own is not None else Meter()
        key = None if options.key or own is not None else _implied_key(options, meter)
        typed = primer if key is None or primer is None else replace(primer, key=key)
        return replace(options, key=options.key or key or ""), typed
    from cantilena.io import read_progression  # imports the readers of scores

    given = read_progression(str(options.chords).strip())
    meter = Meter.parse(options.meter) if options.meter else own.meter if own is not None else given.meter
    if meter != given.meter:
        raise UsageError(
            f"the chords of {str(options.chords).strip()} are in {given.meter}, and the melody is in {meter}",
            f"give chords in {meter}, or a melody in {given.meter}",
        )
    bars = ((tick, given.chords.at(tick) or Chord(None)) for tick in range(0, given.length, meter.ticks_per_bar))
    whole = ChordTrack(tuple(sorted({**dict(bars), **dict(given.chords)}.items())))
    asked = options.key or ("" if own is not None else given.key or "")
    if own is None and primer is not None and asked:
        primer = replace(primer, key=asked if isinstance(asked, Key) else Key.parse(asked))
    return replace(options, chords=whole, meter=str(meter), key=asked), primer


def _implied_key(options: ComposeOptions, meter: Meter) -> Key | None:
    """The key of chords that are written; None where they cannot be read, which is said later."""
    try:
        plan = ChordPlan.from_options(options, meter)
    except UsageError:
        return None
    if plan is None:
        return None
    tracks = [plan.whole, *plan.sections.values()]
    whole = ChordTrack()
    for track in tracks:
        whole = whole.then(track, whole.bars(meter) * meter.ticks_per_bar)
    return key_of_chords(whole, whole.bars(meter) * meter.ticks_per_bar)


def names_chord_file(text: str | Path | ChordTrack) -> bool:
    """Whether chords are given by the name of a file, and not as bars.

    Examples:
        >>> names_chord_file("song.cho"), names_chord_file("book.abc#3"), names_chord_file("C | F/A | N.C.")
        (True, True, False)
    """
    return isinstance(text, Path) or (isinstance(text, str) and bool(_FILE.search(text)) and "|" not in text)


def vary_over(form: Form, chords: ChordTrack, meter: Meter) -> Form:
    """The form, in which sections that would return literally over other chords are varied.

    Args:
        form: of the melody.
        chords: from its first barline on.
        meter: the time signature.

    Examples:
        >>> four = Meter(4, 4)
        >>> str(vary_over(Form.parse("A1B1A1A1"), ChordTrack.parse("C | G | C | Am", four), four))
        "A1B1A1A'1"
    """
    bar, sections, first_of = meter.ticks_per_bar, [], dict[str, ChordTrack]()
    for section in form.sections:
        own = chords.between((section.first - 1) * bar, section.last * bar).merged()
        differs = first_of.setdefault(section.label, own) != own
        sections.append(replace(section, kind="varied") if differs and section.kind == "literal" else section)
    return Form(tuple(sections), form.phrase_ends)


def changed_returns(asked: Form, kept: Form) -> str:
    """A sentence about the sections that were to return literally and are varied; empty if there are none."""
    changed: Sequence[FormSection] = [
        new for old, new in zip(asked.sections, kept.sections, strict=True) if old.kind != new.kind
    ]
    if not changed:
        return ""
    bars = ", ".join(f"{section.label} in bars {section.first}-{section.last}" for section in changed)
    return f"{bars} would return over other chords, and is varied"


def told_chords(bars: Bars, chords: Sequence[ChordTrack], semitones: int) -> Bars:
    """The bars with the chords of each melody, for a network that has learned to follow them.

    Args:
        bars: of the melodies.
        chords: of each of them, from its first tick on.
        semitones: from the pitches of the tokens to those of the chords.
    """
    rows = {track: chord_rows(track.transposed(-semitones)) for track in dict.fromkeys(chords)}
    return replace(bars, chords=padded_chords([rows[track] for track in chords]))
