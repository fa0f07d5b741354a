"""From what was named to the melodies of it: read from a folder, or drawn from a model or a baseline."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cantilena.data import Corpus, ReadOptions, read_folder
from cantilena.errors import CorpusError
from cantilena.generation import Composer, SamplingOptions
from cantilena.models import Bundle, bars_in, log_probs_in_bars, numpy_of, tells_a_bound
from cantilena.music import Key, Meter, Tempo, key_of_durations
from cantilena.reporting import NoteProbabilities
from cantilena.runtime import generator
from cantilena.tokenizers import Encoding, GridEncoding
from cantilena.workflows.data import encode_on_grid
from cantilena.workflows.evaluate.counts import model_distances
from cantilena.workflows.evaluate.melody_sets import GRID, JudgedTune, MelodySet, on_judged_grid
from cantilena.workflows.evaluate.options import EvaluateOptions
from cantilena.workflows.evaluate.systems import BASELINES, PEOPLE, Contestant, System, baseline_system, model_system

_SHOWN = 32
"""Steps of a melody at which a report shows what the model thought."""

_OF_A_PIECE = 4
"""Excerpts of one piece at most."""

_PLAIN = (Key(0, "major"), Key(9, "minor"))
"""The keys in which models of plain keys think."""


def people_set(corpus: Corpus, steps: int, options: EvaluateOptions) -> MelodySet:
    """People's melodies: held-out excerpts of so many steps that do not overlap, as many as are asked for at most.

    Each is judged in the key of its whole piece. Of a long piece four excerpts are taken, spread over it: otherwise one
    sonata of forty would speak for all of music. Where no held-out piece is as long, whole pieces stand in.

    Raises:
        CorpusError: nothing is held out.
    """
    held_out = corpus.split("test")
    tunes = _tunes_of(held_out)
    if not tunes:
        raise CorpusError(
            f"{corpus.manifest.name} holds no melody to compare with", "give a corpus of 10 pieces or more"
        )
    excerpts = [excerpt for tune in tunes for excerpt in _spread(tune.excerpts(steps))] or tunes
    some = MelodySet(PEOPLE, f"held-out melodies of {corpus.manifest.name}", excerpts)
    return some.some(options.melodies, generator(options.seed, "people"))


def _spread(excerpts: Sequence[JudgedTune]) -> list[JudgedTune]:
    """At most `_OF_A_PIECE` of the excerpts of a piece, at even distances."""
    kept = min(len(excerpts), _OF_A_PIECE)
    return [excerpts[len(excerpts) * number // kept] for number in range(kept)]


def folder_set(contestant: Contestant, options: EvaluateOptions) -> MelodySet:
    """The melodies in a folder of scores, as they are; of polyphonic files the melody line.

    Raises:
        CorpusError: nothing in it can be used.
    """
    reading = ReadOptions(jobs=options.jobs, seed=options.seed)
    corpus = read_folder(Path(contestant.source), reading, as_is=True, most=options.most, once=True)
    key = Key.parse(options.key) if options.key.strip() else None
    return MelodySet(
        contestant.name,
        f"{len(corpus):,} melodies read from a folder",
        _tunes_of(corpus, key),
        corpus.manifest.skipped,
        corpus.sha256,
    )


def bundle_set(contestant: Contestant, steps: int, options: EvaluateOptions) -> MelodySet:
    """Melodies drawn from a model, in the key that it was tuned in, or in whichever of those it knows fits each best.

    Raises:
        BundleError: it cannot be read.
    """
    path = Path(contestant.source)
    bundle = Bundle.load(path)
    composer = Composer.of(bundle, contestant.name)
    sampling = SamplingOptions(temperature=options.temperature)
    system = model_system(
        contestant.name,
        _told(bundle),
        composer.model,
        composer.encoding,
        options.seed,
        sampling=sampling,
        meter=composer.meter,
        key=composer.key,
    )
    tokens = system.draw(options.melodies, _tokens_for(steps, system.encoding), "count")
    drawn = _decoded(system, tokens, steps, composer.key, _PLAIN if composer.plain_keys else (), composer.meter)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if tells_a_bound(composer.model):  # it has no probabilities of single tokens to show
        return replace(drawn, sha256=digest)
    own = model_distances(
        tokens,
        composer.encoding,
        model=composer.model,
        reference=composer.prior,
        meter=composer.meter,
        key=composer.key,
    )
    kept = ("entropy_per_step",) if bundle.prior_weights is None else ("entropy_per_step", "kl_per_step")
    return replace(drawn, sha256=digest, own=own.of_names(kept), thought=_thought(composer, tokens[:1, :_SHOWN]))


def _thought(composer: Composer, tokens: NDArray[np.int64]) -> NoteProbabilities:
    """What a model thought at each step of a melody: the paper's figures 8 and 9."""
    bars = bars_in(composer.meter, 1, composer.encoding, composer.key)
    log_probs = np.asarray(numpy_of(log_probs_in_bars(composer.model, tokens, bars)), dtype=np.float64)[0]
    return NoteProbabilities(composer.name, np.exp(log_probs), composer.encoding.vocabulary, tokens[0].tolist())


def baseline_set(contestant: Contestant, corpus: Corpus, steps: int, options: EvaluateOptions) -> MelodySet:
    """Melodies by a baseline that learns from the corpus in moments.

    Raises:
        CorpusError: the corpus is too small to learn from.
    """
    kind, name = contestant.source, contestant.name
    if kind == "shuffled":
        rng = generator(options.seed, "shuffled")
        tunes = [_shuffled(tune, rng) for tune in people_set(corpus, steps, options).tunes]
        return MelodySet(name, BASELINES[kind], tunes)
    system = replace(baseline_system(kind, encode_on_grid(corpus), options.seed), name=name)
    tokens = system.draw(options.melodies, _tokens_for(steps, system.encoding), "count")
    return _decoded(system, tokens, steps, None, _PLAIN, None)


def _decoded(
    system: System,
    tokens: NDArray[np.int64],
    steps: int,
    key: Key | None,
    choices: Sequence[Key],
    meter: Meter | None,
) -> MelodySet:
    """What a system drew, each melody in the key that is given, or in the one of the choices that fits it best."""
    tunes = []
    for number, row in enumerate(tokens, start=1):
        label = f"{number:0{len(str(len(tokens)))}}"
        if isinstance(system.encoding, GridEncoding) and system.encoding.step_ticks == GRID.step_ticks:
            tune = JudgedTune(on_judged_grid(row, system.encoding), Key(), meter or Meter(), label, label)
        else:
            melody = system.encoding.decode(row, meter=meter, tempo=Tempo.constant(120))
            tune = JudgedTune.of(melody, piece=label, label=label)
        fitting = key or key_of_durations(tune.pitch_class_durations(), among=choices) or Key()
        tunes.append(replace(tune.first(steps), key=fitting))
    return MelodySet(system.name, system.description, tunes)


def _tokens_for(steps: int, encoding: Encoding) -> int:
    """How many tokens of an encoding last so many sixteenths."""
    return max(-(-steps * GRID.step_ticks // encoding.step_ticks), 1)


def _tunes_of(corpus: Corpus, key: Key | None = None) -> list[JudgedTune]:
    rows = zip(corpus.melodies(), corpus.column("piece"), corpus.column("source"), strict=True)
    tunes = (JudgedTune.of(melody, piece=piece, label=source, key=key) for melody, piece, source in rows)
    return [tune for tune in tunes if len(tune)]


def _told(bundle: Bundle) -> str:
    tuning = bundle.provenance.get("tuning")
    if not isinstance(tuning, dict):
        return "a model as trained"
    return f"a model tuned on rules ({tuning.get('rules') or 'unnamed'}) with {tuning.get('algorithm') or 'learning'}"


def _shuffled(tune: JudgedTune, rng: np.random.Generator) -> JudgedTune:
    """The same notes with their lengths in random order, rests among them; what sounds at the start stays there."""
    starts = np.flatnonzero(tune.tokens != 1)
    parts = np.split(tune.tokens, starts)
    order = rng.permutation(len(starts))
    return replace(tune, tokens=np.concatenate([parts[0], *(parts[1 + part] for part in order)]))
