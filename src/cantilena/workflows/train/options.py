"""Options of `train`: one dataclass for each kind of model, and `TrainOptions`, which can be any of them.

A field is a flag of the command line and a key in `run.json`: its spelling must stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias

from cantilena.errors import UsageError
from cantilena.models import CONDITIONS, NGramOptions
from cantilena.runtime import options_record


@dataclass(frozen=True)
class CorpusOptions:
    """The corpus, and how it becomes tokens."""

    corpus: str
    """A corpus that ships with Cantilena, a corpus file, or a folder of scores; with --resume that of the run."""
    also: tuple[str, ...] = field(default=(), metadata={"omit_default": True})
    """Further corpora to learn from, named as --corpus: their training parts join that of the corpus. With --styles
    collection each is a style of its own, and a melody of unknown style is one of the corpus."""
    valid: Path | None = None
    """A folder of validation scores, taken as they are; a part of the corpus if left out."""
    test: Path | None = None
    """A folder of test scores, taken as they are; a part of the corpus if left out."""
    encoding: Literal["grid", "events", "notes"] = "grid"
    """`grid`: one token a sixteenth. `events`: one token a note or chord, without time. `notes`: the duration and then
    the pitch of each note."""
    range: str = "C3-B5"
    """Lowest and highest pitch of grid and notes; notes outside are moved by octaves. The default is RL Tuner's."""
    keys: Literal["auto", "plain", "all"] = "auto"
    """`plain`: transpose everything to C major or A minor. `all`: keep each key; networks then learn in random keys.
    `auto`: plain, but all for events and with --valid or --test."""
    seconds: float | None = None
    """Use only the first seconds of each piece of a folder."""
    seed: int = 1
    """The same seed, machine and versions give the same model."""

    def __post_init__(self) -> None:
        if not self.corpus.strip():  # an unset shell variable; it would mean the working folder
            raise UsageError("the corpus has no name", "name a built-in corpus, a corpus file or a folder of scores")
        if self.seconds is not None and not 0 < self.seconds < 1e6:
            raise UsageError(f"--seconds must be over 0 and below 1e6, got {self.seconds:g}", "leave it out for all")
        if self.range != "C3-B5" and self.encoding == "events":
            raise UsageError("--range does not apply to events, which use every pitch", "leave out --range")
        if self.keys == "plain" and (self.valid or self.test or self.encoding == "events"):
            raise UsageError(
                "--keys plain does not apply to events, nor with --valid or --test", "leave out --keys, or give all"
            )

    @property
    def normalized_key(self) -> bool:
        """Whether everything is transposed to C major or A minor."""
        keeps_keys = bool(self.valid or self.test) or self.encoding == "events"
        return self.keys == "plain" or (self.keys == "auto" and not keeps_keys)

    def record(self) -> dict[str, Any]:
        """The options for `run.json`: every field of `TrainOptions`, whatever the kind of model."""
        kind = next((name for name, options in TRAINING_KINDS.items() if type(self) is options), None)
        return options_record(TrainOptions("any")) | options_record(self) | ({} if kind is None else {"model": kind})


@dataclass(frozen=True)
class NGramOverrides:
    """What of an n-gram can be chosen."""

    order: int | None = None
    """The longest n-gram, 1 to 16, alone or in a blend; 10 if left out."""

    @property
    def ngram(self) -> NGramOptions:
        """The options of the n-gram."""
        return NGramOptions() if self.order is None else NGramOptions(order=self.order)


@dataclass(frozen=True)
class GradientOptions:
    """What networks and VAEs share; None is the default of the preset or of the VAE."""

    width: int | None = None
    """Cells in each layer."""
    embedding: int | None = None
    """Size of the vector that describes a step to the first layer."""
    dropout: float | None = None
    """Share of each layer's outputs that is dropped in training."""
    epochs: int | None = None
    """Passes through the training pieces, at most."""
    budget: int | None = None
    """Steps to predict in all, which bounds the passes; 0 for no bound but `--epochs`."""
    batch: int | None = None
    """Pieces in a batch (windows of a VAE); in each process, where torchrun starts several."""
    learning_rate: float | None = None
    """The peak learning rate."""
    schedule: Literal["cosine", "plateau", "constant"] | None = None
    """Learning rate decay: a half cosine, halved where the validation loss stands still, or none."""
    warmup: int | None = None
    """Updates until the learning rate reaches its peak."""
    weight_decay: float | None = None
    """AdamW's weight decay of matrices."""
    clip: float | None = None
    """Maximum norm of the gradient."""
    averaging: float | None = None
    """Decay of an exponential moving average of the weights, which is then what is kept, such as 0.99; 0 for none."""
    patience: int | None = None
    """Epochs without a better validation loss until training stops."""
    transpose: int | None = None
    """Transpose each piece at random by up to this many semitones."""
    precision: Literal["auto", "float32", "bfloat16"] | None = None
    """Precision of matrix products."""


@dataclass(frozen=True)
class NetworkOverrides(GradientOptions):
    """What else of a network and its training can differ from the preset."""

    core: Literal["lstm", "gru", "rnn", "transformer"] | None = None
    """Recurrent cells, or a small transformer for comparison; the preset's if left out, as all of these."""
    layers: int | None = None
    """Number of layers."""
    heads: int | None = None
    """Attention heads in each layer of a transformer."""
    bar_position: bool | None = None
    """Give the network the position in the bar and the length of the bar."""
    look_back: tuple[int, ...] | None = None
    """Give the network what sounded this many bars before, such as 1 2 4 8; no number for nothing."""
    melodic: bool | None = field(default=None, metadata={"omit_default": True})
    """Tell a network of the grid the last pitch, intervals and durations, and the time since the last onset."""
    plan: bool | None = field(default=None, metadata={"omit_default": True})
    """Tell a network of notes the form of each melody: returns, phrases, cadences; it does so if left out."""
    harmony: bool | None = field(default=None, metadata={"omit_default": True})
    """Tell a network of notes the chords of each melody; it does so if left out, where 20 melodies or more have any."""
    head: int | None = field(default=None, metadata={"omit_default": True})
    """Size of the hidden layers of the head of a network of notes."""
    without: tuple[str, ...] | None = field(default=None, metadata={"omit_default": True})
    """Leave out inputs of a network of notes: melody, place, length, span, repeats."""
    echoes: int | None = None
    """Give the network this many continuations, 0 to 8, of the longest earlier repeats of the melody's end."""
    copy_head: bool | None = None
    """Let each step be a copy of an earlier one."""
    attention: int | None = None
    """Size of the queries and keys with which the copy head chooses; 0 for length and distance of matches alone."""
    reach: int | None = None
    """How many steps back echoes, copies, attention and a transformer see."""
    input: Literal["features", "paper"] | None = None
    """`paper`: a window of 40 numbers, and only the step after it predicted, as the paper has it."""
    window: int | None = None
    """Tokens in the window of the paper's input."""
    steps: int | None = None
    """Cut longer pieces into segments of this many steps; the state is carried from segment to segment."""
    forget: float | None = None
    """Dropout of the conditions: the share of pieces that get none, and of conditions left out of the others."""


@dataclass(frozen=True)
class NetworkTraining(NetworkOverrides, NGramOverrides, CorpusOptions):
    """A recurrent network or a transformer: a preset, and what differs from it."""

    preset: Literal["quick", "paper"] = "quick"
    """`quick`: minutes on two cores. `paper`: 3 x 1024, dropout 0.4, 200 epochs at most."""
    styles: str = ""
    """Condition the network on the style of each melody: `collection`, `composer`, or the clusters.json that
    `cantilena corpus cluster` wrote."""
    conditions: str = "auto"
    """What else to condition the network on: key, mode and meter, of notes also role and register, separated by commas,
    or `none`. `auto`: all of them, but key only with all keys; nothing for events."""
    blend: bool | None = None
    """Mix the network with an n-gram, in the proportion that predicts the validation pieces best. If left out, the
    quick preset does so unless the network is clearly better. Tuning and export use the network alone."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to compute; auto uses an accelerator if there is one."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.styles.strip() and (self.valid or self.test):
            raise UsageError("--styles does not apply to held-out folders, which name no styles", "leave out --styles")
        _ = self.known
        if self.blend:
            _ = self.ngram
        elif self.order is not None:
            raise UsageError(
                "--order with a network has no effect without an n-gram",
                "leave out --order, or add --model ngram or --blend",
            )

    @property
    def known(self) -> tuple[str, ...]:
        """The conditions of the network, in their order."""
        names = [word.strip() for word in self.conditions.split(",")]
        if names == ["auto"]:
            names = ["mode", "meter"] if self.normalized_key else ["key", "mode", "meter"]
            names += ["role", "register"] if self.encoding == "notes" else []
            names = names if self.encoding != "events" else []
        allowed = ["key", "mode", "meter", *(["role", "register"] if self.encoding == "notes" else [])]
        unknown = [name for name in names if name not in ("none", *allowed)]
        if unknown or (len(names) > 1 and "none" in names):
            raise UsageError(
                f"--conditions cannot be {self.conditions}", f"give auto, none, or some of {','.join(allowed)}"
            )
        styled = ["style"] if self.styles.strip() else []
        return tuple(kind for kind in CONDITIONS if kind in [*names, *styled])


@dataclass(frozen=True)
class VaeTraining(GradientOptions, CorpusOptions):
    """A variational autoencoder (VAE) of a few bars, to interpolate between melodies and to vary them."""

    latent: int | None = None
    """Size of a VAE's code; this and what follows to `--word-dropout` is for VAEs alone."""
    code_bars: int | None = None
    """Bars that one code of a VAE describes."""
    free_bits: float | None = None
    """Nats of each latent dimension that cost nothing: more give better reconstructions, fewer a tighter bound."""
    kl_warmup: float | None = None
    """Share of the training in which the weight of the KL divergence rises from 0 to 1."""
    word_dropout: float | None = None
    """Share of the steps at which a VAE's decoder does not see the last token."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to compute; auto uses an accelerator if there is one."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.encoding == "events":
            raise UsageError("a VAE needs bars, and events are notes without time", "leave out --encoding")
        if self.encoding == "notes":
            raise UsageError("a VAE needs the steps of the grid, and notes have none", "leave out --encoding")


@dataclass(frozen=True)
class NGramTraining(NGramOverrides, CorpusOptions):
    """An n-gram: counts of what followed what, and a memory of the piece itself; trained in seconds."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.ngram


@dataclass(frozen=True)
class TrainOptions(NetworkTraining, VaeTraining, NGramTraining):
    """A model of any kind: options of the other kinds are refused."""

    model: Literal["network", "ngram", "vae"] = "network"
    """`network`: a recurrent network. `ngram`: an n-gram with a memory of the piece, the baseline that a network must
    beat, in seconds. `vae`: codes of a few bars each, to interpolate between melodies."""

    def __post_init__(self) -> None:
        if self.model not in TRAINING_KINDS:
            raise UsageError(f"there is no model '{self.model}'", "choose network, ngram or vae")
        self.of_kind()

    def of_kind(self) -> TrainingKind:
        """The options of the kind of model that is asked for.

        Raises:
            UsageError: a value that makes no sense, or one of another kind of model.

        Examples:
            >>> TrainOptions("tunes", model="ngram", order=4).of_kind()
            NGramTraining(corpus='tunes', ..., order=4)
        """
        kind = TRAINING_KINDS[self.model]
        own = {field.name for field in fields(kind)}
        other = [field for field in fields(self) if field.name not in own | {"model"}]
        given = [field.name for field in other if not self._is_harmless(field.name, field.default)]
        if given:
            flags = " and ".join(f"--{name.replace('_', '-')}" for name in given)
            raise UsageError(
                f"{flags} with --model {self.model} has no effect", f"leave out {flags}, or change --model"
            )
        return kind(**{name: getattr(self, name) for name in own})

    def _is_harmless(self, name: str, default: object) -> bool:
        """Whether an option of another kind has a value without effect."""
        value = getattr(self, name)
        blank = isinstance(value, str) and not value.strip()  # an unset shell variable
        return value == default or blank or (self.model, name, value) in _WITHOUT_EFFECT


TrainingKind: TypeAlias = NetworkTraining | VaeTraining | NGramTraining

TRAINING_KINDS: Mapping[str, type[TrainingKind]] = {
    "network": NetworkTraining,
    "ngram": NGramTraining,
    "vae": VaeTraining,
}
"""The options of each kind of model, by the name that `--model` gives it."""

_WITHOUT_EFFECT = {("ngram", "device", "cpu"), ("vae", "conditions", "none")}
"""Options of another kind that ask for what is done anyway: model, option and value."""

OVERRIDES = tuple(field.name for field in fields(NetworkOverrides))
"""The options of a network and its training that a preset decides if they are left out."""
