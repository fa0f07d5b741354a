"""The systems of an evaluation: how they are named, and how models and baselines draw melodies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import BundleError, InputError, UsageError
from cantilena.generation import ComposeOptions, Composer, SamplingOptions, mix_snippets, sample, token_budget
from cantilena.models import Bundle, SequenceModel, TopTokens, bars_for_encoding, find_bundle
from cantilena.music import Key, Melody, Meter
from cantilena.reporting.data import HUMAN as HUMAN
from cantilena.rl.reward import padded_together
from cantilena.runtime import derived_seed, generator
from cantilena.tokenizers import Encoding
from cantilena.workflows.data import EncodedCorpus
from cantilena.workflows.train.blend import fit_ngram

Tokens = NDArray[np.int64]

Source = str | Path | Bundle | Sequence[Melody]
"""A folder, bundle file or baseline by name, or a bundle or melodies in memory."""

BASELINES = {
    "oracle": "a mix of original snippets, a bar each",
    "random-top10": "random choice among the ten most frequent tokens",
    "ngram": "an n-gram that also copies from what it has composed so far",
    "shuffled": "held-out human melodies, the notes of each in random order",
}
"""Baselines that are fitted to the corpus in moments, by name."""

_SNIPPET = 16
"""Steps of a snippet of the oracle."""

_FEWEST_BARS = 8
"""Bars of a melody that is composed with a form."""

_MAX_NAME = 80
"""Bytes of a system's name, which names folders."""


@dataclass(frozen=True)
class SystemSpec:
    """A system to evaluate.

    Args:
        source: the folder's path, the bundle or its path, the baseline's name, or melodies.
    """

    name: str
    kind: Literal["folder", "bundle", "baseline", "melodies"]
    source: str | Bundle | tuple[Melody, ...]

    @property
    def is_shuffled(self) -> bool:
        """Whether it is the baseline that shuffles the human melodies, and not a folder of that name."""
        return self.kind == "baseline" and self.source == "shuffled"

    @cached_property
    def bundle(self) -> Bundle:
        """The model of a system of kind `bundle`, loaded if it is given by path."""
        return self.source if isinstance(self.source, Bundle) else Bundle.load(Path(str(self.source)))


def parse_systems(words: Sequence[str]) -> list[SystemSpec]:
    """Parse `NAME=PATH` or `PATH`.

    A path is a folder of scores, a bundle, the name of a shipped bundle or of a baseline; `./ngram` is a folder with
    the name of a baseline. A folder named `human` replaces the human melodies of the corpus.

    Raises:
        UsageError: no systems, an empty or invalid name, or a name used twice.
        InputError: a path does not exist.

    Examples:
        >>> parse_systems(["ngram", "mine=tunes"])
        ... # doctest: +ELLIPSIS
        [SystemSpec(name='ngram', kind='baseline', ...), SystemSpec(name='mine', kind='bundle', ...)]
    """
    specs = []
    for word in words:
        name, separator, source = word.partition("=")
        if not separator or "/" in name:  # the sign belongs to the path
            name, source = "", word
        elif not name:
            raise UsageError(f"'{word}' has no name before the sign =", "write NAME=PATH, or the path alone")
        specs.append(_spec(name, source))
    return _checked(specs, words)


def named_systems(systems: Mapping[str, Source]) -> list[SystemSpec]:
    """The same from names and sources, which may be bundles and melodies in memory.

    Examples:
        >>> [spec.kind for spec in named_systems({"baseline": "ngram", "mine": [Melody.from_pitches([(60, 24)])]})]
        ['baseline', 'melodies']
    """
    return _checked([_spec(name, source) for name, source in systems.items()], list(systems))


def _spec(name: str, source: Source) -> SystemSpec:
    if isinstance(source, Bundle):
        return SystemSpec(name, "bundle", source)
    if not isinstance(source, str | Path):
        melodies: tuple[Any, ...] = tuple(source) if isinstance(source, Sequence) else (source,)
        if not all(isinstance(melody, Melody) for melody in melodies):
            raise UsageError(f"'{name}' is not a sequence of melodies", "give melodies, a Bundle, or a path")
        return SystemSpec(name, "melodies", melodies)
    text, path = str(source), Path(source)
    if not text.strip():
        raise UsageError("a system has an empty path", "give a folder, a bundle or a baseline, or NAME=PATH")
    if isinstance(source, str) and text in BASELINES:
        return SystemSpec(name or text, "baseline", text)
    if path.is_dir() and not any(path.glob("*.safetensors")):  # the folder of a run means the bundle in it
        return SystemSpec(name or path.resolve().name, "folder", text)
    if path.is_file() and path.suffix != ".safetensors":
        raise InputError(f"{path} is one file", "give its folder, or a .safetensors bundle")
    try:
        return SystemSpec(name or path.name, "bundle", str(find_bundle(text)))
    except BundleError as error:
        known = ", ".join(BASELINES)
        hint = f"give a folder of MIDI files, a bundle, or a baseline: {known}"
        raise InputError(f"there is nothing to evaluate at '{text}'", hint) from error


def _checked(specs: list[SystemSpec], words: Sequence[str]) -> list[SystemSpec]:
    if not specs:
        raise UsageError("nothing to evaluate", "give folders of MIDI files, bundles, or baselines")
    seen: dict[str, str] = {}
    for spec, word in zip(specs, words, strict=True):
        name = spec.name
        if len(name.encode()) > _MAX_NAME or not name.isprintable() or set(name) <= {"."} or "/" in name:
            raise UsageError(f"{name[:_MAX_NAME]!r} cannot be the name of a system", "use letters: mine=PATH")
        if name == HUMAN and spec.kind not in ("folder", "melodies"):
            raise UsageError(f"a {spec.kind} cannot replace the human melodies", "give a folder of scores as human=DIR")
        if name in seen:
            raise UsageError(f"'{seen[name]}' and '{word}' are both called {name}", "give names: NAME=PATH")
        seen[name] = word
    return specs


@dataclass(frozen=True)
class System:
    """A source of melodies.

    Args:
        draw: `draw(melodies, steps, purpose)` returns `(melodies, steps)` tokens, of notes `(melodies, tokens)` padded
            with `end`; the purpose names the random stream, so that the melodies that are played are not those that are
            counted.
        model: the distribution that it samples, if any.
    """

    name: str
    description: str
    encoding: Encoding
    draw: Callable[[int, int, str], Tokens]
    model: SequenceModel | None = None


def model_system(
    name: str,
    description: str,
    model: SequenceModel,
    encoding: Encoding,
    seed: int,
    *,
    sampling: SamplingOptions | None = None,
    primers: Tokens | None = None,
    meter: Meter | None = None,
    key: Key | None = None,
) -> System:
    """A system that samples a model, at temperature 1 in 4/4 by default.

    Each melody continues one of the `primers`, `(primers, steps)`, which is not part of it. The key is for models with
    key conditions.
    """

    def draw_melodies(melodies: int, steps: int, purpose: str) -> Tokens:
        if primers is None:
            rng = generator(seed, purpose, name)
            return sample_whole(model, encoding, rng, melodies, steps, sampling=sampling, meter=meter, key=key)
        # Primers are those of the published experiments, whose models know no notes.
        bars = bars_for_encoding(meter, melodies, encoding, key)
        uniforms = generator(seed, purpose, name).random((melodies, steps))
        chosen = generator(seed, purpose, name, "primer").integers(len(primers), size=melodies)
        rows = [
            sample(model, uniforms[row : row + 1], options=sampling, primer=primers[primer], bars=bars and bars[:1])
            for row, primer in enumerate(chosen)
        ]
        return np.concatenate([row.tokens for row in rows])

    return System(name, description, encoding, draw_melodies, model)


def sample_whole(
    model: SequenceModel,
    encoding: Encoding,
    rng: np.random.Generator,
    melodies: int,
    steps: int,
    *,
    sampling: SamplingOptions | None = None,
    meter: Meter | None = None,
    key: Key | None = None,
) -> Tokens:
    """Sample whole melodies of so many steps: `(melodies, steps)` tokens, of notes `(melodies, tokens)`.

    A model of notes is told the length, and shorter rows are padded with `end`.
    """
    length = steps * encoding.ticks_per_step
    bars = bars_for_encoding(meter, melodies, encoding, key, length)
    uniforms = rng.random((melodies, token_budget(encoding, length)))
    return sample(model, uniforms, options=sampling, bars=bars, encoding=encoding).tokens


def composed_system(name: str, description: str, bundle: Bundle, seed: int) -> System:
    """A system that composes whole melodies with a model of notes, as `compose` does: in 4/4 and C major, with forms.

    They have the number of bars that is nearest to the steps, but at least `_FEWEST_BARS`, and are drawn from the first
    barline on: a pickup is left out.
    """
    composer = Composer.from_bundle(bundle, name)

    def draw_melodies(melodies: int, steps: int, purpose: str) -> Tokens:
        ticks = steps * composer.encoding.ticks_per_step
        bars = max(round(ticks / Meter().ticks_per_bar), _FEWEST_BARS)
        options = ComposeOptions(bars=bars, key="C major", meter="4/4")
        made = composer.compose_many(melodies, options, seed=derived_seed(seed, purpose, name))
        whole = [melody.between(melody.pickup, melody.length) for melody in made]
        rows = [composer.encoding.encode(composer.encoding.fit(melody).melody) for melody in whole]
        return padded_together([row[None] for row in rows])

    return System(name, description, composer.encoding, draw_melodies, composer.model)


def baseline_system(name: str, material: EncodedCorpus, seed: int) -> System:
    """Fit the baseline `oracle`, `random-top10` or `ngram` to the training part of a corpus."""
    encoding, sequences = material.encoding, material.train.sequences
    if name == "random-top10":
        model: SequenceModel = TopTokens.fit(sequences.tokens, len(encoding.vocabulary))
    elif name == "ngram":
        model = fit_ngram(material)
    elif name != "oracle":
        raise UsageError(f"there is no baseline '{name}' to sample", "choose oracle, random-top10 or ngram")
    else:

        def draw_mixed(melodies: int, steps: int, purpose: str) -> Tokens:
            rng, pickups = generator(seed, purpose, "oracle"), [int(first) for first in sequences.bars.pickup]
            return mix_snippets(sequences.tokens, pickups, melodies=melodies, steps=steps, snippet=_SNIPPET, rng=rng)

        return System(name, BASELINES[name], encoding, draw_mixed)
    return model_system(name, BASELINES[name], model, encoding, seed)
