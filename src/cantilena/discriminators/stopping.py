"""The classifier that stops a tuning run: of another kind, and on other pieces, than the discriminators that reward.

Logistic regression on musical features and on counts of frequent n-grams, retrained at every check on all folds of
pieces but one, and evaluated on that one, so that all predictions are out of fold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.discriminators.comparison import Comparison
from cantilena.discriminators.ensemble import HumanMelodies
from cantilena.discriminators.features import NgramVocabulary, Standardizer
from cantilena.discriminators.predictions import Predictions
from cantilena.metrics import Interval
from cantilena.music import Line

_FOLDS = 3
_NGRAMS = {1: 48, 2: 64, 3: 48}
_C = 0.02
_MAX_DEVIATION = 4.0
_MAX_LOG_ODDS = 5.0
"""Bound of the log odds of a single prediction."""
_RESAMPLES = 200


@dataclass(frozen=True)
class StoppingScore:
    """How well the classifier tells generated melodies from human ones.

    Args:
        auc: area under the ROC curve; 0.5 is chance.
        log_odds: mean log odds over the generated melodies that each is human, in nats: 0 for chance, and the lower,
            the better they are told.
    """

    auc: Interval
    log_odds: float


@dataclass(frozen=True)
class StoppingClassifier:
    """Tells new melodies from human ones that no other part of the tuning uses.

    Args:
        human: of other pieces than those of the discriminators that reward.
        steps_per_bar: steps in a bar.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> rng = np.random.default_rng(1)
        >>> up, down = (GridEncoding().line(20 + way * rng.integers(1, 3, (60, 8)).cumsum(axis=1)) for way in (1, -1))
        >>> human = HumanMelodies(up, np.arange(60), np.zeros(60, dtype=np.int64))
        >>> StoppingClassifier(human, 8).evaluate(down, rng).auc.low > 0.9
        True
    """

    human: HumanMelodies
    steps_per_bar: int = 16

    def evaluate(self, generated: Line, rng: np.random.Generator) -> StoppingScore:
        """Train on human and generated melodies, and measure how well they are told apart."""
        comparison = Comparison.from_samples(self.human.line, self.human.piece, generated)
        rows = comparison.balance(np.arange(comparison.line.melodies), rng)
        examples = comparison.examples(self.steps_per_bar, rng)[rows]
        label, piece = comparison.generated[rows], comparison.piece[rows]
        if not len(rows):
            return StoppingScore(Interval(0.5, 0.0, 1.0), 0.0)
        of_piece = np.unique(piece, return_inverse=True)[1]
        fold = (rng.permutation(of_piece.max() + 1) % _FOLDS)[of_piece]
        ngrams = NgramVocabulary.fit(examples.notes, _NGRAMS).counts(examples.notes)
        columns = np.concatenate([examples.features, np.sqrt(ngrams)], axis=1)
        score = np.full(len(rows), 0.5)
        for number in range(_FOLDS):
            train, test = fold != number, fold == number
            if test.any() and len(np.unique(label[train])) == 2:
                score[test] = _fit_and_score(columns[train], label[train], columns[test])
        seeds = np.zeros(len(rows), dtype=np.int64)
        auc = Predictions(score, label, piece, seeds).auc(rng, resamples=_RESAMPLES)
        odds = np.clip(np.log1p(-score) - np.log(score), -_MAX_LOG_ODDS, _MAX_LOG_ODDS)
        return StoppingScore(auc, float(odds[label].mean()))


def _fit_and_score(
    train: NDArray[np.float64], label: NDArray[np.bool_], test: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Predicted probability that each test row is generated, `(melodies,)`, inside (0, 1)."""
    from sklearn.linear_model import LogisticRegression  # slow to import, and needed with a critic only

    standardize = Standardizer.fit(train, _MAX_DEVIATION)
    regression = LogisticRegression(C=_C, max_iter=2000).fit(standardize(train), label)
    scores: NDArray[np.float64] = np.clip(regression.predict_proba(standardize(test))[:, 1], 1e-9, 1 - 1e-9)
    return scores
