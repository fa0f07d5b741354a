"""Train a critic for `compose --search`: it learns to tell whole melodies that a model composes from people's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cantilena.data import Corpus
from cantilena.discriminators import CriticExamples, train_critic
from cantilena.errors import UsageError
from cantilena.generation import Composer, FormGuides, FormPlan, sample, token_budget
from cantilena.generation.sampling import ENDINGS
from cantilena.models import (
    CONDITIONS,
    LEAD,
    UNKNOWN,
    Bars,
    Bundle,
    MelodyCritic,
    padded_plans,
    plan_rows,
)
from cantilena.music import Key, Melody
from cantilena.rl.note_reward import rows_of_melodies
from cantilena.runtime import generator, progress
from cantilena.tokenizers import NotesEncoding
from cantilena.workflows.data import EncodedPieces, encode_pieces, role_of, transposed

MOST_TICKS = 64 * 96
"""The longest melody that a critic learns from: 64 bars of 4/4."""

_AT_ONCE = 256
_NOTHING: NDArray[np.int64] = np.zeros(0, dtype=np.int64)


def learn_critic(bundle: Bundle, corpus: Corpus, *, seed: int = 1, quiet: bool = False) -> MelodyCritic:
    """Train a critic of the melodies that a model composes.

    People's melodies are the leads of the training part, and those of the validation part decide when to stop. For each
    the model composes one of the same meter, mode, register, length and pickup, with a form of its own.

    Args:
        bundle: the model, of notes.
        corpus: people's melodies; what the model was trained on serves well, since test parts are not used.
        seed: of the melodies and the training.
        quiet: show no progress.

    Raises:
        UsageError: the model is not of notes.
        CorpusError: there are too few melodies.
    """
    composer = Composer.from_bundle(bundle)
    encoding = composer.encoding
    if not isinstance(encoding, NotesEncoding):
        raise UsageError("a critic judges melodies of notes", "choose a model that was trained with --encoding notes")
    parts = {}
    for part in ("train", "valid"):
        pieces = encoded_leads(list(corpus.melodies(part)), encoding, normalized_key=composer.normalized_key)
        drawn = compose_like(composer, pieces, seed=seed, quiet=quiet)
        parts[part] = CriticExamples(
            *(critic_inputs(encoding, tokens, pieces) for tokens in (pieces.sequences.tokens, drawn))
        )
    record = {"corpus": {"name": corpus.manifest.name, "sha256": corpus.sha256}, "seed": seed}
    record |= {"melodies": {part: len(examples) for part, examples in parts.items()}}
    return train_critic(encoding, parts["train"], parts["valid"], seed=seed, provenance=record, quiet=quiet)


def compose_like(
    composer: Composer, pieces: EncodedPieces, *, endings: int = ENDINGS, seed: int = 1, quiet: bool = False
) -> list[NDArray[np.int64]]:
    """Compose a melody of the meter, key, register, length and pickup of each piece: its tokens.

    Args:
        composer: of a model of notes.
        pieces: in the keys of the model.
        endings: candidates for the end of each, as `sample` has it.
        seed: the same seed gives the same melodies.
        quiet: show no progress.
    """
    encoding = composer.encoding
    assert isinstance(encoding, NotesEncoding)
    drawn: list[NDArray[np.int64]] = [np.zeros(0, dtype=np.int64)] * len(pieces.melodies)
    order = np.argsort([melody.length for melody in pieces.melodies], kind="stable")
    with progress("Composing", total=len(drawn), unit="melodies", quiet=quiet) as bar:
        for start in range(0, len(order), _AT_ONCE):
            some = order[start : start + _AT_ONCE]
            bars, guides = told_like(composer, pieces, some, seed)
            steps = token_budget(encoding, int(bars.length.max()))
            uniforms = np.stack([generator(seed, "critic", "compose", int(number)).random(steps) for number in some])
            samples = sample(composer.model, uniforms, bars=bars, encoding=encoding, guide=guides, endings=endings)
            for number, row in zip(some, samples.tokens, strict=True):
                drawn[number] = row
            bar.advance(len(some))
    return drawn


def told_like(
    composer: Composer, pieces: EncodedPieces, some: NDArray[np.integer], seed: int
) -> tuple[Bars, FormGuides | None]:
    """What a model of notes is told to compose melodies like some pieces: their conditions, and forms of their own.

    Args:
        composer: of the model.
        pieces: in the keys of the model.
        some: `(melodies,)` numbers of pieces.
        seed: of the forms, each of which depends on the number of its piece.

    Returns:
        The bars, without a style, and the guides; None if the model knows no forms.
    """
    bars, encoding = _without_style(pieces.sequences.bars[some]), composer.encoding
    if composer.forms is None or not isinstance(encoding, NotesEncoding):
        return bars, None
    plans = [_plan(composer, pieces.melodies[number], int(number), seed) for number in some]
    told = replace(bars, plan=padded_plans([plan_rows(plan.forms[0]) for plan in plans]))
    return told, FormGuides([plan.guide(encoding, _NOTHING) for plan in plans])


def _plan(composer: Composer, melody: Melody, number: int, seed: int) -> FormPlan:
    """A form of the melody's length, with its pickup, over its chords."""
    assert composer.forms is not None
    plan = FormPlan.draw(
        [generator(seed, "critic", "form", number)],
        form=None,
        model=composer.forms,
        bars=-(-melody.length // melody.meter.ticks_per_bar),
        meter=melody.meter,
        key=melody.key or Key(),
        ending="",
        length=melody.length,
        pickup=melody.pickup,
    )
    return replace(plan, chords=(melody.chords,)) if composer.has_harmony and melody.chords else plan


def _without_style(bars: Bars) -> Bars:
    ids = bars.condition_ids.copy()
    ids[:, CONDITIONS.index("style")] = UNKNOWN
    return replace(bars, condition_ids=ids)


def encoded_leads(melodies: Sequence[Melody], encoding: NotesEncoding, *, normalized_key: bool) -> EncodedPieces:
    """The leads among melodies, up to `MOST_TICKS` long, as tokens in the keys of the model."""
    leads = [melody for melody in melodies if role_of(melody) == LEAD and melody.length <= MOST_TICKS]
    leads = list(transposed(leads, encoding, normalized_key=normalized_key))
    return encode_pieces(encoding, [encoding.fit(melody).melody for melody in leads])


def critic_inputs(
    encoding: NotesEncoding, tokens: Sequence[NDArray[np.int64]], pieces: EncodedPieces
) -> list[NDArray[np.int32]]:
    """What the critic reads of each melody, those without notes left out."""
    rows = rows_of_melodies(encoding, tokens, pieces.sequences.bars)
    return [row for row in rows if len(row)]
