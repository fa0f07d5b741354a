"""Three numbers that the field prints of melodies: entropy of pitch classes, consistency of scale and of groove.

They have no good direction: a melody on one note is perfectly consistent. What counts is how near people's they are.

How much a model leaves open at each step: the conditional entropy of its next token.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.metrics.rules import RuleCounts
from cantilena.music import Key, Line
from cantilena.rules import Context, lengths, tones

_CLASSES = 12
_SCALES = np.array([[k in Key(tonic).pitch_classes for k in range(_CLASSES)] for tonic in range(_CLASSES)])
"""The twelve major scales, `(12, 12)`: the natural minor scales have the same tones."""


def pitch_class_entropy(line: Line) -> NDArray[np.float64]:
    """How evenly a melody uses the pitch classes, bits, `(melodies,)`: H = -sum p log2 p.

    Where p are the shares of notes by pitch class, however long the notes are; a chord counts each of its classes once.
    S.-L. Wu and Y.-H. Yang, The Jazz Transformer on the Front Line, ISMIR 2020 (there of one and of four bars; of
    the whole piece, as here, in H.-W. Dong et al., MusPy, ISMIR 2020).

    Args:
        line: the melodies.

    Returns:
        0 of one pitch class to 3.58 of all twelve alike; NaN without notes.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> pitch_class_entropy(GridEncoding().line(np.array([[14, 16, 14, 16], [14, 26, 1, 1]]))).tolist()
        [1.0, 0.0]
    """
    counts = _pitch_class_counts(line)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    bits = -(share * np.log2(np.where(share > 0, share, 1.0))).sum(axis=1) + 0.0  # + 0.0: no negative zero
    return np.where(counts.any(axis=1), bits, np.nan)


def scale_consistency(line: Line) -> NDArray[np.float64]:
    """The largest share of notes that lie in one major or natural minor scale, `(melodies,)`.

    O. Mogren, C-RNN-GAN: Continuous recurrent neural networks with adversarial training, NIPS workshop on constructive
    machine learning 2016. Notes are counted, however long; a chord counts each of its classes once.

    Args:
        line: the melodies.

    Returns:
        7/12 where all classes are alike, to 1; NaN without notes.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> scale_consistency(GridEncoding().line(np.array([[14, 15, 16, 17], [14, 16, 18, 19]]))).tolist()
        [0.75, 1.0]
    """
    counts = _pitch_class_counts(line)
    best = (counts @ _SCALES.T).max(axis=1, initial=0)
    return np.where(counts.any(axis=1), best / np.maximum(counts.sum(axis=1), 1), np.nan)


def groove_consistency(line: Line, context: Context) -> NDArray[np.float64]:
    """How alike the rhythms of neighbouring bars are, `(melodies,)`.

    1 - the mean share of a bar's steps at which a note begins in the one bar and not in the other. Likeness of two
    bars: S.-L. Wu and Y.-H. Yang, The Jazz Transformer on the Front Line, ISMIR 2020; its mean over neighbours: H.-W.
    Dong et al., MusPy, ISMIR 2020. It depends on how many steps a bar has. Whole bars are compared; MusPy adds the
    last, begun one, and of music that ends at a barline an empty one.

    Args:
        line: the melodies.
        context: how many steps make a bar.

    Returns:
        0 to 1; NaN of fewer than two whole bars, and where steps tell no time.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 1, 16, 1, 18, 1, 1, 1], [14, 1, 16, 1, 14, 1, 16, 1]]))
        >>> groove_consistency(line, Context(steps_per_bar=4)).tolist()
        [0.75, 1.0]
    """
    size = context.steps_per_bar
    bars = lengths(line) // size
    if not context.timed or line.steps < 2 * size:
        return np.full(line.melodies, np.nan)
    begins = tones(line)
    compared = np.arange(line.steps - size) < ((bars - 1) * size)[:, None]
    differs = ((begins[:, size:] != begins[:, :-size]) & compared).sum(axis=1)
    return np.where(bars > 1, 1 - differs / np.maximum((bars - 1) * size, 1), np.nan)


def pitch_counts(line: Line, context: Context | None = None) -> RuleCounts:
    """The three numbers as counts, so that a set's number is the mean over the melodies that have it.

    Args:
        line: the melodies.
        context: how many steps make a bar; 16 where not given.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> pitch_counts(GridEncoding().line(np.array([[14, 16, 14, 16], [14, 26, 1, 1], [0, 1, 1, 1]]))).statistics()
        {'pitch_class_entropy': 0.5, 'scale_consistency': 1.0, 'groove_consistency': nan}
    """
    numbers = {
        "pitch_class_entropy": pitch_class_entropy(line),
        "scale_consistency": scale_consistency(line),
        "groove_consistency": groove_consistency(line, context or Context()),
    }
    return RuleCounts.from_pairs({name: (np.nan_to_num(values), ~np.isnan(values)) for name, values in numbers.items()})


def _pitch_class_counts(line: Line) -> NDArray[np.int64]:
    """How many notes have each pitch class, `(melodies, 12)`."""
    classes = np.where(tones(line), line.pitch_classes, 0)
    return np.stack([((classes >> k) & 1).sum(axis=1, dtype=np.int64) for k in range(_CLASSES)], axis=1)


_SLACK = 0.02
"""How far probabilities may add up beside 1: networks compute in 16 bits too."""


def entropies(log_probs: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """The entropy of each step's next token given those before it, nats: H = -sum p log p.

    C. E. Shannon, A Mathematical Theory of Communication, Bell System Technical Journal 1948, section 6.

    Args:
        log_probs: `(melodies, steps, vocabulary)` natural logarithms of probabilities; -inf for what is never said.

    Returns:
        `(melodies, steps)`: 0 where one token is certain, log(vocabulary) where all are equally likely.

    Raises:
        UsageError: another shape, or numbers that are no log-probabilities.

    Example:
        >>> open_and_certain = np.log(np.array([[[0.5, 0.5], [0.999, 0.001]]]))
        >>> entropies(open_and_certain).round(3).tolist()
        [[0.693, 0.008]]
    """
    log_p = np.asarray(log_probs, dtype=np.float64)
    if log_p.ndim != 3:
        raise UsageError(f"log-probabilities of shape {log_p.shape}", "give an array (melodies, steps, vocabulary)")
    with np.errstate(over="ignore"):
        p = np.exp(log_p)
        total = p.sum(axis=-1)
    if not (np.abs(total - 1.0) <= _SLACK).all():
        raise UsageError("the probabilities of a step do not add up to 1", "give log-probabilities, not raw scores")
    return np.asarray(-(p * np.where(p > 0.0, log_p, 0.0)).sum(axis=-1) + 0.0)  # + 0.0: no negative zero


def entropy_per_step(log_probs: NDArray[np.floating[Any]], length: NDArray[np.integer[Any]] | None = None) -> float:
    """The mean entropy of the next token over all steps of all melodies, nats a step.

    Its interval is `bootstrap_ratio` of the sums of `entropies` over melodies.

    Args:
        log_probs: `(melodies, steps, vocabulary)` natural logarithms of probabilities.
        length: `(melodies,)` how many steps of each melody count; all where left out.

    Returns:
        0 to log(vocabulary); NaN where there is no step.

    Raises:
        UsageError: another shape, or numbers that are no log-probabilities.

    Example:
        >>> from cantilena.metrics import bootstrap_ratio
        >>> log_p = np.log(np.array([[[0.5, 0.5]] * 4, [[0.25, 0.75]] * 4]))
        >>> round(entropy_per_step(log_p), 3)
        0.628
        >>> sums, steps = entropies(log_p).sum(axis=1), np.array([4, 4])
        >>> round(bootstrap_ratio(sums, steps, None, np.random.default_rng(1)).high, 3)
        0.693
    """
    nats = entropies(log_probs)
    counts = np.ones(nats.shape, np.bool_)
    if length is not None:
        counts = np.arange(nats.shape[1])[None, :] < np.asarray(length)[:, None]
    return float(nats[counts].mean()) if counts.any() else float("nan")
