"""What the listener to styles hears: people's melodies with their styles, and those that a model composes in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cantilena.data import Corpus, ReadOptions, Split, in_plain_key, open_corpus
from cantilena.discriminators import StyleExamples
from cantilena.errors import UsageError
from cantilena.generation import Composer, SamplingOptions, sample
from cantilena.models import UNKNOWN, Bars, Bundle
from cantilena.music import Key, Melody, Meter
from cantilena.runtime import generator, tracked
from cantilena.tokenizers import Encoding, GridEncoding
from cantilena.workflows.data import COLUMNS, StyleLabels
from cantilena.workflows.evaluate.melody_sets import GRID, JudgedTune, line_of, on_judged_grid
from cantilena.workflows.learned_corpus import named_corpus, shipped_corpus
from cantilena.workflows.styles.probe_options import HeardStylesOptions

LEAST_LEARNED, LEAST_PIECES = 12, 3
"""People's excerpts of a style, and pieces that they are from, without which no listener learns it."""

_MOST_LEARNED = 1000
"""People's excerpts of a style that are learned from; of more, so many are drawn."""

_OF_A_MELODY = 4
"""Excerpts of one melody at most."""

_COMMON, _PLAIN = Meter(), Key(0, "major")


@dataclass(frozen=True)
class PeopleInStyles:
    """Excerpts of people's melodies, all of one length.

    Args:
        tunes: as the model's encoding can say them.
        style: `(excerpts,)`: the style of each, 0 and up.
        pieces: `(excerpts,)`: equal numbers for excerpts of one piece.
    """

    tunes: Sequence[JudgedTune]
    style: NDArray[np.int64]
    pieces: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.tunes)

    def examples(self, *, with_bars: bool) -> StyleExamples:
        """What is heard of them."""
        bars = np.array([tune.context.steps_per_bar for tune in self.tunes], dtype=np.int64)
        return StyleExamples(line_of(tune.tokens for tune in self.tunes), bars if with_bars else None)

    def some(self, rows: NDArray[np.int64]) -> PeopleInStyles:
        """Those of some rows."""
        return PeopleInStyles([self.tunes[row] for row in rows.tolist()], self.style[rows], self.pieces[rows])

    def of_styles(self, kept: Sequence[int]) -> PeopleInStyles:
        """Those of some styles, which are counted anew."""
        rows = np.flatnonzero(np.isin(self.style, kept))
        some = self.some(rows)
        return PeopleInStyles(some.tunes, np.searchsorted(kept, some.style).astype(np.int64), some.pieces)


def told_by(bundle: Bundle, asked: str) -> str:
    """What tells the styles of people's melodies: as asked, or as the bundle recorded.

    Args:
        bundle: whose network was told styles.
        asked: `--styles-by`; empty for what was recorded.

    Raises:
        UsageError: neither is known, or a file of styles is not where it was.
    """
    by = asked.strip() or Path(str(bundle.provenance.get("styles_by") or "")).name
    if not by:
        raise UsageError(
            "this model does not say how its styles were told",
            "give --styles-by collection, composer, or the clusters.json that it was trained with",
        )
    if by not in COLUMNS and not Path(by).is_file():
        raise UsageError(
            f"the styles of this model were told by {by}, which is not here",
            "give that file with --styles-by, or make it anew: cantilena corpus cluster CORPUS --out DIR",
        )
    return by


def corpus_of(bundle: Bundle, options: HeardStylesOptions) -> Corpus:
    """The corpus of people's melodies: as asked, or the one that the model learned where it ships.

    Raises:
        UsageError: the model learned another one, and none is named.
        CorpusError: it cannot be read.
    """
    name = options.against.strip() or shipped_corpus(bundle)
    if not name:
        raise UsageError(
            f"this model learned the corpus '{named_corpus(bundle)}', which does not ship with Cantilena",
            "name it with --against: a corpus file, or the folder of its scores",
        )
    return open_corpus(name, ReadOptions(jobs=options.jobs))


def people_in_styles(
    corpus: Corpus, split: Split, labels: StyleLabels, composer: Composer, steps: int
) -> PeopleInStyles:
    """Excerpts of a part of a corpus whose styles a model knows, as the model's encoding can say them.

    Up to four of each melody, which do not overlap; melodies that are shorter are left out.

    Args:
        corpus: of people's melodies.
        split: its part.
        labels: their styles.
        composer: the model: its encoding, its keys, its styles.
        steps: of each excerpt.
    """
    known = {style.name: number for number, style in enumerate(composer.styles)}
    number_of = [-1, *(known.get(name, -1) for name in labels.names)]
    part = corpus.split(split)
    melodies = tracked(part.melodies(), "Reading melodies", total=len(part), unit="melodies")
    rows = zip(melodies, labels.of(split) or (), part.column("piece"), strict=True)
    tunes: list[JudgedTune] = []
    styles: list[int] = []
    for melody, label, piece in rows:
        if number_of[label] >= 0:
            own = _spread(_as_said(melody, piece, composer).excerpts(steps))
            tunes += own
            styles += [number_of[label]] * len(own)
    pieces = np.unique([tune.piece for tune in tunes], return_inverse=True)[1]
    return PeopleInStyles(tunes, np.array(styles, dtype=np.int64), pieces.astype(np.int64))


def learnable(people: PeopleInStyles, names: Sequence[str]) -> tuple[list[int], dict[str, str]]:
    """The styles that a listener can learn, by number, and of each other one why not.

    Args:
        people: what there is to learn from.
        names: of all styles.

    Raises:
        UsageError: fewer than two can be learned.
    """
    kept, reasons = [], {}
    for number, name in enumerate(names):
        own = people.style == number
        pieces = len(np.unique(people.pieces[own]))
        if own.sum() >= LEAST_LEARNED and pieces >= LEAST_PIECES:
            kept.append(number)
        else:
            reasons[name] = f"{int(own.sum())} excerpts of {pieces} pieces are too few to learn it from"
    if len(kept) < 2:
        raise UsageError(
            f"only {len(kept)} of the {len(names)} styles of this model can be learned from people's melodies",
            "name the corpus that it was trained on with --against, or give fewer --steps",
        )
    return kept, reasons


def drawn_few(people: PeopleInStyles, rng: np.random.Generator) -> PeopleInStyles:
    """The same with no more than a thousand excerpts of a style, drawn at random."""
    order = rng.permutation(len(people))
    kept = [order[people.style[order] == style][:_MOST_LEARNED] for style in np.unique(people.style)]
    return people.some(np.sort(np.concatenate([np.zeros(0, dtype=np.int64), *kept])))


@dataclass(frozen=True)
class Column:
    """Melodies that are composed to be heard.

    Args:
        told: whether the model is told the style.
        own: whether each melody is in the usual meter and key of its style; all in 4/4 and C major otherwise.
        words: what it is, for a reader.
    """

    told: bool
    own: bool
    words: str


COLUMNS_HEARD: Mapping[str, Column] = {
    "told": Column(told=True, own=True, words="told a style, in its own meter and key"),
    "meter_alone": Column(told=False, own=True, words="told no style, in the meter and key of one"),
    "same_meter": Column(told=True, own=False, words="told a style, all in 4/4 and C major"),
    "untold": Column(told=False, own=False, words="told no style, all in 4/4 and C major"),
}
"""What is composed, by name: two columns in which a style is told, and the control of each."""


def composed(
    composer: Composer, column: str, kept: Sequence[int], options: HeardStylesOptions, draw: int
) -> tuple[StyleExamples, NDArray[np.int64]]:
    """Melodies that a model composes, as many for each style, and the style that each was told, or is taken for.

    Args:
        composer: the model.
        column: which of `COLUMNS_HEARD`.
        kept: the numbers of the styles that are heard.
        options: how many, how long, from which seed.
        draw: which time this is, from 0 on.
    """
    what = COLUMNS_HEARD[column]
    each = max(options.melodies // len(kept), 2)
    rng = generator(options.seed, "heard styles", column, draw)
    rows, bars = [], []
    for number in kept:
        style = composer.styles[number]
        meter, key = (style.meter or _COMMON, style.key or _PLAIN) if what.own else (_COMMON, _PLAIN)
        rows.append(_drawn(composer, meter, key, number + 1 if what.told else UNKNOWN, each, options, rng))
        bars.append(np.full(each, max(meter.ticks_per_bar // GRID.ticks_per_step, 1), dtype=np.int64))
    line = line_of(np.concatenate(rows))
    return StyleExamples(line, np.concatenate(bars) if what.own else None), np.repeat(np.arange(len(kept)), each)


def _drawn(
    composer: Composer,
    meter: Meter,
    key: Key,
    style: int,
    melodies: int,
    options: HeardStylesOptions,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """`(melodies, steps)` of the judged grid."""
    encoding = composer.encoding
    length = max(-(-options.steps * GRID.ticks_per_step // encoding.ticks_per_step), 1)
    told_in = meter if encoding.is_timed else Meter()
    bars = Bars.from_meter(told_in, melodies=melodies, ticks_per_step=encoding.ticks_per_step, key=key, style=style)
    sampling = SamplingOptions(temperature=options.temperature)
    tokens = sample(composer.model, rng.random((melodies, length)), options=sampling, bars=bars).tokens
    return np.stack([_on_grid(row, encoding)[: options.steps] for row in tokens])


def _as_said(melody: Melody, piece: str, composer: Composer) -> JudgedTune:
    """A melody as the model would have to say it: in its keys, in its range, by its tokens."""
    encoding = composer.encoding
    if composer.normalized_key and isinstance(encoding, GridEncoding):
        melody = in_plain_key(melody, low=encoding.low, high=encoding.high)
    fitted = encoding.fit(melody).melody
    tokens = _on_grid(encoding.encode(fitted), encoding)
    pickup = fitted.pickup // GRID.ticks_per_step if encoding.is_timed else 0
    return JudgedTune(tokens[pickup:], fitted.key or Key(), melody.meter, piece, piece)


def _on_grid(tokens: NDArray[np.int64], encoding: Encoding) -> NDArray[np.int64]:
    if isinstance(encoding, GridEncoding) and encoding.ticks_per_step == GRID.ticks_per_step:
        return on_judged_grid(tokens, encoding)
    return GRID.encode(encoding.decode(tokens))


def _spread(excerpts: Sequence[JudgedTune]) -> list[JudgedTune]:
    kept = min(len(excerpts), _OF_A_MELODY)
    return [excerpts[len(excerpts) * number // kept] for number in range(kept)]
