"""Rewriting a section of a form together with its returns.

The first section of the letter is rewritten as `infilling` does, and its returns follow: a literal one is copied; of a
varied one the first three quarters are copied, and the rest is composed anew. A section ends with its cadence if one
of the candidates does. As in `FormPlan`, sections are counted in whole bars from the start of the melody, so that the
pickup of a section belongs to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from cantilena.errors import UsageError
from cantilena.generation.composition import Composition
from cantilena.generation.infill_context import InfillSpan
from cantilena.generation.infilling import iter_span_rewrites
from cantilena.generation.options import BarRange, ComposeOptions
from cantilena.music import Form, FormSection, Melody, Note
from cantilena.runtime import derived_seed

if TYPE_CHECKING:
    from cantilena.generation.composer import Composer

_NEW_SHARE = 4
"""One part in so many of a varied return is composed anew, its last bars."""

_CANDIDATES = 24
"""Candidates drawn for the end of a varied return, which is short."""


def iter_section_rewrites(
    composer: Composer, melody: Melody, form: Form, section: int, options: ComposeOptions, *, melodies: int, seed: int
) -> Iterator[Composition]:
    """As `Composer.iter_section_rewrites`; options are checked as for rewriting bars."""
    if not 1 <= section <= len(form.sections):
        raise UsageError(
            f"the form {form} has no section {section}", f"count its sections from 1 to {len(form.sections)}"
        )
    label = form.sections[section - 1].label
    first, *returns = (one for one in form.sections if one.label == label)
    span = section_span(melody, first)
    for one in returns:
        section_span(melody, one)
    changed = replace(options, bars=span.bars)
    changed.bars_to_rewrite()
    made = iter_span_rewrites(
        composer, melody, span, changed, melodies=melodies, seed=seed, form=form, cadence=first.cadence
    )

    def rewrites() -> Iterator[Composition]:
        for number, composition in enumerate(made):
            whole: Melody = composition
            for place, one in enumerate(returns):
                whole = _copied(whole, span, section_span(melody, one))
                if one.kind == "varied":
                    drawn = derived_seed(seed, "return", number, place)
                    whole = _varied(composer, whole, form, one, options, drawn)
            letters = " and ".join(f"bars {one.first}-{one.last}" for one in (first, *returns))
            yield replace(composition, notes=whole.notes, source=f"{letters} composed by Cantilena")

    return rewrites()


def section_span(melody: Melody, section: FormSection) -> InfillSpan:
    """The span of a section of a melody.

    Raises:
        UsageError: the melody ends before it.

    Examples:
        >>> tune = Melody.from_pitches([(60, 96), (62, 96)])
        >>> span = section_span(tune, FormSection("B", 2, 2))
        >>> span.start, span.end
        (96, 192)
    """
    bar = melody.meter.ticks_per_bar
    start, end = (section.first - 1) * bar, min(section.last * bar, melody.length)
    if start >= end or (section.last - 1) * bar >= melody.length:
        raise UsageError(
            f"the melody ends before the end of bars {section.first}-{section.last}",
            f"give the form of the melody, which has {-(-melody.length // bar)} bars",
        )
    return InfillSpan(BarRange(section.first, section.last), start, end)


def _copied(melody: Melody, source: InfillSpan, target: InfillSpan) -> Melody:
    """The melody with the notes of one span repeated in another; what is held into that one stays."""
    outside = [note for note in melody.notes if not target.start <= note.onset < target.end]
    free = max((note.end for note in outside if note.onset < target.start and note.pitches), default=0)
    lag, new = target.start - source.start, []
    for note in melody.notes:
        if source.start <= note.onset < source.end:
            start, end = max(note.onset + lag, free), min(note.end + lag, target.end)
            if start < end:
                new.append(Note(note.pitches, start, end - start))
    return replace(melody, notes=(*outside, *new))


def _varied(
    composer: Composer, melody: Melody, form: Form, section: FormSection, options: ComposeOptions, seed: int
) -> Melody:
    """The melody with the end of a section composed anew; as it is if no note can begin there."""
    span, bar = section_span(melody, section), melody.meter.ticks_per_bar
    fewest = bar // 2 if section.bars == 1 else max(section.bars // _NEW_SHARE, 1) * bar
    for ticks in range(fewest, span.end - span.start, bar):  # a note may be held through the last bar
        end = replace(span, start=span.end - ticks)
        try:
            (made,) = iter_span_rewrites(
                composer,
                melody,
                end,
                options,
                melodies=1,
                seed=seed,
                form=form,
                cadence=section.cadence,
                candidates=_CANDIDATES,
            )
        except UsageError:
            continue
        return made
    return melody
