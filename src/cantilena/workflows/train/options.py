"""What `train` can be asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cantilena.errors import UsageError
from cantilena.models import CONDITIONS, NGramOptions


@dataclass(frozen=True)
class TrainRequest:
    """A corpus, a preset, and what shall differ from it."""

    corpus: str
    """A corpus that ships with Cantilena, a corpus file, or a folder of scores."""

    valid: Path | None = None
    """A folder of held-out scores that training stops by, taken as it is; a part of the corpus if left out."""

    test: Path | None = None
    """A folder of held-out scores to measure on, taken as it is; a part of the corpus if left out."""

    encoding: Literal["grid", "events"] = "grid"
    """`grid`: a token a sixteenth. `events`: a token a note or chord, without time."""

    range: str = "C3-B5"
    """The lowest and highest pitch of the grid; notes outside are moved by octaves. RL Tuner's if left out."""

    keys: Literal["auto", "plain", "all"] = "auto"
    """`plain`: everything in C major or A minor. `all`: as it is, which a network learns in random keys. `auto`: plain,
    but all where held-out folders are given or for events."""

    seconds: float | None = None
    """Learn from the first so many seconds of each piece of a folder."""

    styles: str = ""
    """Tell the network the style of each melody, to compose in one later: `collection`, `composer`, or the
    clusters.json that `cantilena corpus cluster` wrote."""

    conditions: str = "auto"
    """What else the network is told of each melody beforehand: key, mode and meter, with commas between, or `none`.
    `auto`: mode and meter in plain keys, key too in all; nothing for events."""

    model: Literal["network", "ngram", "vae"] = "network"
    """`network`: a recurrent network. `ngram`: counts of what followed what, and a memory of the piece itself: what a
    network must beat, in seconds. `vae`: codes of a few bars each, to go from one melody to another."""

    latent: int | None = None
    """Numbers in a VAE's code; this and what follows to `--word-dropout` is a VAE's alone."""

    code_bars: int | None = None
    """Bars that a VAE's code stands for."""

    free_bits: float | None = None
    """Nats that each number of a VAE's code may say for nothing: more of them and melodies come back better from their
    codes, fewer and the bound is tighter."""

    kl_warmup: float | None = None
    """Share of the training through which the weight of the codes' divergence rises from 0 to 1."""

    word_dropout: float | None = None
    """Share of the steps before which a VAE's writer is not told the last token."""

    order: int | None = None
    """The longest n-gram, 1 to 16, alone or in a blend; 10 if left out. What follows, but for the seed, is a
    network's."""

    blend: bool | None = None
    """Mix the network with an n-gram of the same pieces, by the share that the validation pieces find most likely. If
    left out, the quick preset does so where the network alone is not clearly ahead of the n-gram. Tuning and export
    take the network alone."""

    preset: Literal["quick", "paper"] = "quick"
    """`quick`: minutes on two cores. `paper`: 3 x 1024, dropout 0.4, 200 epochs at most."""

    core: Literal["lstm", "gru", "rnn", "transformer"] | None = None
    """Recurrent cells, or a small transformer for comparison; the preset's if left out, like all that follows."""

    layers: int | None = None
    """Layers, one upon the other."""

    width: int | None = None
    """Cells in each layer."""

    heads: int | None = None
    """In how many ways each layer of a transformer attends at once."""

    embedding: int | None = None
    """Size of the vector that describes a step to the first layer."""

    dropout: float | None = None
    """Share of each layer's outputs that training leaves out."""

    bar_position: bool | None = None
    """Tell the network where in the bar a step lies and how long the bar is."""

    look_back: tuple[int, ...] | None = None
    """Tell the network what sounded these many bars before, such as 1 2 4 8; no number for nothing."""

    echoes: int | None = None
    """Tell the network what followed the longest earlier passages that the melody's end repeats: so many answers, 0 to
    8."""

    copy_head: bool | None = None
    """Let each step be a copy of an earlier one."""

    attention: int | None = None
    """Size of the queries and keys by which the copy head chooses what to copy; 0 for match and distance alone."""

    reach: int | None = None
    """How many steps back echoes, copies, attention and a transformer reach."""

    input: Literal["features", "paper"] | None = None
    """`paper`: a window of 40 numbers, and only the step after it predicted, as the paper has it."""

    window: int | None = None
    """How many tokens the paper's input sees."""

    epochs: int | None = None
    """Passes through the training pieces, at most."""

    budget: int | None = None
    """Steps to predict in all, which bounds the passes; 0 for as many as `--epochs` says."""

    batch: int | None = None
    """Pieces that are learned from at once; by each process, where torchrun starts several."""

    steps: int | None = None
    """Longer pieces are cut into parts of so many steps, with the state carried from part to part."""

    learning_rate: float | None = None
    """The highest learning rate."""

    schedule: Literal["cosine", "plateau", "constant"] | None = None
    """How the learning rate falls: by the half of a cosine, halved where the held-out loss stands still, or not."""

    warmup: int | None = None
    """Updates until the learning rate is at its full height."""

    weight_decay: float | None = None
    """Pull of the optimizer on matrices towards 0."""

    clip: float | None = None
    """Gradients longer than this are shortened to it."""

    averaging: float | None = None
    """Weight of the past in a running average of the weights, such as 0.99, which is then what is kept; 0 for none."""

    forget: float | None = None
    """Share of the pieces that a network with conditions is told nothing of, and of the conditions left out of the
    others."""

    patience: int | None = None
    """Epochs without a better held-out loss until training stops."""

    transpose: int | None = None
    """Learn each piece in a random key up to so many semitones up or down."""

    precision: Literal["auto", "float32", "bfloat16"] | None = None
    """What matrices are multiplied in."""

    seed: int = 1
    """The same seed, machine and versions give the same model."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where networks compute; auto takes an accelerator that is there."""

    def __post_init__(self) -> None:
        if not self.corpus.strip():  # as an unset shell variable gives it; it would mean the working folder
            raise UsageError("the corpus has no name", "name a built-in corpus, a corpus file or a folder of scores")
        if self.seconds is not None and not 0 < self.seconds < 1e6:
            raise UsageError(f"the first {self.seconds:g} seconds", "give a number of seconds over 0")
        if self.range != "C3-B5" and self.encoding == "events":
            raise UsageError("a range with events, which learn whatever notes there are", "leave --range to itself")
        if self.keys == "plain" and (self.valid or self.test or self.encoding == "events"):
            raise UsageError(
                "plain keys with held-out folders or events, which are taken as they are", "leave --keys to itself"
            )
        if self.styles.strip() and (self.valid or self.test):
            raise UsageError("styles with held-out folders, whose styles nobody knows", "leave out --styles")
        _ = self.known
        if self.model not in ("network", "ngram", "vae"):
            raise UsageError(f"there is no model '{self.model}'", "choose network, ngram or vae")
        if self.model != "vae":
            given = [name for name in OF_A_VAE if getattr(self, name) is not None]
            _refuse(given, f"--model {self.model}, which has no codes", "add --model vae, or leave out")
        if self.model == "ngram":
            self._refuse_what_networks_know()
        elif self.model == "vae":
            self._refuse_what_no_vae_knows()
        elif self.blend:
            _ = self.ngram
        elif self.order is not None:
            raise UsageError(
                "--order with a network, which remembers as long as it learns to",
                "leave out --order, or add --model ngram or --blend",
            )

    def _refuse_what_networks_know(self) -> None:
        _ = self.ngram
        given = [name for name in OF_A_NETWORK if getattr(self, name) is not None]
        given += ["styles"] if self.styles.strip() else []
        given += ["conditions"] if self.conditions != "auto" else []
        given += ["preset"] if self.preset != "quick" else []
        given += ["blend"] if self.blend is not None else []
        given += ["device"] if self.device not in ("auto", "cpu") else []
        _refuse(given, "--model ngram, which has no network", "leave out")

    def _refuse_what_no_vae_knows(self) -> None:
        if self.encoding != "grid":
            raise UsageError("a VAE of notes without time, which lie in no bar", "leave out --encoding")
        given = [name for name in OF_A_NETWORK if name not in ALSO_OF_A_VAE and getattr(self, name) is not None]
        given += ["styles"] if self.styles.strip() else []
        given += ["conditions"] if self.conditions not in ("auto", "none") else []
        given += ["preset"] if self.preset != "quick" else []
        given += [name for name in ("blend", "order") if getattr(self, name) is not None]
        _refuse(given, "--model vae, which has none of that", "leave out")

    @property
    def ngram(self) -> NGramOptions:
        """The shape of the n-gram.

        Raises:
            UsageError: an order that none can have.
        """
        return NGramOptions() if self.order is None else NGramOptions(order=self.order)

    @property
    def known(self) -> tuple[str, ...]:
        """What the network is told of each melody, in order.

        Raises:
            UsageError: an unknown condition.
        """
        asked = [word.strip() for word in self.conditions.split(",")]
        if asked == ["auto"]:
            asked = ["mode", "meter"] if self.normalized_key else ["key", "mode", "meter"]
            asked = asked if self.encoding == "grid" else []
        unknown = [word for word in asked if word not in ("none", "key", "mode", "meter")]
        if unknown or (len(asked) > 1 and "none" in asked):
            raise UsageError(f"the conditions {self.conditions}", "give auto, none, or of key,mode,meter what you want")
        styled = ["style"] if self.styles.strip() else []
        return tuple(kind for kind in CONDITIONS if kind in [*asked, *styled])

    @property
    def normalized_key(self) -> bool:
        """Whether everything is transposed to C major or A minor."""
        taken_as_they_are = bool(self.valid or self.test) or self.encoding == "events"
        return self.keys == "plain" or (self.keys == "auto" and not taken_as_they_are)


def _refuse(names: Sequence[str], model: str, hint: str) -> None:
    if names:
        flags = " and ".join(f"--{name.replace('_', '-')}" for name in names)
        raise UsageError(f"{flags} with {model}", f"{hint} {flags}")


OF_A_VAE = ("latent", "code_bars", "free_bits", "kl_warmup", "word_dropout")
"""What of a request only a VAE's training knows."""

ALSO_OF_A_VAE = (
    "width", "embedding", "dropout", "epochs", "budget", "batch", "learning_rate", "schedule", "warmup",
    "weight_decay", "clip", "averaging", "patience", "transpose", "precision",
)  # fmt: skip
"""What of a network's training a VAE's knows too."""

OF_A_NETWORK = (
    "core", "layers", "width", "heads", "embedding", "dropout", "bar_position", "look_back", "echoes", "copy_head",
    "attention", "reach", "input", "window", "epochs", "budget", "batch", "steps", "learning_rate", "schedule",
    "warmup", "weight_decay", "clip", "averaging", "patience", "forget", "transpose", "precision",
)  # fmt: skip
"""What of a request only a network's training knows."""
