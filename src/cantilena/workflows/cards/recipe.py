"""What a model is, in words, and the commands that make it again, from what its bundle records."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from cantilena.models import Bundle, NetworkOptions, NGramOptions, VaeOptions
from cantilena.music import Pitch
from cantilena.reporting.text import counted, listed
from cantilena.rl import TuningOptions
from cantilena.runtime import default_of, options_record, record_name
from cantilena.tokenizers import GridEncoding, NotesEncoding
from cantilena.training import TrainingOptions, VaeTrainingOptions, preset
from cantilena.workflows.cards.sources import sanitize, sources_of
from cantilena.workflows.learned_corpus import named_corpus
from cantilena.workflows.train.config import HEAD_OF_NOTES

Record = Mapping[str, Any]
"""A part of a bundle's provenance. Bundles may come from strangers, so any value may be of any type."""

_NO_FLAGS = frozenset({
    "best_epoch", "checkpoint_seconds", "conditions", "device", "durations", "encoder", "epochs_done", "hidden",
    "harmony", "kept_update", "modes", "pitches", "plan", "reading", "rules_used", "seed", "styles", "without",
})  # fmt: skip
"""Recorded values that are no flags, or are written by themselves."""


@dataclass(frozen=True)
class ModelKind:
    """How a card presents one kind of model.

    Args:
        describe: its options and its bundle, in a few words.
        train_flags: the flags of `cantilena train` from the options, the bundle and the record of the training.
        tag: on the hub; the core of a network if empty.
        only_bounds: whether it gives only a bound on the likelihood.
        has_record: whether training leaves a record, as counting n-grams does not.
    """

    describe: Callable[[Any, Bundle], str]
    train_flags: Callable[[Any, Bundle, Record], list[str]]
    tag: str = ""
    only_bounds: bool = False
    has_record: bool = True


def model_kind(bundle: Bundle) -> ModelKind:
    """The kind of a bundle's model."""
    return _KINDS[type(bundle.options)]


def describe_model(bundle: Bundle) -> str:
    """The architecture of a model in a few words.

    Examples:
        >>> from cantilena.models import find_bundle
        >>> describe_model(Bundle.load(find_bundle("tunes")))
        'an LSTM with 1 layer of 256 units'
    """
    return model_kind(bundle).describe(bundle.options, bundle)


def record_of(bundle: Bundle, name: str) -> Record:
    """A part of a bundle's provenance; empty if it is missing or malformed."""
    record = bundle.provenance.get(name)
    return record if isinstance(record, Mapping) else {}


def process_count(training: Record) -> int:
    """The number of processes that trained a model together."""
    count = training.get("processes")
    return count if isinstance(count, int) and not isinstance(count, bool) and 1 < count <= 65_536 else 1


def reproduction_commands(bundle: Bundle, name: str) -> list[str]:
    """The commands that make a model again in folders of its name.

    None if its bundle does not record enough, or if it has notes with chords, which no command trains.

    Examples:
        >>> from cantilena.models import find_bundle
        >>> print(*reproduction_commands(Bundle.load(find_bundle("tunes+rl")), "mine"))
        cantilena train --corpus tunes --encoding notes --also openscore-lieder.arrow openscore-quartets.arrow ...
        cantilena tune runs/mine-before --algorithm mpo --rules cantilena --c 4 --steps 128 --look 0 --seed 1 ...
    """
    training, tuning, sources = record_of(bundle, "training"), record_of(bundle, "tuning"), sources_of(bundle)
    has_chords = isinstance(bundle.encoding, NotesEncoding) and bundle.encoding.chords
    if not sources or (model_kind(bundle).has_record and not training) or has_chords:
        return []
    folder, processes = f"runs/{sanitize(name, 80)}", process_count(training)
    program = f"torchrun --nproc-per-node {processes} -m cantilena" if processes > 1 else "cantilena"
    main, *also = [source.name for source in sources]
    if main != named_corpus(bundle):
        main, also = ("all-of-them.arrow", []) if also else (main, [])
    words = [program, "train", _flag("corpus", main), *_encoding_flags(bundle)]
    words += [_flag("also", [f"{name}.arrow" for name in also])] if also else []
    words += model_kind(bundle).train_flags(bundle.options, bundle, training)
    first = folder if not tuning else f"{folder}-before"
    lines = [" ".join([*words, _flag("out", first)])]
    if tuning:
        usual = TuningOptions(algorithm="mpo" if tuning.get("algorithm") == "mpo" else "rloo")
        expected = _flattened(_defaults(usual)) | {"algorithm": TuningOptions().algorithm}
        flags = _changed_flags(_flattened(tuning), expected)
        words = ["cantilena", "tune", shlex.quote(first), *flags, _flag("seed", tuning.get("seed", 1))]
        lines.append(" ".join([*words, _flag("out", folder)]))
    return lines


def _describe_network(options: NetworkOptions, bundle: Bundle) -> str:
    core = {"lstm": "an LSTM", "gru": "a GRU", "rnn": "a plain RNN"}.get(options.core, f"a network ({options.core})")
    parts = [f"{counted(options.layers, 'layer')} of {options.width} units"]
    repeats = 0 if options.durations else options.repeat_features  # of notes there is one of each kind
    parts += [counted(repeats, "repeat feature")] if repeats else []
    parts += ["attention"] if options.attention else []
    parts += ["a copy head"] if options.copy_head else []
    blend = f", mixed with an n-gram of order {bundle.ngram.options.order}" if bundle.ngram is not None else ""
    return f"{core} with {listed(parts)}{blend}"


def _network_flags(options: NetworkOptions, bundle: Bundle, training: Record) -> list[str]:
    made, timed = options_record(options) | dict(training), bundle.encoding.has_rhythm
    presets = {name: _defaults(*preset(name, bundle.encoding.name)) for name in ("quick", "paper")}
    nearest = min(presets, key=lambda name: sum(made.get(key) != value for key, value in presets[name].items()))
    expected = presets[nearest]
    flags = ["--preset paper"] if nearest == "paper" else []
    if not timed:
        expected |= {"bar_position": False, "look_back": []}
    if options.durations:
        made["head"], expected["head"] = options.head_width, HEAD_OF_NOTES
        flags += ["--no-plan"] if not options.plan else []
        flags += ["--harmony" if options.harmony else "--no-harmony"]
        flags += [_flag("without", options.without)] if options.without else []
    else:
        expected["dropout"] = None  # the default depends on the corpus
    if options.styles:
        flags.append(_flag("styles", bundle.provenance.get("styles_by", "collection")))
    if options.input != "paper" and timed:
        known = [condition for condition in options.conditions if condition != "style"]
        flags.append(_flag("conditions", ",".join(known) or "none"))
    blend = "--no-blend" if bundle.ngram is None else f"--blend {_flag('order', bundle.ngram.options.order)}"
    return [*flags, blend, *_training_flags(bundle, made, expected)]


def _describe_ngram(options: NGramOptions, bundle: Bundle) -> str:
    return f"an n-gram of order {options.order} that also copies from the piece so far"


def _ngram_flags(options: NGramOptions, bundle: Bundle, training: Record) -> list[str]:
    return ["--model ngram", _flag("order", options.order)]


def _describe_vae(options: VaeOptions, bundle: Bundle) -> str:
    return f"a VAE with codes of {options.latent} numbers for {options.bars} bars and LSTMs of {options.width} units"


def _vae_flags(options: VaeOptions, bundle: Bundle, training: Record) -> list[str]:
    expected = _defaults(VaeOptions(), TrainingOptions(), VaeTrainingOptions())
    made = {"code_bars": options.bars} | options_record(options) | dict(training)
    expected["code_bars"] = expected.pop("bars")
    return ["--model vae", *_training_flags(bundle, made, expected)]


_KINDS: Mapping[type, ModelKind] = {
    NetworkOptions: ModelKind(_describe_network, _network_flags),
    NGramOptions: ModelKind(_describe_ngram, _ngram_flags, tag="n-gram", has_record=False),
    VaeOptions: ModelKind(_describe_vae, _vae_flags, tag="vae", only_bounds=True),
}


def _defaults(*parts: Any) -> dict[str, Any]:  # noqa: ANN401  (any options)
    """The values of some options, those among them that records leave out at their default."""
    late = {
        record_name(one): options_record(default) if is_dataclass(default) else default
        for part in parts
        for one in fields(part)
        for default in [default_of(one)]
        if "omit_default" in one.metadata
    }
    return late | {name: value for part in parts for name, value in options_record(part).items()}


def _encoding_flags(bundle: Bundle) -> list[str]:
    encoding = bundle.encoding
    if not isinstance(encoding, GridEncoding | NotesEncoding):
        return [_flag("encoding", encoding.name)]
    usual = (encoding.low, encoding.high) == (GridEncoding.low, GridEncoding.high)
    flags = [] if isinstance(encoding, GridEncoding) else [_flag("encoding", encoding.name)]
    flags += [] if usual else [_flag("range", f"{Pitch(encoding.low).name}-{Pitch(encoding.high).name}")]
    return flags if bundle.provenance.get("plain_keys") else [*flags, "--keys all"]


def _training_flags(bundle: Bundle, made: Record, expected: Record) -> list[str]:
    if bundle.encoding.has_rhythm and not bundle.provenance.get("plain_keys"):
        expected = {**expected, "transpose": None}  # the default of `--keys all` is not that of the options
    return [*_changed_flags(made, expected), _flag("seed", made.get("seed", 1))]


def _changed_flags(made: Record, expected: Record) -> list[str]:
    """The flags of values that differ from the expected ones."""
    names = [name for name in made if name in expected and name not in _NO_FLAGS]
    return [_flag(name, made[name]) for name in names if made[name] not in (expected[name], None)]


def _flag(name: str, value: object) -> str:
    flag = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return flag if value else f"--no-{flag[2:]}"
    several: Sequence[object] = value if isinstance(value, list | tuple) else [value]
    words = [shlex.quote(f"{one:g}" if isinstance(one, float) else sanitize(str(one))) for one in several]
    return " ".join([flag, *words])


def _flattened(record: Record) -> dict[str, Any]:
    """Nested options beside the others, as the flags are."""
    flat: dict[str, Any] = {}
    for name, value in record.items():
        flat |= dict(value) if isinstance(value, Mapping) else {name: value}
    return flat
