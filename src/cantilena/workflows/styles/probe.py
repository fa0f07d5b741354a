"""`evaluate --styles`: does a machine listener hear the style that a model was told?

1. The listener learns from people's melodies of the corpus's training part, its settings chosen by pieces of that part
   which are held back. It never hears a generated melody while it learns.
2. It answers on people's test part: how well these styles can be told apart at all.
3. It answers on melodies that the model composes: told a style, in the usual meter and key of the style; told none, in
   the same meters and keys, which shows what those alone give away; told a style, all in 4/4 and C major; told none
   there, and taken for each style in turn, which must come out at chance.

A second listener, that hears no bars, answers on what is all in 4/4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cantilena.discriminators import StyleListener
from cantilena.errors import UsageError
from cantilena.generation import Composer
from cantilena.metrics import StylePredictions
from cantilena.models import Bundle
from cantilena.runtime import generator, say
from cantilena.workflows.data import style_labels
from cantilena.workflows.evaluate.systems import contestants
from cantilena.workflows.styles.probe_data import (
    COLUMNS_HEARD,
    PeopleInStyles,
    composed,
    corpus_of,
    drawn_few,
    learnable,
    people_in_styles,
    told_by,
)
from cantilena.workflows.styles.probe_options import HeardStylesOptions
from cantilena.workflows.styles.probe_results import HeardColumn, HeardStyles, heard_column


@dataclass(frozen=True)
class _Ear:
    """A listener that has learned, and what it heard of people.

    Args:
        listener: with bars or without.
        held_back: people's melodies that it learned from, each answered while its piece was held back.
        tested: people's test part.
    """

    listener: StyleListener
    held_back: StylePredictions
    tested: StylePredictions


def hear_styles(words: Sequence[str], options: HeardStylesOptions) -> HeardStyles:
    """Let a listener that learned styles from people's melodies tell those of a model's.

    Args:
        words: `BUNDLE` or `NAME=BUNDLE`, one.
        options: people's melodies, how many of the model's, how long.

    Raises:
        UsageError: not one bundle, one that knows no style, or people's melodies that cannot be found or learned from.
        BundleError: it cannot be read.
        CorpusError: people's melodies cannot be read.
    """
    name, composer, bundle = _composer_of(words)
    by, corpus = told_by(bundle, options.styles_by), corpus_of(bundle, options)
    labels = style_labels(corpus, by)
    say(f"Reading {corpus.manifest.name}, its styles by {by}")
    everybody = people_in_styles(corpus, "train", labels, composer, options.steps)
    kept, left_out = learnable(everybody, [style.name for style in composer.styles])
    learned = drawn_few(everybody.of_styles(kept), generator(options.seed, "styles learned"))
    test = people_in_styles(corpus, "test", labels, composer, options.steps).of_styles(kept)
    ears = {bars: _ear(learned, test, options, with_bars=bars) for bars in (True, False)}
    answers = {
        "people": ears[True].tested,
        "people_held_back": ears[True].held_back,
        "people_without_bars": ears[False].tested,
        "people_held_back_without_bars": ears[False].held_back,
    }
    columns = [heard_column(column, told, options) for column, told in answers.items()]
    for column, what in COLUMNS_HEARD.items():
        say(f"Composing: {what.words}")
        columns.append(_composed_column(composer, column, kept, ears[what.own].listener, options))
    return HeardStyles(
        system=name,
        names=tuple(composer.styles[number].name for number in kept),
        left_out=left_out,
        by=by,
        corpus=corpus.manifest.name,
        sha256=corpus.sha256,
        learned=np.bincount(learned.style, minlength=len(kept)),
        steps=options.steps,
        listeners={bars: (ear.listener.setting, ear.listener.tried) for bars, ear in ears.items()},
        columns={column.name: column for column in columns},
    )


def _composer_of(words: Sequence[str]) -> tuple[str, Composer, Bundle]:
    found = contestants(words)
    if len(found) != 1 or found[0].kind != "bundle":
        what = f"{len(found)} systems" if len(found) != 1 else f"a {found[0].kind}"
        raise UsageError(f"--styles of {what}", "name one bundle that was trained with --styles")
    bundle = Bundle.load(Path(found[0].source))
    composer = Composer.of(bundle, found[0].name)
    if not composer.styles:
        raise UsageError(f"{found[0].name} knows no style", "train a model with --styles, and name that")
    return found[0].name, composer, bundle


def _ear(learned: PeopleInStyles, test: PeopleInStyles, options: HeardStylesOptions, *, with_bars: bool) -> _Ear:
    say(
        f"Learning styles {'with' if with_bars else 'without'} bars from {len(learned):,} excerpts of people's melodies"
    )
    rng = generator(options.seed, "style listener", str(with_bars))
    listener = StyleListener.learn(learned.examples(with_bars=with_bars), learned.style, learned.pieces, rng)
    heard = listener.scorer.chances(test.examples(with_bars=with_bars))
    return _Ear(
        listener,
        StylePredictions(learned.style, listener.held_back, learned.pieces),
        StylePredictions(test.style, heard, test.pieces),
    )


def _composed_column(
    composer: Composer, column: str, kept: Sequence[int], listener: StyleListener, options: HeardStylesOptions
) -> HeardColumn:
    drawn = [composed(composer, column, kept, options, draw) for draw in range(options.draws)]
    chances = [listener.scorer.chances(examples) for examples, _ in drawn]
    styles = [style for _, style in drawn]
    whole = StylePredictions(np.concatenate(styles), np.concatenate(chances), np.arange(sum(map(len, styles))))
    each = [StylePredictions(style, one, np.arange(len(style))) for style, one in zip(styles, chances, strict=True)]
    return heard_column(column, whole, options, [one.balanced_accuracy_of_all for one in each])
