"""The listener that stops a run: another kind, on other people's pieces, than those that reward and those that judge.

Logistic regression on musical features and on the phrases that melodies say most. At every look it learns anew, from
all folds of the pieces but one, and answers on that one; so all that it answers on is new to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.discriminators.answers import Answers
from cantilena.discriminators.comparison import Comparison, Examples
from cantilena.discriminators.ensemble import HumanMelodies
from cantilena.discriminators.features import Vocabulary
from cantilena.metrics import Interval
from cantilena.music import Line

_FOLDS = 3
_PHRASES = {1: 48, 2: 64, 3: 48}
_C = 0.02
_WIDEST = 4.0
_CERTAIN = 5.0
"""No single answer counts for more than odds of e^5."""
_RESAMPLES = 200


@dataclass(frozen=True)
class StoppingScore:
    """What the stopping listener told.

    Args:
        auc: the chance that a generated melody sounds more generated than a person's; a half is chance.
        log_odds: mean over generated melodies of the log odds, nats, that each is a person's: 0 where both sides are
            alike, below it the better they are told.
    """

    auc: Interval
    log_odds: float


@dataclass(frozen=True)
class StoppingClassifier:
    """Tells fresh melodies from people's that nothing else of the tuning hears.

    Args:
        people: of other pieces than those that reward.
        steps_per_bar: where bars begin.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> rng = np.random.default_rng(1)
        >>> up, down = (GridEncoding().line(20 + way * rng.integers(1, 3, (60, 8)).cumsum(axis=1)) for way in (1, -1))
        >>> people = HumanMelodies(up, np.arange(60), np.zeros(60, dtype=np.int64))
        >>> StoppingClassifier(people, 8).listen(down, rng).auc.low > 0.9
        True
    """

    people: HumanMelodies
    steps_per_bar: int = 16

    def listen(self, generated: Line, rng: np.random.Generator) -> StoppingScore:
        """Tell generated melodies from people's.

        Args:
            generated: fresh melodies.
            rng: deals folds, keys and melodies.
        """
        comparison = Comparison.of(self.people.line, self.people.piece, generated)
        rows = comparison.balanced(np.arange(comparison.line.melodies), rng)
        heard = comparison.examples(self.steps_per_bar, rng)[rows]
        sides, piece = comparison.generated[rows], comparison.piece[rows]
        if not len(rows):
            return StoppingScore(Interval(0.5, 0.0, 1.0), 0.0)
        of_piece = np.unique(piece, return_inverse=True)[1]
        fold = (rng.permutation(of_piece.max() + 1) % _FOLDS)[of_piece]
        columns = _columns(heard)
        score = np.full(len(rows), 0.5)
        for one in range(_FOLDS):
            learned, told = fold != one, fold == one
            if told.any() and len(np.unique(sides[learned])) == 2:
                score[told] = _told(columns[learned], sides[learned], columns[told])
        auc = Answers(score, sides, piece, np.zeros(len(rows), dtype=np.int64)).auc(rng, resamples=_RESAMPLES)
        odds = np.clip(np.log1p(-score) - np.log(score), -_CERTAIN, _CERTAIN)
        return StoppingScore(auc, float(odds[sides].mean()))


def _columns(heard: Examples) -> NDArray[np.float64]:
    phrases = Vocabulary.of(heard.notes, _PHRASES).counts(heard.notes)
    return np.concatenate([heard.features, np.sqrt(phrases)], axis=1)


def _told(learned: NDArray[np.float64], sides: NDArray[np.bool_], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """How generated the others sound to a regression that learned, `(melodies,)`, above 0 and below 1."""
    from sklearn.linear_model import LogisticRegression  # most tunings have no critic: only this one waits for it

    middle, spread = learned.mean(axis=0), learned.std(axis=0)
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 1e-9)
    standard = [np.clip((some - middle) * scale, -_WIDEST, _WIDEST) for some in (learned, others)]
    regression = LogisticRegression(C=_C, max_iter=2000).fit(standard[0], sides)
    chances: NDArray[np.float64] = np.clip(regression.predict_proba(standard[1])[:, 1], 1e-9, 1 - 1e-9)
    return chances
