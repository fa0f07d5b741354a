"""Pitch-class entropy, scale consistency and groove consistency, as the literature reports them.

None has a good direction: a melody of one note is perfectly consistent. Compare them with those of human melodies.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.metrics.rules import RuleCounts
from cantilena.music import Key, Line
from cantilena.rules import Context, Metric, lengths, tones

METRICS = (
    Metric(
        "pitch_class_entropy",
        "Pitch-class entropy, bits",
        "Mean entropy of the pitch classes of a melody's notes: 0 for one class, 3.58 for all twelve equally.",
        unit="number",
    ),
    Metric(
        "scale_consistency",
        "Scale consistency",
        "Mean of the largest share of a melody's notes that lie in one major or natural minor scale.",
    ),
    Metric(
        "groove_consistency",
        "Groove consistency",
        "Mean similarity of neighbouring bars: the share of steps at which a note begins in both or in neither.",
    ),
)

_CLASSES = 12
_SCALES = np.array([[k in Key(tonic).pitch_classes for k in range(_CLASSES)] for tonic in range(_CLASSES)])
"""The twelve major scales, `(12, 12)`: the natural minor scales have the same tones."""


def pitch_class_entropy(line: Line) -> NDArray[np.float64]:
    """The entropy of the pitch classes of each melody, bits, `(melodies,)`: H = -sum p log2 p.

    p are the shares of notes by pitch class, regardless of duration; a chord counts each of its classes once.
    S.-L. Wu and Y.-H. Yang, The Jazz Transformer on the Front Line, ISMIR 2020 (there over one and four bars; over the
    whole piece, as here, in H.-W. Dong et al., MusPy, ISMIR 2020).

    Returns:
        0 for one pitch class to 3.58 for all twelve equally; NaN without notes.

    Examples:
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
    machine learning 2016. Notes count regardless of duration; a chord counts each of its classes once.

    Returns:
        7/12 for all classes equally, to 1; NaN without notes.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> scale_consistency(GridEncoding().line(np.array([[14, 15, 16, 17], [14, 16, 18, 19]]))).tolist()
        [0.75, 1.0]
    """
    counts = _pitch_class_counts(line)
    best = (counts @ _SCALES.T).max(axis=1, initial=0)
    return np.where(counts.any(axis=1), best / np.maximum(counts.sum(axis=1), 1), np.nan)


def groove_consistency(line: Line, context: Context) -> NDArray[np.float64]:
    """The rhythmic similarity of neighbouring bars, `(melodies,)`.

    1 - the mean share of a bar's steps at which a note begins in one of the two bars only. Similarity of two bars:
    S.-L. Wu and Y.-H. Yang, The Jazz Transformer on the Front Line, ISMIR 2020; its mean over neighbours: H.-W. Dong
    et al., MusPy, ISMIR 2020. It depends on the number of steps in a bar. Only whole bars are compared; MusPy adds the
    last, incomplete one, and an empty one for music that ends at a barline.

    Returns:
        0 to 1; NaN for fewer than two whole bars, and where steps are not timed.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 1, 16, 1, 18, 1, 1, 1], [14, 1, 16, 1, 14, 1, 16, 1]]))
        >>> groove_consistency(line, Context(steps_per_bar=4)).tolist()
        [0.75, 1.0]
    """
    size = context.steps_per_bar
    bars = lengths(line) // size
    if not context.timed or line.steps < 2 * size:
        return np.full(line.melodies, np.nan)
    onsets = tones(line)
    compared = np.arange(line.steps - size) < ((bars - 1) * size)[:, None]
    differs = ((onsets[:, size:] != onsets[:, :-size]) & compared).sum(axis=1)
    return np.where(bars > 1, 1 - differs / np.maximum((bars - 1) * size, 1), np.nan)


def pitch_counts(line: Line, context: Context | None = None) -> RuleCounts:
    """The three metrics as counts: the value of a set is the mean over the melodies for which it is defined.

    Bars have 16 steps if no context is given.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> pitch_counts(GridEncoding().line(np.array([[14, 16, 14, 16], [14, 26, 1, 1], [0, 1, 1, 1]]))).statistics()
        {'pitch_class_entropy': 0.5, 'scale_consistency': 1.0, 'groove_consistency': nan}
    """
    values = (pitch_class_entropy(line), scale_consistency(line), groove_consistency(line, context or Context()))
    return RuleCounts.from_pairs(
        {metric.name: (np.nan_to_num(each), ~np.isnan(each)) for metric, each in zip(METRICS, values, strict=True)}
    )


def _pitch_class_counts(line: Line) -> NDArray[np.int64]:
    """The number of notes of each pitch class, `(melodies, 12)`."""
    classes = np.where(tones(line), line.pitch_classes, 0)
    return np.stack([((classes >> k) & 1).sum(axis=1, dtype=np.int64) for k in range(_CLASSES)], axis=1)
