"""Is it copying? Composed melodies beside the corpus that their model learned, where that is at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cantilena.models import Bundle, find_bundle
from cantilena.workflows.learned_corpus import named_corpus, shipped_corpus

if TYPE_CHECKING:
    from cantilena.data import Corpus
    from cantilena.generation import Composition
    from cantilena.workflows.evaluate.copying import Place


@dataclass(frozen=True)
class CheckedMelody:
    """The longest run of notes that a composed melody and the corpus of its model have in common.

    Args:
        place: which, and where; None where there is none.
        bound: the run that only one in twenty of people's excerpts as long exceeds, notes.
    """

    place: Place | None
    bound: int

    @property
    def is_copy(self) -> bool:
        """Whether it is longer than what people borrow."""
        return self.place is not None and self.place.notes > self.bound

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        place = self.place
        return {
            "notes": place.notes if place is not None else 0,
            "people": self.bound,
            "bars": place.bars_text if place is not None else None,
            "source": (place.source.title or place.source.label) if place is not None else None,
            "file": place.source.label if place is not None else None,
            "source_bars": place.source_bars_text if place is not None else None,
        }


@dataclass(frozen=True)
class CopyCheck:
    """What was found of all that was composed, or why nobody can tell.

    Args:
        melodies: an answer for each; empty where there is none.
        reason: why there is none, with what to do; empty where there is one.
    """

    melodies: tuple[CheckedMelody, ...]
    reason: str = ""


def check_copies(bundle: str, melodies: Sequence[Composition], against: str = "") -> CopyCheck:
    """Look for what composed melodies copied; the primer is not counted.

    Args:
        bundle: the model, by path or by the name of one that ships with the package.
        melodies: what it composed, of one length.
        against: the corpus that may have been copied, by name, file or folder; where empty the one that the model
            learned, if it ships.

    Raises:
        CorpusError: the corpus that is named cannot be read.
    """
    loaded = Bundle.load(find_bundle(bundle))
    if not melodies:
        return CopyCheck(())
    if not loaded.encoding.is_timed:
        return CopyCheck((), "this model's notes have no time")
    name = against or shipped_corpus(loaded)
    if not name:
        learned = named_corpus(loaded)
        which = f"the corpus '{learned}'" if learned else "a corpus"
        return CopyCheck((), f"this model learned {which}, which does not ship: name it with --against")
    from cantilena.data import open_corpus  # not before it is known that a corpus is asked for

    return CopyCheck(tuple(_beside(open_corpus(name), melodies, loaded.encoding.ticks_per_step)))


def _beside(corpus: Corpus, melodies: Sequence[Composition], ticks_per_step: int) -> list[CheckedMelody]:
    """Composed melodies beside the pieces of a corpus that are not held out; people's excerpts set the bound."""
    from cantilena.metrics import copy_length_quantile
    from cantilena.workflows.evaluate.copying import LearnedTunes
    from cantilena.workflows.evaluate.melody_sets import GRID, JudgedTune, MelodySet
    from cantilena.workflows.evaluate.options import EvaluateOptions
    from cantilena.workflows.evaluate.sources import people_set

    tunes = []
    for melody in melodies:
        tune = JudgedTune.of(melody, piece=melody.title, label=melody.title)
        new = len(melody.tokens) * ticks_per_step // GRID.ticks_per_step  # what comes before is the primer
        tunes.append(tune.last(new))
    composed, learned = MelodySet("composed", "", tunes), LearnedTunes.of(corpus)
    copies = learned.copies(composed, own_too=True)
    people = people_set(corpus, max(composed.typical_length, 1), EvaluateOptions())
    bound = copy_length_quantile(learned.copies(people, own_too=False)) or 0
    return [CheckedMelody(learned.place(composed, copies, row), bound) for row in range(len(composed))]
