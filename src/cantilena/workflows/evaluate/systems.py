"""The systems that are compared: who makes the melodies, and out of what.

The baselines that learn from a corpus in moments, as systems: what a model must beat.

Who is evaluated: folders of melodies, models and baselines, each under a name of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import BundleError, InputError, UsageError
from cantilena.generation import SamplingOptions, mix_snippets, sample
from cantilena.models import SequenceModel, TopTokens, bars_in, find_bundle
from cantilena.music import Key, Meter
from cantilena.reporting.data import PEOPLE as PEOPLE
from cantilena.runtime import generator
from cantilena.tokenizers import Encoding
from cantilena.workflows.data import EncodedCorpus, EncodedPieces
from cantilena.workflows.train.blend import fit_ngram

Tokens = NDArray[np.int64]


@dataclass(frozen=True)
class System:
    """One maker of melodies.

    Args:
        name: as in results and folders: `human`, `oracle`, `lstm`, `lstm+rl`, ...
        description: what it is, a sentence.
        encoding: what its tokens mean.
        draw: `draw(melodies, steps, purpose)` gives `(melodies, steps)` tokens; the purpose names the randomness, so
            that the melodies to listen to are others than those that are counted.
        model: the distribution it draws from, None where it has none.
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
    """A system that draws from a model.

    Args:
        name: of the system.
        description: what it is.
        model: drawn from at temperature 1, or as `sampling` says.
        encoding: what its tokens mean.
        seed: of the run.
        sampling: how tokens are drawn.
        primers: `(primers, steps)`: each melody continues one of these, which is not part of it; none if left out.
        meter: the time signature; 4/4 if left out.
        key: what a model that can be told keys is told; nothing if left out.
    """

    def draw(melodies: int, steps: int, purpose: str) -> Tokens:
        bars = bars_in(meter, melodies, encoding, key)
        uniforms = generator(seed, purpose, name).random((melodies, steps))
        if primers is None:
            return sample(model, uniforms, options=sampling, bars=bars).tokens
        chosen = generator(seed, purpose, name, "primer").integers(len(primers), size=melodies)
        rows = [
            sample(model, uniforms[row : row + 1], options=sampling, primer=primers[primer], bars=bars and bars[:1])
            for row, primer in enumerate(chosen)
        ]
        return np.concatenate([row.tokens for row in rows])

    return System(name, description, encoding, draw, model)


def oracle_system(pieces: EncodedPieces, encoding: Encoding, seed: int, *, snippet: int) -> System:
    """The paper's oracle: a mix of original snippets, so many steps each."""

    def draw(melodies: int, steps: int, purpose: str) -> Tokens:
        return mix_snippets(
            pieces.sequences.tokens,
            [int(first) for first in pieces.sequences.bars.pickup],
            melodies=melodies,
            steps=steps,
            snippet=snippet,
            rng=generator(seed, purpose, "oracle"),
        )

    return System("oracle", f"a mix of original snippets of {snippet} steps each", encoding, draw)


Kind = Literal["folder", "bundle", "baseline"]

BASELINES = {
    "oracle": "a mix of original snippets, a bar each",
    "random-top10": "random choice among the ten most frequent tokens",
    "ngram": "an n-gram that also copies from what it has composed so far",
    "shuffled": "people's held-out melodies, the notes of each in random order",
}
"""What can be evaluated by name alone, made of the corpus that the others are held beside."""


_LONGEST_NAME = 80


@dataclass(frozen=True)
class Contestant:
    """One of those that are evaluated.

    Args:
        name: in the table.
        kind: what it is.
        source: the folder, the bundle's file, or the baseline's name.
    """

    name: str
    kind: Kind
    source: str


def contestants(words: Sequence[str]) -> list[Contestant]:
    """Read `NAME=PATH` or `PATH` of each.

    A path is a folder of scores or a bundle; a bundle that ships with the package and a baseline go by their names,
    and a folder that has such a name is written `./ngram`. A folder called as people's melodies are stands in for those
    of the corpus.

    Args:
        words: as they were typed.

    Raises:
        UsageError: none, an empty one, or a name given twice.
        InputError: there is nothing of that name.

    Example:
        >>> contestants(["ngram", "mine=tunes"])
        ... # doctest: +ELLIPSIS
        [Contestant(name='ngram', kind='baseline', ...), Contestant(name='mine', kind='bundle', ...)]
    """
    if not words:
        raise UsageError("nothing to evaluate", "name folders of MIDI files, bundles, or baselines")
    found = [_contestant(word) for word in words]
    seen: dict[str, str] = {}
    for one, word in zip(found, words, strict=True):
        if len(one.name.encode()) > _LONGEST_NAME or not one.name.isprintable() or set(one.name) <= {"."}:
            raise UsageError(f"'{word}' cannot be called {one.name[:_LONGEST_NAME]!r}", "name it in letters: mine=PATH")
        if one.name == PEOPLE and one.kind != "folder":
            raise UsageError(
                f"'{word}' cannot stand in for people's melodies", "name a folder of scores, or call it otherwise"
            )
        if one.name in seen:
            raise UsageError(f"'{seen[one.name]}' and '{word}' are both called {one.name}", "name them: NAME=PATH")
        seen[one.name] = word
    return found


def _contestant(word: str) -> Contestant:
    name, separator, place = word.partition("=")
    if not separator or "/" in name:  # the sign may stand in a path
        name, place = "", word
    if not place.strip() or (separator and not name and place != word):
        raise UsageError(f"'{word}' names nothing", "give a folder, a bundle or a baseline, or NAME=PATH")
    if place in BASELINES:
        return Contestant(name or place, "baseline", place)
    path = Path(place)
    if path.is_dir() and not any(path.glob("*.safetensors")):  # a run's folder is the bundle that it left
        return Contestant(name or path.resolve().name, "folder", place)
    if path.is_file() and path.suffix != ".safetensors":
        raise InputError(f"{path} is one file", "name the folder that it is in, or a .safetensors bundle")
    try:
        return Contestant(name or path.name, "bundle", str(find_bundle(place)))
    except BundleError as error:
        raise InputError(
            f"there is nothing to evaluate at '{place}'",
            f"give a folder of MIDI files, a bundle, or a baseline: {', '.join(BASELINES)}",
        ) from error


_BAR = 16
"""Steps of a snippet of the oracle."""


def baseline_system(name: str, material: EncodedCorpus, seed: int) -> System:
    """One of the baselines `oracle`, `random-top10` and `ngram`, made of the training part.

    Args:
        name: which.
        material: what it is made of.
        seed: of the run.

    Raises:
        UsageError: there is none of that name.
    """
    encoding, tokens = material.encoding, material.train.sequences.tokens
    if name == "oracle":
        return oracle_system(material.train, encoding, seed, snippet=_BAR)
    if name == "random-top10":
        frequent = TopTokens.fit(tokens, len(encoding.vocabulary))
        return model_system(name, BASELINES[name], frequent, encoding, seed)
    if name == "ngram":
        return model_system(name, BASELINES[name], fit_ngram(material), encoding, seed)
    raise UsageError(f"'{name}' is no baseline that draws", "choose oracle, random-top10 or ngram")
