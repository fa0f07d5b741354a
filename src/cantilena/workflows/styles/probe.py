"""The style probe, `evaluate --styles`: does a classifier recognise the style that a model was conditioned on?

1. A classifier is trained on human melodies of the training part; its settings are chosen by cross-validation.
2. It classifies the human test part, which shows how well the styles can be told apart at all.
3. It classifies melodies of the model: given a style, in the usual meter and key of the style; given none, in the same
   meters and keys, which shows what those alone reveal; given a style, all in 4/4 and C major; given none there, and
   assigned to each style in turn, which must come out at chance.

A second classifier, without bars, is used for what is all in 4/4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.data import Corpus, Split, normalize_key, open_corpus
from cantilena.discriminators import StyleClassifier, StyleExamples
from cantilena.errors import UsageError
from cantilena.generation import Composer, SamplingOptions, load, sample, token_budget
from cantilena.metrics import StylePredictions
from cantilena.models import UNKNOWN, Bars, Bundle
from cantilena.music import Key, Melody, Meter
from cantilena.runtime import generator, log, options_record, run_folder, tracked
from cantilena.tokenizers import GridEncoding, NotesEncoding
from cantilena.workflows.data import COLUMNS, StyleLabels, style_labels
from cantilena.workflows.evaluate.melody_sets import (
    EXCERPTS_PER_PIECE,
    GRID,
    EvalMelody,
    line_of,
    step_count,
    to_eval_grid,
)
from cantilena.workflows.evaluate.options import LIMITS, EvaluateOptions
from cantilena.workflows.evaluate.systems import parse_systems
from cantilena.workflows.learned_corpus import named_corpus, shipped_corpus
from cantilena.workflows.runs import clear_earlier_run
from cantilena.workflows.styles.probe_report import (
    COLUMN_LABELS,
    COMPOSED,
    FILES,
    StyleProbe,
    probe_results,
    write_probe,
)

_MIN_EXCERPTS, _MIN_PIECES, _MAX_EXCERPTS = 12, 3, 1000
"""Human excerpts of a style, and their pieces, that a classifier needs, and excerpts that it gets at most."""

_APPLYING = ("against", "steps", "melodies", "temperature", "heard", "seed", "jobs")
"""Options of `evaluate` that apply."""

STEPS, DRAWS = 128, 3
"""Defaults: sixteenths of each melody, eight bars of 4/4, and the number of times that melodies are drawn."""

_COMMON_TIME, _C_MAJOR = Meter(), Key(0, "major")


@dataclass(frozen=True)
class StyledExcerpts:
    """Excerpts of human melodies, all of one length, with their bars, the numbers of their styles, and their pieces."""

    examples: StyleExamples
    style: NDArray[np.int64]
    pieces: NDArray[np.int64]

    def select(self, rows: NDArray[np.int64]) -> StyledExcerpts:
        """Some of the excerpts."""
        return StyledExcerpts(self.examples[rows], self.style[rows], self.pieces[rows])

    def of_styles(self, kept: Sequence[int]) -> StyledExcerpts:
        """Those of some styles, which are renumbered."""
        some = self.select(np.flatnonzero(np.isin(self.style, kept)))
        return replace(some, style=np.searchsorted(kept, some.style).astype(np.int64))


def run_style_probe(
    words: Sequence[str],
    options: EvaluateOptions,
    folder: Path | None = None,
    *,
    styles_by: str = "",
    resume: bool = False,
    force: bool = False,
) -> StyleProbe:
    """Probe the styles of a model as `probe_styles` does, and write the results to a folder if one is given.

    It gets `results.json`, `table.md`, `heard-styles.png`, `styles.html` and melodies of each style. `resume` starts an
    interrupted run again, `force` replaces another run.

    Raises:
        UsageError: as `probe_styles`; an option that does not apply is not at its default.
        RunError: the folder holds another run.
    """
    for name, default in options_record(EvaluateOptions()).items():
        applies = name in (*_APPLYING, *LIMITS, "device")  # small networks stay on the CPU
        if not applies and getattr(options, name) != default:
            raise UsageError(f"--{name} does not apply to --styles", f"leave out --{name}")
    if folder is None:
        return probe_styles(words, options, styles_by)
    record: dict[str, Any] = {"systems": list(words), "styles_by": styles_by, "draws": DRAWS}
    record |= {name: getattr(options, name) for name in _APPLYING} | {"steps": options.steps or STEPS}
    with run_folder(folder, record, resume=resume, force=force) as run:
        clear_earlier_run(run, *FILES)
        probe = replace(probe_styles(words, options, styles_by), folder=folder)
        write_probe(probe, load(str(parse_systems(words)[0].source)), options, folder)
        run.finish()
    return probe


def probe_styles(
    words: Sequence[str], options: EvaluateOptions, styles_by: str = "", *, draws: int = DRAWS
) -> StyleProbe:
    """Train classifiers on the styles of human melodies, and classify melodies of a model.

    Args:
        words: `BUNDLE` or `NAME=BUNDLE`, one.
        options: `against`, `steps` (128 if 0), `melodies` in each draw, `temperature`, `seed` and `jobs` apply.
        styles_by: the source of the style labels: collection, composer or a clusters.json; by default as the bundle
            records.
        draws: number of times that the model's melodies are drawn, 1 to 100.

    Raises:
        UsageError: not one bundle, one without styles, or human melodies that are missing or too few.
        BundleError: the bundle cannot be read.
        CorpusError: the corpus cannot be read.
    """
    if not 1 <= draws <= 100:
        raise UsageError(f"draws must be 1 to 100, got {draws}", f"{DRAWS} is the default")
    specs, options = parse_systems(words), replace(options, steps=options.steps or STEPS)
    if len(specs) != 1 or specs[0].kind != "bundle":
        given = f"{len(specs)} systems" if len(specs) != 1 else f"a {specs[0].kind}"
        raise UsageError(f"--styles takes one bundle, got {given}", "give a bundle that was trained with --styles")
    name, bundle = specs[0].name, specs[0].bundle
    composer = Composer.from_bundle(bundle, name)
    if not composer.styles:
        raise UsageError(f"{name} has no styles", "give a bundle that was trained with --styles")
    by, corpus = _label_source(bundle, styles_by), _open_corpus(bundle, options)
    labels = style_labels(corpus, by)
    log(f"Reading {corpus.manifest.name}, its styles by {by}")
    human = human_excerpts(corpus, "train", labels, composer, options.steps)
    kept, left_out = _learnable(human, [style.name for style in composer.styles])
    train = _limited(human.of_styles(kept), generator(options.seed, "styles learned"))
    test = human_excerpts(corpus, "test", labels, composer, options.steps).of_styles(kept)
    answers: dict[str, list[StylePredictions]] = {}
    classifiers: dict[bool, StyleClassifier] = {}
    for bars, suffix in ((True, ""), (False, "_without_bars")):
        log(f"Learning styles {'with' if bars else 'without'} bars from {len(train.style):,} human excerpts")
        seen, unseen = (one.examples if bars else StyleExamples(one.examples.line) for one in (train, test))
        rng = generator(options.seed, "style listener", str(bars))
        classifier = classifiers[bars] = StyleClassifier.fit(seen, train.style, train.pieces, rng)
        answers[f"people{suffix}"] = [StylePredictions(test.style, classifier.predict_proba(unseen), test.pieces)]
        answers[f"people_held_back{suffix}"] = [StylePredictions(train.style, classifier.out_of_fold, train.pieces)]
    for column, (_, own_meter) in COMPOSED.items():
        log(f"Composing: {COLUMN_LABELS[column]}")
        answers[column] = []
        for draw in range(draws):
            examples, style = _composed(composer, column, kept, options, draw)
            chances = classifiers[own_meter].predict_proba(examples)
            answers[column].append(StylePredictions(style, chances, np.arange(len(style))))
    names = [composer.styles[number].name for number in kept]
    settings = {
        "with_bars" if bars else "without_bars": {"setting": one.setting, "held_back": one.tried}
        for bars, one in classifiers.items()
    }
    styles = probe_results(
        names,
        answers,
        options.seed,
        left_out=left_out,
        learned=dict(zip(names, np.bincount(train.style, minlength=len(kept)).tolist(), strict=True)),
        listeners=settings,
        steps=options.steps,
        by=by,
    )
    against = {"corpus": corpus.manifest.name, "sha256": corpus.sha256}
    return StyleProbe({"styles": styles, "system": name, "against": against})


def _label_source(bundle: Bundle, given: str) -> str:
    by = given.strip() or Path(str(bundle.provenance.get("styles_by") or "")).name
    if not by:
        hint = "give --styles-by collection, composer, or the clusters.json of its training"
        raise UsageError("this model does not record the source of its styles", hint)
    if by not in COLUMNS and not Path(by).is_file():
        hint = "give the file with --styles-by, or make it again: cantilena corpus cluster CORPUS --out DIR"
        raise UsageError(f"the styles of this model come from {by}, which is not here", hint)
    return by


def _open_corpus(bundle: Bundle, options: EvaluateOptions) -> Corpus:
    name = options.against.strip() or shipped_corpus(bundle)
    if not name:
        hint = "give a corpus file or the folder of its scores with --against"
        raise UsageError(f"the training corpus '{named_corpus(bundle)}' does not ship with Cantilena", hint)
    return open_corpus(name, options.read_options(jobs=options.jobs))


def human_excerpts(corpus: Corpus, split: Split, labels: StyleLabels, composer: Composer, steps: int) -> StyledExcerpts:
    """Excerpts of human melodies of the styles of a model, in its keys and tokens, at most four of a melody."""
    known = {style.name: number for number, style in enumerate(composer.styles)}
    number_of = [-1, *(known.get(name, -1) for name in labels.names)]
    part = corpus.split(split)
    rows = zip(part.melodies(), labels.of(split) or (), part.column("piece"), strict=True)
    excerpts: list[EvalMelody] = []
    styles: list[int] = []
    for melody, label, piece in tracked(rows, "Reading melodies", total=len(part), unit="melodies"):
        if number_of[label] >= 0:
            own = _in_model_tokens(melody, piece, composer).excerpts(steps, EXCERPTS_PER_PIECE)
            excerpts += own
            styles += [number_of[label]] * len(own)
    bars = np.array([one.context.steps_per_bar for one in excerpts], dtype=np.int64)
    pieces = np.unique([one.piece for one in excerpts], return_inverse=True)[1].astype(np.int64)
    examples = StyleExamples(line_of(one.tokens for one in excerpts), bars)
    return StyledExcerpts(examples, np.array(styles, dtype=np.int64), pieces)


def _in_model_tokens(melody: Melody, piece: str, composer: Composer) -> EvalMelody:
    """A melody in the keys, the range and the tokens of a model, on `GRID`."""
    encoding = composer.encoding
    if composer.normalized_key and isinstance(encoding, GridEncoding | NotesEncoding):
        melody = normalize_key(melody, low=encoding.low, high=encoding.high)
    fitted = encoding.fit(melody).melody
    pickup = fitted.pickup // GRID.ticks_per_step if encoding.has_rhythm else 0
    tokens = to_eval_grid(encoding.encode(fitted), encoding)[pickup:]
    return EvalMelody(tokens, fitted.key or Key(), melody.meter, piece, piece)


def _learnable(human: StyledExcerpts, names: Sequence[str]) -> tuple[list[int], dict[str, str]]:
    """The numbers of the styles with enough human excerpts, and why others are left out."""
    kept, reasons = [], {}
    for number, name in enumerate(names):
        own = human.style == number
        pieces = len(np.unique(human.pieces[own]))
        if own.sum() >= _MIN_EXCERPTS and pieces >= _MIN_PIECES:
            kept.append(number)
        else:
            reasons[name] = f"{int(own.sum())} excerpts of {pieces} pieces are too few to learn it from"
    if len(kept) < 2:
        raise UsageError(
            f"human melodies of only {len(kept)} of the {len(names)} styles of this model are available",
            "give its training corpus with --against, or fewer --steps",
        )
    return kept, reasons


def _limited(human: StyledExcerpts, rng: np.random.Generator) -> StyledExcerpts:
    """At most `_MAX_EXCERPTS` of a style, drawn at random."""
    order = rng.permutation(len(human.style))
    kept = [order[human.style[order] == style][:_MAX_EXCERPTS] for style in np.unique(human.style)]
    return human.select(np.sort(np.concatenate(kept)))


def _composed(
    composer: Composer, column: str, kept: Sequence[int], options: EvaluateOptions, draw: int
) -> tuple[StyleExamples, NDArray[np.int64]]:
    """Melodies of the model, equally many for each style, and the style that each was given or is assigned to."""
    (given, own_meter), encoding = COMPOSED[column], composer.encoding
    count = max(options.melodies // len(kept), 2)
    ticks = step_count(options.steps, encoding) * encoding.ticks_per_step
    rng = generator(options.seed, "heard styles", column, draw)
    sampling = SamplingOptions(temperature=options.temperature)
    rows, steps_per_bar = [], []
    for number in kept:
        style, meter, key = composer.styles[number], _COMMON_TIME, _C_MAJOR
        if own_meter:
            meter, key = style.meter or meter, style.key or key
        bars = Bars.from_meter(
            meter if encoding.has_rhythm else _COMMON_TIME,
            melodies=count,
            ticks_per_step=encoding.ticks_per_count,
            key=key,
            style=number + 1 if given else UNKNOWN,
            length=ticks,
        )
        uniforms = rng.random((count, token_budget(encoding, ticks)))
        tokens = sample(composer.model, uniforms, options=sampling, bars=bars, encoding=encoding).tokens
        rows += [to_eval_grid(row, encoding)[: options.steps] for row in tokens]
        steps_per_bar += [max(meter.ticks_per_bar // GRID.ticks_per_step, 1)] * count
    heard_bars = np.array(steps_per_bar, dtype=np.int64) if own_meter else None
    return StyleExamples(line_of(rows), heard_bars), np.repeat(np.arange(len(kept)), count)
