"""From the options of `train` to the network, its training, and the encoded corpus."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from cantilena.data import Corpus, ReadOptions, Split, add_to_training, open_corpus, read_folder
from cantilena.errors import UsageError
from cantilena.models import NetworkOptions
from cantilena.music import Melody, parse_pitch_range
from cantilena.tokenizers import GridEncoding, NotesEncoding
from cantilena.training import TRANSFORMER_RATE, TrainingOptions, preset
from cantilena.workflows.data import EncodedCorpus, encode_splits, knows_chords, modes_of, style_labels
from cantilena.workflows.runs import option_fields
from cantilena.workflows.train.bundling import corpus_facts
from cantilena.workflows.train.options import OVERRIDES, CorpusOptions, NetworkTraining

PAPER_BATCH = 64
"""Windows in a batch with the paper's input, as in the paper."""

HEAD_OF_NOTES = 512
"""Size of the hidden layers of the head of a network of notes."""

Shape = TypeVar("Shape")


def value_of(shapes: Sequence[object], name: str) -> Any:  # noqa: ANN401  (the value of any option)
    """The value that an option of `train` has in the first of some dataclasses that know it."""
    return next(getattr(shape, known[name]) for shape in shapes if name in (known := option_fields(shape)))


def with_given(shape: Shape, options: CorpusOptions, names: Collection[str]) -> Shape:
    """A shape with those options of some names that were given, that is, are not None."""
    known = option_fields(shape)
    given = {known[name]: getattr(options, name) for name in names if name in known}
    return replace(shape, **{name: value for name, value in given.items() if value is not None})  # type: ignore[type-var]


def shape_and_training(options: NetworkTraining) -> tuple[NetworkOptions, TrainingOptions]:
    """The preset's network and training, with what differs from it.

    Raises:
        UsageError: a value that no network can have.
    """
    network, training = preset(options.preset, options.encoding)
    if options.input == "paper":  # which sees nothing but its window
        network, training = replace(network, repeat_features=0), replace(training, batch=PAPER_BATCH)
    if options.encoding != "grid" and options.melodic:
        raise UsageError("--melodic is for networks of the grid", "leave it out: notes say all of it")
    of_notes = {"plan", "harmony", "without", "head"}  # which need the vocabulary (`network_for`)
    if options.encoding != "notes" and any(getattr(options, name) not in (None, ()) for name in of_notes):
        raise UsageError(
            "--plan, --harmony, --head and --without are for networks of notes",
            "leave them out, or add --encoding notes",
        )
    network = with_given(network, options, [name for name in OVERRIDES if name not in of_notes])
    if network.core == "transformer":
        training = replace(training, learning_rate=min(training.learning_rate, TRANSFORMER_RATE))
    training = with_given(training, options, (*OVERRIDES, "seed", "device"))
    if options.encoding != "events" and not options.normalized_key and options.transpose is None:
        training = replace(training, transpose=6)
    return network, training


def network_for(network: NetworkOptions, options: NetworkTraining, data: EncodedCorpus) -> NetworkOptions:
    """The network for a corpus: its conditions, and more dropout the smaller the corpus is.

    Events have no time and no bars, so the network gets nothing of bars there by default.
    """
    encoding = data.encoding
    if isinstance(encoding, NotesEncoding):
        head_width = HEAD_OF_NOTES if options.head is None else options.head
        network = shape_of_notes(network, encoding, plan=options.plan is not False, head_width=head_width)
        harmony = knows_chords(data.train) if options.harmony is None else options.harmony
        network = replace(network, harmony=harmony, without=options.without or ())
    elif not encoding.has_rhythm:
        network = replace(
            network,
            bar_position=bool(options.bar_position),
            look_back=() if options.look_back is None else network.look_back,
        )
    if network.input == "features":
        network = replace(network, conditions=options.known, styles=tuple(data.styles))
        if network.durations:
            network = replace(network, modes=modes_of(data.train))
    if options.dropout is None and options.preset == "quick" and not network.durations:
        network = replace(network, dropout=dropout_for(data.train.sequences.steps))
    return network


def shape_of_notes(
    network: NetworkOptions, encoding: NotesEncoding, *, plan: bool = True, head_width: int = HEAD_OF_NOTES
) -> NetworkOptions:
    """The shape of a network of notes: with the durations and pitches of its encoding."""
    pitches = encoding.high - encoding.low + 1
    return replace(network, durations=encoding.durations, pitches=pitches, plan=plan, head_width=head_width)


def dropout_for(steps: int) -> float:
    """Dropout of the quick preset for a corpus of so many steps: the fewer there are, the more.

    Found on the validation parts of the built-in corpora and of piano pieces.

    Examples:
        >>> dropout_for(30_000), dropout_for(1_000_000)
        (0.4, 0.1)
    """
    return next(share for most, share in ((100_000, 0.4), (600_000, 0.2), (steps, 0.1)) if steps <= most)


def load_encoded(options: CorpusOptions) -> tuple[EncodedCorpus, dict[str, str]]:
    """The corpus as tokens, and its `corpus_facts`."""
    corpus = load_corpus(options)
    return encode_corpus(corpus, options), training_facts(corpus, options)


def load_corpus(options: CorpusOptions) -> Corpus:
    """Open or read the corpus.

    Raises:
        CorpusError: it cannot be read.
        UsageError: --seconds of a corpus that was read before.
    """
    if options.seconds is not None and not Path(options.corpus).is_dir():
        raise UsageError(
            f"--seconds does not apply to {options.corpus}, which was read before",
            "give the folder of its scores, or read that with `cantilena corpus read --seconds`",
        )
    return open_corpus(options.corpus, _reading(options))


def further_corpora(options: CorpusOptions) -> list[Corpus]:
    """The corpora that only training learns from."""
    return [open_corpus(name, _reading(options)) for name in options.also]


def training_facts(corpus: Corpus, options: CorpusOptions) -> dict[str, Any]:
    """The facts of the corpus and of those that training learns from besides (`corpus_facts`)."""
    return corpus_facts(corpus, further_corpora(options))


def encode_corpus(corpus: Corpus, options: CorpusOptions) -> EncodedCorpus:
    """A corpus as tokens, with what training learns from besides; folders of held-out scores replace its own parts.

    Raises:
        CorpusError: a split holds no melody.
    """
    low, high = parse_pitch_range(options.range)
    folders: Mapping[Split, Path | None] = {"valid": options.valid, "test": options.test}
    held_out: dict[Split, Sequence[Melody]] = {
        split: corpus.melodies(split)
        if folder is None
        else read_folder(folder, replace(_reading(options), seconds=None), as_is=True).melodies()
        for split, folder in folders.items()
    }
    further = further_corpora(options)
    if further:
        corpus = add_to_training(corpus, further, [melody for part in held_out.values() for melody in part])
    melodies: dict[Split, Sequence[Melody]] = {"train": corpus.melodies("train"), **held_out}
    if options.valid and options.test:
        melodies["train"] = corpus.melodies()
    by = options.styles if isinstance(options, NetworkTraining) else ""
    labels = style_labels(corpus, by, [one.manifest.name for one in further])
    grid = GridEncoding(int(low), int(high))
    return encode_splits(melodies, options.encoding, normalized_key=options.normalized_key, grid=grid, styles=labels)


def _reading(options: CorpusOptions) -> ReadOptions:
    return ReadOptions(voice="all" if options.encoding == "events" else "melody", seconds=options.seconds)
