"""Check whether composed melodies copy the training corpus of their model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cantilena.models import Bundle, find_bundle
from cantilena.workflows.learned_corpus import named_corpus, shipped_corpus

if TYPE_CHECKING:
    from cantilena.data import ReadLimits
    from cantilena.generation import Composition
    from cantilena.workflows.evaluate.copying import PassageLocation


@dataclass(frozen=True)
class CheckedMelody:
    """The longest run of notes that a composed melody shares with the corpus.

    Args:
        place: where the run is; None if there is none.
        bound: the length in notes that one in twenty human excerpts of the same length exceeds.
    """

    place: PassageLocation | None
    bound: int

    @property
    def is_copy(self) -> bool:
        """Whether the run is longer than what human melodies borrow."""
        return self.place is not None and self.place.notes > self.bound

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        place = self.place
        if place is None:
            absent = dict.fromkeys(("bars", "source", "file", "source_bars"))
            return {"notes": 0, "people": self.bound, **absent}
        return {
            "notes": place.notes,
            "people": self.bound,
            "bars": place.bars_text,
            "source": place.source.title or place.source.label,
            "file": place.source.label,
            "source_bars": place.source_bars_text,
        }


@dataclass(frozen=True)
class CopyCheck:
    """The results by melody, or the reason why a check is not possible, and what to do."""

    melodies: tuple[CheckedMelody, ...]
    reason: str = ""


def check_copies(
    bundle: str, melodies: Sequence[Composition], against: str = "", limits: ReadLimits | None = None
) -> CopyCheck:
    """Search the training corpus of a model for the longest run of each composed melody, without its primer.

    Args:
        bundle: path or name of the model.
        melodies: its compositions, of one length.
        against: the corpus by name, file or folder; by default the model's training corpus, if it ships.
        limits: of reading a folder.

    Raises:
        CorpusError: the corpus cannot be read.
    """
    loaded = Bundle.load(find_bundle(bundle))
    if not melodies:
        return CopyCheck(())
    if not loaded.encoding.has_rhythm:
        return CopyCheck((), "notes without durations cannot be compared with a corpus")
    name = against or shipped_corpus(loaded)
    if not name:
        named = f" '{named_corpus(loaded)}'" if named_corpus(loaded) else ""
        return CopyCheck((), f"the training corpus{named} does not ship with Cantilena: give it with --against")
    # Composing does not wait for these imports where there is nothing to check.
    from cantilena.data import ReadLimits, open_corpus
    from cantilena.metrics import copy_length_quantile
    from cantilena.tokenizers import parse_tokens
    from cantilena.workflows.evaluate.copying import TrainingMelodies
    from cantilena.workflows.evaluate.melody_sets import GRID, EvalMelody, MelodySet
    from cantilena.workflows.evaluate.options import EvaluateOptions
    from cantilena.workflows.evaluate.sources import reference_set

    corpus = open_corpus(name, (limits or ReadLimits()).read_options())
    composed = []
    for melody in melodies:
        whole = EvalMelody.from_melody(melody, piece=melody.title, label=melody.title)
        # The tokens are those of the new music; what comes before them is the primer.
        tokens = parse_tokens(loaded.encoding, " ".join(melody.tokens))
        steps = loaded.encoding.line(tokens[None, :]).steps
        composed.append(whole.last(steps * loaded.encoding.ticks_per_step // GRID.ticks_per_step))
    checked, training = MelodySet("composed", "", composed), TrainingMelodies.from_corpus(corpus)
    copies = training.copies(checked, include_own_piece=True)
    human, _ = reference_set(corpus, max(checked.median_length, 1), EvaluateOptions())
    bound = copy_length_quantile(training.copies(human, include_own_piece=False)) or 0
    return CopyCheck(tuple(CheckedMelody(training.locate(checked, copies, row), bound) for row in range(len(checked))))
