"""Interpolating and varying melodies in the latent space of a VAE.

The ends of an interpolation are the given melodies, note for note. Between them lie the most probable melodies of the
interpolated codes, of tokens in their key; the key moves along the circle of fifths unless one is given.

A variation by the amount a, from 0 to 1, has the code

    sqrt(1 - a^2) mean + a noise,        noise ~ N(0, I),

which is as likely under the prior as the code of the melody, and for a = 1 a sample of the prior. At each step p(v) of
the melody's own token is multiplied by 1 / a, then tokens are drawn at the temperature sqrt(a): as a goes to 0 the
melody is reproduced, even if its code does not determine all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.generation.composition import Composition
from cantilena.generation.constraints import Constraints
from cantilena.generation.options import ComposeOptions, SamplingOptions, check_count
from cantilena.generation.placement import Placement, pitch_range, tokens_within
from cantilena.generation.sampling import log_likelihood, sample
from cantilena.models import Bars, MelodyVae, VaeDecoder, log_softmax
from cantilena.models.shipped import DEFAULT_VAE
from cantilena.music import Key, Melody, Tempo, find_key
from cantilena.runtime import generator
from cantilena.tokenizers import Encoding, token_pitches

if TYPE_CHECKING:
    from cantilena.generation.composer import Composer

Floats = NDArray[np.float32]

MAX_STEPS = 4096
"""Steps of the longest melody that is encoded: 256 bars of 4/4."""

MAX_INTERPOLATION = 1000
"""Melodies of the longest interpolation."""

_PARALLEL = 1e-4
"""Codes are interpolated linearly if the sine of their angle is smaller."""

_MIN_TEMPERATURE = 0.01
_NO_TOKENS = np.zeros(0, dtype=np.int64)


def interpolate(
    composer: Composer, first: Melody, last: Melody, steps: int, options: ComposeOptions
) -> list[Composition]:
    """As `Composer.interpolate`."""
    options.check_unused(("key", "range", "constrain"), "--interpolate")
    if not 2 <= steps <= MAX_INTERPOLATION:
        raise UsageError(f"steps is {steps}", f"give 2 to {MAX_INTERPOLATION}, both ends among them")
    ends = [LatentMelody.encode(composer, melody) for melody in (first, last)]
    meters = [end.melody.meter for end in ends]
    if meters[0] != meters[1]:
        raise UsageError(f"one melody is in {meters[0]} and the other in {meters[1]}", "give two melodies of one meter")
    shares = [step / (steps - 1) for step in range(1, steps - 1)]
    between = [_interpolated(composer, ends[0], ends[1], share, options) for share in shares]
    return [_given(composer, ends[0]), *between, _given(composer, ends[1])]


def vary(
    composer: Composer, melody: Melody, amount: float, options: ComposeOptions, *, melodies: int, seed: int
) -> list[Composition]:
    """As `Composer.vary`."""
    options.check_unused(("range", "constrain", "sampling"), "--vary")
    if not 0.0 <= amount <= 1.0:
        raise UsageError(f"amount is {amount:g}", "give 0, the melody itself, to 1, a free sample")
    check_count(melodies)
    latent = LatentMelody.encode(composer, melody, options.range)
    if amount == 0.0:
        return [_given(composer, latent)] * melodies
    tokens, codes, uniforms = latent.placement.primer, [], []
    for number in range(melodies):
        rng = generator(seed, "vary", number)
        noise = rng.standard_normal(latent.codes.shape).astype(np.float32)
        codes.append(np.float32(np.sqrt(1.0 - amount**2)) * latent.codes + np.float32(amount) * noise)
        uniforms.append(rng.random(len(tokens)))
    pitches = token_pitches(composer.encoding)
    own = {pitches[token][-1] % 12 for token in tokens if pitches[token]}
    placement = replace(latent.placement, primer=_NO_TOKENS)
    decoder = VaeDecoder(vae_of(composer), np.stack(codes))
    temperature = max(amount**0.5 * options.sampling.temperature, _MIN_TEMPERATURE)
    return _sample(
        composer,
        _OwnTokensFavoured(decoder, tokens, -float(np.log(amount))),
        np.stack(uniforms),
        placement,
        options.replace(temperature=temperature),
        own,
        titles=[f"{melody.title or 'A melody'} varied, {number + 1}" for number in range(melodies)],
    )


@dataclass(frozen=True)
class LatentMelody:
    """A melody and the codes of its windows.

    Args:
        melody: as it was given, with its key.
        placement: its tokens (as primer), key, meter and pickup.
        codes: `(windows, latent)`: the means of q(z | x).
        folded: notes moved by octaves.
        rounded: notes moved in time to the grid.
        dropped: notes below the top of chords, or lost by rounding, which the codes do not represent.
    """

    melody: Melody
    placement: Placement
    codes: Floats
    folded: int
    rounded: int
    dropped: int

    @classmethod
    def encode(cls, composer: Composer, melody: Melody, range_: str = "") -> LatentMelody:
        """Encode a melody in any key and meter; `range_` is the lowest and highest new note, as text.

        Raises:
            UsageError: the model is no VAE, or the melody is empty or too long.
        """
        vae = vae_of(composer)
        if not melody.sounding:
            raise UsageError("the melody has no note", "give one with notes")
        step = composer.encoding.ticks_per_step
        if melody.length > MAX_STEPS * step:
            raise UsageError(
                f"the melody has {melody.length // step} steps", f"give {MAX_STEPS} at most, 256 bars of 4/4"
            )
        keyed = melody if melody.key else replace(melody, key=find_key(melody) or Key())
        placement = composer.place(ComposeOptions(range=range_), keyed)
        if composer.normalized_key:
            placement = _in_training_octave(composer.encoding, placement, keyed, range_)
        if not len(placement.primer):
            raise UsageError("the melody is shorter than a step of the grid", "give one of a sixteenth or more")
        fit = composer.encoding.fit(keyed.transposed(-placement.semitones))
        codes = vae.encode(placement.primer, placement.bars(1))
        return cls(keyed, placement, codes, fit.folded, fit.rounded, fit.dropped)

    @property
    def key(self) -> Key:
        """The key of the melody."""
        return self.melody.key or Key()

    @property
    def bars(self) -> int:
        """Whole and incomplete bars after the first barline."""
        return max(-(-(len(self.placement.primer) - self.pickup) // self.placement.steps_per_bar), 1)

    @property
    def pickup(self) -> int:
        """Steps before the first barline."""
        return self.placement.pickup // self.placement.ticks_per_step

    def lost(self) -> dict[str, int]:
        """Notes that the codes represent otherwise or not at all: `folded`, `rounded` and `dropped`."""
        return {"folded": self.folded, "rounded": self.rounded, "dropped": self.dropped}


def vae_of(composer: Composer) -> MelodyVae:
    """The VAE of a composer.

    Raises:
        UsageError: it has another model.
    """
    if not isinstance(composer.model, MelodyVae):
        raise UsageError(
            f"{composer.name or 'this model'} is no VAE, and only a VAE interpolates and varies melodies",
            f"name one, such as {DEFAULT_VAE}, or train one: cantilena train --model vae",
        )
    return composer.model


def between(first: Floats, last: Floats, share: float) -> Floats:
    """Spherical interpolation of codes (White 2016, Sampling generative networks).

    Codes drawn from N(0, I) lie near a sphere around 0, whose inside, on a straight line between two, has hardly any
    codes of melodies. Here the direction turns evenly, and the length changes evenly.

    Args:
        first: `(windows, latent)`, at 0.
        last: the same, at 1.
        share: 0 to 1.

    Examples:
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
    codes: Floats = np.where(turns, turned * ((1.0 - share) * lengths[0] + share * lengths[1]), straight)
    return codes


def key_between(first: Key, last: Key, share: float) -> Key:
    """The key at a share, 0 to 1, of the way along the circle of fifths, in the mode of the nearer end.

    Examples:
        >>> [key_between(Key.parse("C major"), Key.parse("A major"), share / 3).name for share in range(4)]
        ['C major', 'G major', 'D major', 'A major']
    """
    distance = (last.fifths - first.fifths + 6) % 12 - 6
    nearer = first if share <= 0.5 else last
    fifths = first.fifths + round(share * distance)
    return nearer.transposed(7 * (fifths - nearer.fifths))


def _interpolated(
    composer: Composer, first: LatentMelody, last: LatentMelody, share: float, options: ComposeOptions
) -> Composition:
    """The melody at a share of the way from one end to the other."""
    key = key_between(first.key, last.key, share)
    if options.key:
        key = options.key if isinstance(options.key, Key) else Key.parse(options.key)
    model_key = key.plain if composer.normalized_key else key
    within = pitch_range(options.range, composer.encoding)
    distance = (1.0 - share) * first.placement.semitones + share * last.placement.semitones
    semitones = model_key.interval_to(key) + 12 * round((distance - model_key.interval_to(key)) / 12)
    rates = [end.melody.tempo.initial for end in (first, last)]
    nearer = first if share <= 0.5 else last
    placement = replace(
        first.placement,
        primer=_NO_TOKENS,
        allowed=tokens_within(composer.encoding, semitones, within),
        model_key=model_key,
        semitones=semitones,
        key=key,
        tempo=Tempo.constant(rates[0] ** (1.0 - share) * rates[1] ** share),
        pickup=nearer.placement.pickup,
    )
    count = max(round((1.0 - share) * first.bars + share * last.bars), 1)
    length = nearer.pickup + count * placement.steps_per_bar
    vae = vae_of(composer)
    windows = np.arange(vae.count_windows(length, placement.bars(1)))
    codes = between(first.codes[windows % len(first.codes)], last.codes[windows % len(last.codes)], share)
    return _sample(
        composer,
        VaeDecoder(vae, codes[None]),
        np.zeros((1, length)),
        placement,
        options.replace(sampling=SamplingOptions(greedy=True)),
        titles=[f"{share:.0%} of the way"],
    )[0]


def _sample(
    composer: Composer,
    model: Any,  # noqa: ANN401
    uniforms: NDArray[np.float64],
    placement: Placement,
    options: ComposeOptions,
    also: Iterable[int] = (),
    *,
    titles: Sequence[str],
) -> list[Composition]:
    """Compositions of a decoder, of tokens in the range and of the key or the pitch classes `also`."""
    bars = placement.bars(len(uniforms))
    classes = {*placement.model_key.pitch_classes, *also}
    allowed = np.array([not p or p[-1] % 12 in classes for p in token_pitches(composer.encoding)], dtype=np.bool_)
    if placement.allowed is not None:
        allowed &= placement.allowed
    constraints = Constraints.from_rules(options.constrain, composer.encoding, placement.context(), uniforms.shape[1])
    drawn = sample(model, uniforms, options=options.sampling, allowed=allowed, bars=bars, constraints=constraints)
    return [
        placement.composition(
            drawn.tokens[row],
            title=title,
            log_likelihood=_bound(composer, drawn.tokens[row], bars[row : row + 1]),
            policy_log_likelihood=float(drawn.log_likelihood[row]),
            rules_broken=None if drawn.broken is None else int(drawn.broken[row]),
        )
        for row, title in enumerate(titles)
    ]


def _given(composer: Composer, latent: LatentMelody) -> Composition:
    """The given melody as a composition, note for note."""
    melody, tokens, bars = latent.melody, latent.placement.primer, latent.placement.bars(1)
    log_p = VaeDecoder(vae_of(composer), latent.codes[None]).log_probs(tokens[None], bars=bars)
    return Composition(
        notes=melody.notes,
        key=melody.key,
        meter=melody.meter,
        tempo=melody.tempo,
        pickup=melody.pickup,
        length=melody.length,
        title=melody.title,
        source=melody.source,
        tokens=tuple(composer.encoding.vocabulary[token] for token in tokens),
        log_likelihood=_bound(composer, tokens, bars),
        policy_log_likelihood=float(np.take_along_axis(log_p, tokens[None, :, None], axis=-1).sum()),
    )


def _bound(composer: Composer, tokens: NDArray[np.int64], bars: Bars) -> float:
    return float(log_likelihood(composer.prior, tokens[None], primer=_NO_TOKENS, bars=bars)[0])


def _in_training_octave(encoding: Encoding, placement: Placement, melody: Melody, range_: str) -> Placement:
    """The same in the octave in which models of normalised keys learn the melody (`data/normalized_key.py`)."""
    from cantilena.data import semitones_to_normalized  # imports the readers of files

    pitches = [pitch for note in melody.sounding for pitch in note.pitches]
    known = [pitch for one in token_pitches(encoding) for pitch in one]
    moved = semitones_to_normalized(pitches, melody.key, low=min(known), high=max(known))
    if not (min(pitches) + moved >= 0 and max(pitches) + moved <= 127):
        return placement
    within = pitch_range(range_, encoding)
    return replace(
        placement,
        primer=encoding.encode(melody.transposed(moved)),
        semitones=-moved,
        allowed=tokens_within(encoding, -moved, within),
    )


class _OwnTokensFavoured:
    """A decoder in which the melody's own token at each step gains some nats before normalisation."""

    uses_bars = True

    def __init__(self, decoder: VaeDecoder, tokens: NDArray[np.int64], nats: float) -> None:
        self.decoder, self.tokens, self.nats = decoder, tokens, np.float32(nats)
        self.vocabulary_size = decoder.vocabulary_size

    def start(self, melodies: int, *, bars: Bars | None = None) -> tuple[Any, Any]:
        log_p, state = self.decoder.start(melodies, bars=bars)
        return self._favour(log_p, 0), state

    def step(self, tokens: Any, state: Any) -> tuple[Any, Any]:  # noqa: ANN401
        log_p, state = self.decoder.step(tokens, state)
        return self._favour(log_p, state.clock - 1), state

    def _favour(self, log_p: Any, step: int) -> Any:  # noqa: ANN401
        log_p = log_p.copy()
        log_p[:, self.tokens[step]] += self.nats
        return log_softmax(log_p)
