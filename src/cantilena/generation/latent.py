"""Playing in the space of codes: from one melody to another in steps, and a melody varied by more or less.

Both ends of a way are the melodies themselves, note for note. What lies between is the most probable melody of the code
between theirs, token by token among those of its key; the key goes along the circle of fifths unless one is given.

A variation by the amount a, from 0 to 1, has the code

    sqrt(1 - a^2) mean + a noise,        noise ~ N(0, I),

which is as likely under the prior as the melody's own, and for a = 1 a free draw from it. At each step p(v) of the
melody's own token is made 1 / a times as large, then tokens are drawn at the temperature sqrt(a): so the melody comes
back whole as a goes to 0, even where its code does not remember all of it.

Melodies as the codes of their windows, and what lies between two codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.generation.composition import Composition
from cantilena.generation.constraints import Constraints
from cantilena.generation.options import ComposeOptions, SamplingOptions
from cantilena.generation.placement import Placement, tokens_within
from cantilena.generation.sampling import Samples, log_likelihood, sample
from cantilena.models import Bars, Decoding, MelodyVae, log_softmax
from cantilena.models.shipped import DEFAULT_VAE
from cantilena.music import Key, Melody, Tempo, find_key, parse_pitch_range
from cantilena.rules import Context, RuleSet, load_rules
from cantilena.runtime import generator
from cantilena.tokenizers import Encoding

if TYPE_CHECKING:
    from cantilena.generation.composer import Composer


Floats = NDArray[np.float32]

LONGEST = 4096
"""Steps of the longest melody that is taken into codes: 256 bars of 4/4."""

_PARALLEL = 1e-4
"""Codes whose directions differ by less, or by as little from opposite, are gone between in a straight line."""


@dataclass(frozen=True)
class CodedMelody:
    """A melody, and the codes of its windows.

    Args:
        melody: as it was given, its key found where it had none.
        placement: the same in the model's key: tokens, key, meter, pickup.
        codes: `(windows, latent)`: the means of q(z | x).
        folded: notes moved by octaves, for want of a token.
        rounded: notes moved in time to the grid.
        dropped: notes under the top of chords, or crushed on the grid: the codes know nothing of them.
    """

    melody: Melody
    placement: Placement
    codes: Floats
    folded: int
    rounded: int
    dropped: int

    @classmethod
    def of(cls, composer: Composer, melody: Melody, range_: str = "") -> CodedMelody:
        """The codes of a melody.

        Args:
            composer: has a VAE.
            melody: in any key and meter.
            range_: the lowest and highest new note.

        Raises:
            UsageError: another model, no notes, or too many.
        """
        vae = vae_of(composer)
        if not melody.sounding:
            raise UsageError("a melody without a note has no code", "give one with notes")
        step = composer.encoding.step_ticks
        if melody.length > LONGEST * step:
            raise UsageError(
                f"a melody of {melody.length // step} steps for a VAE",
                f"give {LONGEST} at the most, 256 bars of 4/4: cut it into parts",
            )
        idea = melody if melody.key else replace(melody, key=find_key(melody) or Key())
        placement, _ = composer.placed(ComposeOptions(range=range_), idea)
        if composer.plain_keys:
            placement = _as_learned(composer.encoding, placement, idea, range_)
        if not len(placement.primer):
            raise UsageError("a melody shorter than a step of the grid", "give one of a sixteenth or more")
        fit = composer.encoding.fit(idea.transposed(-placement.semitones))
        codes = vae.codes_of(placement.primer, placement.bars(composer.encoding, 1, 0))
        return cls(idea, placement, codes, fit.folded, fit.rounded, fit.dropped)

    @property
    def bars(self) -> int:
        """Whole and begun bars from the first barline on."""
        return max(-(-(len(self.placement.primer) - self.pickup) // self.steps_per_bar), 1)

    @property
    def steps_per_bar(self) -> int:
        """Steps in a bar."""
        return max(self.placement.meter.ticks_per_bar // self.placement.step_ticks, 1)

    @property
    def pickup(self) -> int:
        """Steps before the first barline."""
        return self.placement.pickup // self.placement.step_ticks

    def lost(self) -> dict[str, int]:
        """What the codes do not know: notes `folded`, `rounded` and `dropped`."""
        return {"folded": self.folded, "rounded": self.rounded, "dropped": self.dropped}


def _as_learned(encoding: Encoding, placement: Placement, idea: Melody, range_: str) -> Placement:
    """The same in the octave in which models of plain keys learn such a melody (`data/normalized_key.py`)."""
    from cantilena.data import semitones_to_normalized  # which brings the readers of files

    pitches = [pitch for note in idea.sounding for pitch in note.pitches]
    struck = encoding.line(np.arange(len(encoding.vocabulary))[None, :]).pitch[0]
    low, high = int(struck[struck >= 0].min()), int(struck.max())
    moved = semitones_to_normalized(pitches, idea.key, low=low, high=high)
    if not (min(pitches) + moved >= 0 and max(pitches) + moved <= 127):
        return placement
    within = parse_pitch_range(range_) if range_.strip() else None
    return replace(
        placement,
        primer=encoding.encode(idea.transposed(moved)),
        semitones=-moved,
        allowed=tokens_within(encoding, -moved, within),
    )


def vae_of(composer: Composer) -> MelodyVae:
    """The VAE that a composer has.

    Raises:
        UsageError: it has another model.
    """
    if not isinstance(composer.model, MelodyVae):
        raise UsageError(
            f"{composer.name or 'this model'} is no VAE, and only a VAE knows what lies between melodies",
            f"name one, such as {DEFAULT_VAE}, or train one: cantilena train --model vae",
        )
    return composer.model


def between(first: Floats, last: Floats, share: float) -> Floats:
    """The code a share of the way from one to another, along the sphere (White 2016, Sampling generative networks).

    Codes drawn from N(0, I) lie near a sphere around 0. A straight line leads through its inside, where next to no
    melody has its code; this way the directions turn evenly (spherical interpolation), and the length changes evenly.

    Args:
        first: `(windows, latent)`.
        last: the same.
        share: 0 to 1.

    Example:
        >>> halfway = between(np.array([[2.0, 0.0]]), np.array([[0.0, 2.0]]), 0.5)
        >>> halfway.round(3).tolist()
        [[1.414, 1.414]]
    """
    lengths = [np.linalg.norm(code, axis=1, keepdims=True) for code in (first, last)]
    straight = (1.0 - share) * first + share * last
    cosine = (first * last).sum(axis=1, keepdims=True) / np.maximum(lengths[0] * lengths[1], 1e-12)
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    sine = np.sin(angle)
    turns = (sine > _PARALLEL) & (lengths[0] > 1e-6) & (lengths[1] > 1e-6)
    safe = np.where(turns, sine, 1.0)
    directions = [code / np.maximum(length, 1e-6) for code, length in zip((first, last), lengths, strict=True)]
    turned = np.sin((1.0 - share) * angle) / safe * directions[0] + np.sin(share * angle) / safe * directions[1]
    found: Floats = np.where(turns, turned * ((1.0 - share) * lengths[0] + share * lengths[1]), straight)
    return found


def key_between(first: Key, last: Key, share: float) -> Key:
    """The key a share of the way from one to another along the circle of fifths, in the mode of the nearer.

    Args:
        first: at 0.
        last: at 1.
        share: 0 to 1.

    Example:
        >>> [key_between(Key.parse("C major"), Key.parse("A major"), share / 3).name for share in range(4)]
        ['C major', 'G major', 'D major', 'A major']
    """
    way = (last.fifths - first.fifths + 6) % 12 - 6
    nearer = first if share <= 0.5 else last
    fifths = first.fifths + round(share * way)
    return nearer.transposed(7 * (fifths - nearer.fifths))


def scale_of(vocabulary_pitches: NDArray[np.int64], key: Key, also: frozenset[int] = frozenset()) -> NDArray[np.bool_]:
    """`(vocabulary,)`: which tokens strike a note of a key, or none.

    Args:
        vocabulary_pitches: `(vocabulary,)`: what each token strikes, -1 for none.
        key: in which the model thinks.
        also: pitch classes that are welcome beside.
    """
    welcome = np.zeros(12, dtype=np.bool_)
    welcome[[*key.pitch_classes, *also]] = True
    kept: NDArray[np.bool_] = (vocabulary_pitches < 0) | welcome[vocabulary_pitches % 12]
    return kept


def same_bars(coded: CodedMelody, steps: int, pickup: int) -> tuple[Bars, int]:
    """Bars of one melody in the meter of another, and how many steps so many bars and a pickup are."""
    per_bar = coded.steps_per_bar
    bars = Bars(np.array([per_bar], dtype=np.int64), np.array([pickup], dtype=np.int64))
    return bars, pickup + steps * per_bar


MOST_STEPS = 1000
"""Steps of the longest way."""

_COLDEST = 0.01


def interpolations(
    composer: Composer,
    first: Melody,
    last: Melody,
    *,
    steps: int = 5,
    key: str | Key = "",
    range: str = "",  # noqa: A002  (the flag's name; the builtin is not needed here)
    constrain: str | RuleSet = "",
) -> list[Composition]:
    """From one melody to another in steps.

    Melodies longer than a window are gone between window by window, each from the window of the one to that of the
    other at its place. A shorter one begins again, and the number of bars goes evenly from the one to the other.

    Args:
        composer: has a VAE.
        first: where the way begins; as it is given.
        last: where it ends; as it is given.
        steps: melodies, both ends among them, 2..1000.
        key: of all between the ends; from one's to the other's along the circle of fifths where none is given.
        range: of the new notes, such as `C4-A5`.
        constrain: rules that no new note may break while another keeps them.

    Raises:
        UsageError: no VAE, melodies of two meters or without notes, or another number of steps.
    """
    if not 2 <= steps <= MOST_STEPS:
        raise UsageError(
            f"a way of {steps} steps", f"give 2 to {MOST_STEPS}: the first is the one melody, the last the other"
        )
    within = parse_pitch_range(range) if range.strip() else None
    wanted = (Key.parse(key) if key.strip() else None) if isinstance(key, str) else key
    rules = _rules(constrain)
    ends = [CodedMelody.of(composer, melody) for melody in (first, last)]
    meters = [end.melody.meter for end in ends]
    if meters[0] != meters[1]:
        raise UsageError(
            f"from a melody in {meters[0]} to one in {meters[1]}",
            "give two of one meter: bars of two lengths do not meet",
        )
    return [
        _end(composer, ends[0]),
        *(_between(composer, ends, step / (steps - 1), wanted, within, rules) for step in _numbers(1, steps - 1)),
        _end(composer, ends[1]),
    ]


def variations(
    composer: Composer,
    melody: Melody,
    *,
    amount: float = 0.3,
    melodies: int = 1,
    sampling: SamplingOptions | None = None,
    seed: int = 1,
    range: str = "",  # noqa: A002  (the flag's name; the builtin is not needed here)
    constrain: str | RuleSet = "",
) -> list[Composition]:
    """A melody varied.

    New notes lie in the melody's key, or are of a pitch class that it has itself.

    Args:
        composer: has a VAE.
        melody: what is varied, in any key and meter.
        amount: 0 for the melody itself to 1 for a free draw from the prior.
        melodies: how many, 1..10000; melody k is the same however many are asked for.
        sampling: how tokens are drawn; the temperature is multiplied by the amount's square root.
        seed: the same seed gives the same melodies.
        range: of the new notes, such as `C4-A5`.
        constrain: rules that no new note may break while another keeps them.

    Raises:
        UsageError: no VAE, a melody without notes, or an amount outside 0 to 1.
    """
    if not 0.0 <= amount <= 1.0:
        raise UsageError(f"an amount of {amount:g}", "give 0, the melody itself, to 1, a free draw")
    if not 1 <= melodies <= 10_000:
        raise UsageError(f"{melodies} melodies", "give a number from 1 to 10000")
    coded, rules, sampling = CodedMelody.of(composer, melody, range), _rules(constrain), sampling or SamplingOptions()
    if amount == 0.0:
        return [_end(composer, coded)] * melodies
    placement, vae, latent = coded.placement, vae_of(composer), coded.codes.shape[1]
    own = placement.primer
    codes, uniforms = [], []
    for number in _numbers(0, melodies):
        rng = generator(seed, "vary", number)
        noise = rng.standard_normal((len(coded.codes), latent)).astype(np.float32)
        codes.append(np.float32(np.sqrt(1.0 - amount**2)) * coded.codes + np.float32(amount) * noise)
        uniforms.append(rng.random(len(own)))
    classes = frozenset(int(pitch) % 12 for pitch in _pitches(composer)[own] if pitch >= 0)
    asked = _Asked(
        composer,
        placement.bars(composer.encoding, melodies, 0),
        Context(placement.home, placement.meter, coded.steps_per_bar),
        _allowed(composer, placement.home, placement.allowed, classes),
        rules,
    )
    drawn = asked.drawn(
        _Leaning(Decoding(vae, np.stack(codes)), own, -float(np.log(amount))),
        np.stack(uniforms),
        replace(sampling, temperature=max(amount**0.5 * sampling.temperature, _COLDEST)),
    )
    about = {"key": placement.key, "tempo": placement.tempo, "pickup": placement.pickup}
    name = melody.title or "A melody"
    return [
        asked.composition(drawn, row, placement.semitones, title=f"{name} varied, {row + 1}", **about)
        for row in _numbers(0, melodies)
    ]


@dataclass(frozen=True)
class _Asked:
    """What melodies are drawn within."""

    composer: Composer
    bars: Bars
    context: Context
    allowed: NDArray[np.bool_]
    rules: RuleSet | None

    def drawn(self, model: Any, uniforms: NDArray[np.float64], sampling: SamplingOptions) -> Samples:  # noqa: ANN401
        kept = None
        if self.rules is not None:
            kept = Constraints(self.rules.rules, self.composer.encoding, self.context, uniforms.shape[1])
        return sample(model, uniforms, options=sampling, allowed=self.allowed, bars=self.bars, constraints=kept)

    def composition(self, drawn: Samples, row: int, semitones: int, **about: Any) -> Composition:  # noqa: ANN401
        encoding, tokens = self.composer.encoding, drawn.tokens[row]
        melody = encoding.decode(tokens, key=self.context.key, meter=self.context.meter).transposed(semitones)
        nothing = np.zeros(0, dtype=np.int64)
        bound = log_likelihood(self.composer.prior, tokens[None], primer=nothing, bars=self.bars[row : row + 1])
        return Composition(
            notes=melody.notes,
            meter=self.context.meter,
            length=melody.length,
            source="composed by Cantilena",
            tokens=tuple(encoding.vocabulary[token] for token in tokens),
            log_likelihood=float(bound[0]),
            policy_log_likelihood=float(drawn.log_likelihood[row]),
            rules_broken=None if drawn.broken is None else int(drawn.broken[row]),
            **about,
        )


class _Leaning:
    """A decoding in which the melody's own token is more probable at each step."""

    uses_bars = True

    def __init__(self, decoding: Decoding, own: NDArray[np.int64], nats: float) -> None:
        self.decoding, self.own, self.nats = decoding, own, np.float32(nats)
        self.vocabulary_size = decoding.vocabulary_size

    def start(self, melodies: int, *, bars: Bars | None = None) -> tuple[Any, Any]:
        scores, state = self.decoding.start(melodies, bars=bars)
        return self._leaning(scores, 0), state

    def step(self, tokens: Any, state: Any) -> tuple[Any, Any]:  # noqa: ANN401
        scores, state = self.decoding.step(tokens, state)
        return self._leaning(scores, state.clock - 1), state

    def _leaning(self, scores: Any, step: int) -> Any:  # noqa: ANN401
        scores = scores.copy()
        scores[:, self.own[step]] += self.nats
        return log_softmax(scores)


def _between(
    composer: Composer,
    ends: Sequence[CodedMelody],
    share: float,
    wanted: Key | None,
    within: tuple[int, int] | None,
    rules: RuleSet | None,
) -> Composition:
    """The melody a share of the way from the one end to the other."""
    first, last = ends
    nearer = first if share <= 0.5 else last
    count = max(round((1.0 - share) * first.bars + share * last.bars), 1)
    bars, length = same_bars(first, count, nearer.pickup)
    vae = vae_of(composer)
    windows = np.arange(vae.windows(length, bars))
    codes = between(first.codes[windows % len(first.codes)], last.codes[windows % len(last.codes)], share)
    key = wanted or key_between(_key(first), _key(last), share)
    home = key.plain if composer.plain_keys else key
    way = (1.0 - share) * first.placement.semitones + share * last.placement.semitones
    semitones = home.interval_to(key) + 12 * round((way - home.interval_to(key)) / 12)
    allowed = _allowed(composer, home, tokens_within(composer.encoding, semitones, within))
    asked = _Asked(composer, bars, Context(home, first.melody.meter, first.steps_per_bar), allowed, rules)
    drawn = asked.drawn(Decoding(vae, codes[None]), np.zeros((1, length)), SamplingOptions(greedy=True))
    rates = [end.melody.tempo.initial for end in ends]
    return asked.composition(
        drawn,
        0,
        semitones,
        key=key,
        tempo=Tempo.constant(rates[0] ** (1.0 - share) * rates[1] ** share),
        pickup=nearer.placement.pickup,
        title=f"{share:.0%} of the way",
    )


def _end(composer: Composer, coded: CodedMelody) -> Composition:
    """A melody itself, note for note, with what the model makes of it."""
    melody, placement, encoding = coded.melody, coded.placement, composer.encoding
    tokens, bars = placement.primer[None], placement.bars(composer.encoding, 1, 0)
    log_p = Decoding(vae_of(composer), coded.codes[None]).log_probs(tokens, bars=bars)
    nothing = np.zeros(0, dtype=np.int64)
    return Composition(
        notes=melody.notes,
        key=melody.key,
        meter=melody.meter,
        tempo=melody.tempo,
        pickup=melody.pickup,
        length=melody.length,
        title=melody.title,
        source=melody.source,
        tokens=tuple(encoding.vocabulary[token] for token in tokens[0]),
        log_likelihood=float(log_likelihood(composer.prior, tokens, primer=nothing, bars=bars)[0]),
        policy_log_likelihood=float(np.take_along_axis(log_p, tokens[..., None], axis=-1).sum()),
    )


def _key(coded: CodedMelody) -> Key:
    return coded.melody.key or Key()


def _allowed(
    composer: Composer, home: Key, within: NDArray[np.bool_] | None, also: frozenset[int] = frozenset()
) -> NDArray[np.bool_]:
    """`(vocabulary,)`: which tokens lie in the key and in the range."""
    scale = scale_of(_pitches(composer), home, also)
    return scale if within is None else scale & within


def _pitches(composer: Composer) -> NDArray[np.int64]:
    """`(vocabulary,)`: what each token strikes, -1 for none."""
    size = len(composer.encoding.vocabulary)
    return np.asarray(composer.encoding.line(np.arange(size)[None, :]).pitch[0], dtype=np.int64)


def _rules(constrain: str | RuleSet) -> RuleSet | None:
    if isinstance(constrain, RuleSet):
        return constrain
    return load_rules(constrain) if constrain.strip() else None


def _numbers(first: int, last: int) -> Sequence[int]:
    return np.arange(first, last).tolist()
