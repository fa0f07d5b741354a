"""Read or draw the melodies of each system."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cantilena.data import Corpus, read_folder
from cantilena.errors import CorpusError
from cantilena.generation import ComposeOptions, Composer, SamplingOptions
from cantilena.models import (
    LEAD,
    Bars,
    Bundle,
    bars_for_encoding,
    log_probs_with_bars,
    only_bounds_likelihood,
    to_numpy,
)
from cantilena.music import Key, Melody, Meter, key_of_durations
from cantilena.reporting import NoteProbabilities
from cantilena.runtime import generator
from cantilena.workflows.data import encode_on_grid, role_of_source
from cantilena.workflows.evaluate.counts import model_distances
from cantilena.workflows.evaluate.matching import Matched, matched_melodies
from cantilena.workflows.evaluate.melody_sets import (
    EXCERPTS_PER_PIECE,
    GRID,
    EvalMelody,
    MelodySet,
    step_count,
    to_eval_grid,
)
from cantilena.workflows.evaluate.obedience import measure_obedience
from cantilena.workflows.evaluate.options import EvaluateOptions
from cantilena.workflows.evaluate.systems import BASELINES, HUMAN, System, SystemSpec, baseline_system, model_system

_SHOWN_STEPS = 32
"""Steps of a melody whose probabilities a report shows."""

_NORMALIZED_KEYS = (Key(0, "major"), Key(9, "minor"))
"""The keys of models whose training melodies were transposed to C major or A minor."""


def reference_set(
    corpus: Corpus, steps: int, options: EvaluateOptions, systems: Sequence[MelodySet] = ()
) -> tuple[MelodySet, Matched]:
    """The human melodies: held-out ones like those of the systems (`matched_melodies`), and what was matched.

    Without systems they are excerpts of so many steps, at most four of a piece, each in the key of its piece, or whole
    pieces where none is as long.

    Raises:
        CorpusError: the corpus has no held-out melodies.
    """
    melodies = _corpus_melodies(corpus.split("test"))
    if not melodies:
        hint = "give a corpus of 10 pieces or more"
        raise CorpusError(f"{corpus.manifest.name} has no held-out melodies to compare with", hint)
    description, rng = f"held-out melodies of {corpus.manifest.name}", generator(options.seed, "people")
    if any(one.obedience for one in systems):  # models with forms compose leads, no altos and basses
        melodies = [melody for melody in melodies if role_of_source(melody.label) == LEAD] or melodies
    if systems:
        chosen, by = matched_melodies(melodies, systems, steps, most=options.melodies, rng=rng)
        return MelodySet(HUMAN, description, chosen), by
    excerpts = [part for melody in melodies for part in melody.excerpts(steps, EXCERPTS_PER_PIECE)]
    return MelodySet(HUMAN, description, excerpts or melodies).sample(options.melodies, rng), ()


def given_set(spec: SystemSpec, options: EvaluateOptions) -> MelodySet:
    """The melodies of a folder of scores, or those in memory; of polyphonic files the melody line.

    Raises:
        CorpusError: none of them can be used.
    """
    key = Key.parse(options.key) if options.key.strip() else None
    if spec.kind == "folder":
        reading = options.read_options(jobs=options.jobs, seed=options.seed)
        corpus = read_folder(Path(str(spec.source)), reading, as_is=True, most=options.most, once=True)
        melodies, description = _corpus_melodies(corpus, key), f"{len(corpus):,} melodies read from a folder"
        return MelodySet(spec.name, description, melodies, corpus.manifest.skipped, corpus.sha256)
    given = [melody for melody in spec.source if melody.sounding] if isinstance(spec.source, tuple) else []
    if not given:
        raise CorpusError(f"'{spec.name}' has no melody with notes", "give one melody or more")
    rows = ((melody, str(row), melody.title or f"{row + 1}") for row, melody in enumerate(given))
    return MelodySet(spec.name, f"{len(given):,} melodies", _eval_melodies(rows, key))


def bundle_set(spec: SystemSpec, steps: int, options: EvaluateOptions) -> MelodySet:
    """Melodies drawn from a model, in the key that it was tuned in, or each in the best fitting key that it knows."""
    bundle = spec.bundle
    composer = Composer.from_bundle(bundle, spec.name)
    model, prior, encoding, meter, key = (
        composer.model, composer.prior, composer.encoding, composer.meter, composer.key,
    )  # fmt: skip
    sampling = SamplingOptions(temperature=options.temperature)
    told: Bars | None
    if composer.forms is None:
        system = model_system(
            spec.name, _description(bundle), model, encoding, options.seed, sampling=sampling, meter=meter, key=key
        )
        tokens = system.draw(options.melodies, step_count(steps, encoding), "count")
        drawn = _drawn_set(system, tokens, steps, key, _NORMALIZED_KEYS if composer.normalized_key else (), meter)
        told = bars_for_encoding(meter, len(tokens), encoding, key, steps * GRID.ticks_per_step)
    else:  # As `compose` makes them, with forms. Of twice the length they are openings, of which people have enough.
        number = 2 * max(round(steps * GRID.ticks_per_step / (meter or Meter()).ticks_per_bar), 1)
        plan = composer.plan(range(options.melodies), ComposeOptions(bars=number, sampling=sampling), options.seed)
        samples = plan.sample(model)
        tokens, told = samples.tokens, plan.arguments["bars"]
        rows = ((one, one.title, one.title) for one in composer.finish(plan, samples))
        obedience = measure_obedience(composer, seed=options.seed)
        drawn = MelodySet(spec.name, _description(bundle), _eval_melodies(rows, None), obedience=obedience)
    if not isinstance(spec.source, Bundle):
        drawn = replace(drawn, sha256=hashlib.sha256(Path(str(spec.source)).read_bytes()).hexdigest())
    if only_bounds_likelihood(model):  # it has no token probabilities
        return drawn
    counts = model_distances(tokens, encoding, model=model, reference=prior, bars=told)
    names = ("entropy_per_step",) if bundle.prior_weights is None else ("entropy_per_step", "kl_per_step")
    first = tokens[:1, :_SHOWN_STEPS]
    log_probs = np.asarray(to_numpy(log_probs_with_bars(model, first, None if told is None else told[:1])))[0]
    shown = NoteProbabilities(spec.name, np.exp(log_probs.astype(np.float64)), encoding.vocabulary, first[0].tolist())
    return replace(drawn, model_counts=counts.select(names), probabilities=shown)


def shuffled_set(spec: SystemSpec, reference: MelodySet, options: EvaluateOptions) -> MelodySet:
    """The human melodies, the notes of each in random order."""
    rng = generator(options.seed, "shuffled")
    return MelodySet(spec.name, BASELINES["shuffled"], [_shuffled(melody, rng) for melody in reference.melodies])


def baseline_set(spec: SystemSpec, corpus: Corpus, steps: int, options: EvaluateOptions) -> MelodySet:
    """Melodies of a baseline that is fitted to the corpus."""
    baseline = str(spec.source)
    system = replace(baseline_system(baseline, encode_on_grid(corpus), options.seed), name=spec.name)
    tokens = system.draw(options.melodies, step_count(steps, system.encoding), "count")
    return _drawn_set(system, tokens, steps, None, _NORMALIZED_KEYS, None)


def _drawn_set(
    system: System,
    tokens: NDArray[np.int64],
    steps: int,
    key: Key | None,
    choices: Sequence[Key],
    meter: Meter | None,
) -> MelodySet:
    """Drawn melodies, each in the given key, or in the one of the choices that fits it best."""
    melodies = []
    for number, row in enumerate(tokens, start=1):
        label = f"{number:0{len(str(len(tokens)))}}"
        melody = EvalMelody(to_eval_grid(row, system.encoding), Key(), meter or Meter(), label, label)
        fitting = key or key_of_durations(melody.pitch_class_durations(), among=choices) or Key()
        melodies.append(replace(melody.first(steps), key=fitting))
    return MelodySet(system.name, system.description, melodies)


def _corpus_melodies(corpus: Corpus, key: Key | None = None) -> list[EvalMelody]:
    return _eval_melodies(zip(corpus.melodies(), corpus.column("piece"), corpus.column("source"), strict=True), key)


def _eval_melodies(rows: Iterable[tuple[Melody, str, str]], key: Key | None) -> list[EvalMelody]:
    melodies = (EvalMelody.from_melody(melody, piece=piece, label=label, key=key) for melody, piece, label in rows)
    return [melody for melody in melodies if len(melody)]


def _description(bundle: Bundle) -> str:
    tuning = bundle.provenance.get("tuning")
    if not isinstance(tuning, dict):
        return "a model as trained"
    rules, algorithm = tuning.get("rules") or "unnamed", tuning.get("algorithm") or "learning"
    return f"a model tuned on {'human melodies' if rules == 'none' else f'rules ({rules})'} with {algorithm}"


def _shuffled(melody: EvalMelody, rng: np.random.Generator) -> EvalMelody:
    """The same notes and rests with their durations in random order; a hold at the start stays there."""
    starts = np.flatnonzero(melody.tokens != 1)
    parts = np.split(melody.tokens, starts)
    order = rng.permutation(len(starts))
    return replace(melody, tokens=np.concatenate([parts[0], *(parts[1 + part] for part in order)]))
