"""Is it copying? Composed melodies beside the corpus that their model learned, where that is at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cantilena.model import Bundle, find_bundle

if TYPE_CHECKING:
    from cantilena.corpus import Corpus
    from cantilena.experiment.copying import Place
    from cantilena.generation import Composition


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


def check_copies(bundle: str, melodies: Sequence[Composition]) -> list[CheckedMelody] | None:
    """Look for what composed melodies copied; the primer is not counted.

    Args:
        bundle: the model, by path or by the name of one that ships with the package.
        melodies: what it composed, of one length.

    Returns:
        One answer a melody; None where nobody can tell: the corpus does not ship, or the model's notes have no time.
    """
    loaded = Bundle.load(find_bundle(bundle))
    if not loaded.encoding.tells_time or not melodies:
        return None
    from cantilena.corpus import load_builtin  # not before it is known that a corpus is asked for
    from cantilena.experiment.learned_corpus import shipped_corpus

    name = shipped_corpus(loaded)
    return _beside(load_builtin(name), melodies, loaded.encoding.step_ticks) if name else None


def _beside(corpus: Corpus, melodies: Sequence[Composition], step_ticks: int) -> list[CheckedMelody]:
    """Composed melodies beside the pieces of a corpus that are not held out; people's excerpts set the bound."""
    from cantilena.evaluation import borrowed_at_most
    from cantilena.experiment.copying import LearnedTunes
    from cantilena.experiment.evaluate_options import EvaluateOptions
    from cantilena.experiment.melody_sets import GRID, JudgedTune, MelodySet
    from cantilena.experiment.set_making import people_set

    tunes = []
    for melody in melodies:
        tune = JudgedTune.of(melody, piece=melody.title, label=melody.title)
        new = len(melody.tokens) * step_ticks // GRID.step_ticks  # what comes before is the primer
        tunes.append(tune.last(new))
    composed, learned = MelodySet("composed", "", tunes), LearnedTunes.of(corpus)
    copies = learned.copies(composed, own_too=True)
    people = people_set(corpus, max(composed.typical_length, 1), EvaluateOptions())
    bound = borrowed_at_most(learned.copies(people, own_too=False)) or 0
    return [CheckedMelody(learned.place(composed, copies, row), bound) for row in range(len(composed))]
