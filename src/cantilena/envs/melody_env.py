"""The Gymnasium environment: one melody, one token a step; and how it is rendered: token names, score, piano roll."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from cantilena.envs.episodes import DEFAULT_BUNDLE, MIN_LOG_P, MelodyEpisodes
from cantilena.errors import UsageError
from cantilena.io import score_svg
from cantilena.models import Bundle
from cantilena.music import Melody
from cantilena.rl.reward import token_places
from cantilena.rules import RuleSet
from cantilena.tokenizers import Encoding

Picture = NDArray[np.uint8]

_PIXELS = 8
"""Width of a step and height of a semitone."""
_BACKGROUND, _BAR_LINE, _NOTE = 250, 215, 40


def render(episodes: MelodyEpisodes, mode: str) -> tuple[str | Picture, ...]:
    """Render each melody so far.

    Args:
        episodes: the melodies.
        mode: `ansi` for the names of the tokens, a line for each bar; `svg` for the score as SVG text; `rgb_array` for
            a piano roll, `(height, width, 3)` uint8, of the same size at every step.

    Raises:
        UsageError: a melody is too long to engrave.
    """
    return _MODES[mode](episodes)


def check_mode(mode: str | None) -> str | None:
    """Return the mode if it is valid.

    Raises:
        UsageError: there is no such mode.
    """
    if mode is not None and mode not in _MODES:
        raise UsageError(f"unknown render mode '{mode}'", f"choose one of {', '.join(_MODES)}")
    return mode


def _names(episodes: MelodyEpisodes) -> tuple[str, ...]:
    names, tokens = episodes.encoding.vocabulary, episodes.tokens
    places = token_places(episodes.encoding, tokens, episodes.steps)
    bars = [
        [[names[token] for token in row[number == bar]] for bar in range(number.max(initial=-1) + 1)]
        for row, number in zip(tokens, places // (episodes.steps_per_bar or 16), strict=True)
    ]
    return tuple("\n".join(" ".join(bar) for bar in rows if bar) for rows in bars)


def _scores(episodes: MelodyEpisodes) -> tuple[str, ...]:
    return tuple(score_svg(melody, heading=False) for melody in episodes.decode())


def _piano_rolls(episodes: MelodyEpisodes) -> tuple[Picture, ...]:
    low, high = episodes.pitch_range
    rolls = np.full((episodes.melodies, high - low + 1, episodes.steps), _BACKGROUND, dtype=np.uint8)
    rolls[:, :, :: episodes.steps_per_bar or episodes.steps] = _BAR_LINE
    ticks = episodes.encoding.ticks_per_step
    for roll, melody in zip(rolls, episodes.decode(), strict=True):
        for note in melody.sounding:
            for pitch in note.pitches:
                if low <= pitch <= high:
                    roll[high - pitch, note.onset // ticks : -(-note.end // ticks)] = _NOTE
    large = rolls.repeat(_PIXELS, axis=1).repeat(_PIXELS, axis=2)
    return tuple(np.stack([large] * 3, axis=-1))


_MODES: dict[str, Callable[[MelodyEpisodes], tuple[Any, ...]]] = {
    "ansi": _names,
    "rgb_array": _piano_rolls,
    "svg": _scores,
}

METADATA: dict[str, Any] = {
    "render_modes": list(_MODES),
    "render_fps": 8,  # sixteenths a second at 120 quarter notes a minute
}
"""The render modes as Gymnasium's metadata."""


Observation = dict[str, NDArray[np.generic]]
"""The entries of an observation by name; see `MelodyEnv`."""


class MelodyEnv(gymnasium.Env[Observation, np.int64]):
    """Compose a melody that a trained model finds probable and that follows rules of music theory.

    ## Description
    The task of RL Tuner (Jaques et al., arXiv 1611.02796): a melody grows by one token a step; on the grid of
    sixteenths a token is a note, a hold or an off. The reward of a token is its log probability under a trained model
    (the prior, which never changes) plus the rewards of rules of music theory. The environment is deterministic: the
    same actions always give the same rewards.

    ## Action Space
    `Discrete(vocabulary)`: the next token. The grid of the default bundle has 38: 0 is off, 1 is hold, and 2 to 37
    start the notes C3 to B5. `encoding.vocabulary` has their names.

    Of the encoding `notes` only some tokens may be next: durations that fit, or pitches. `info["action_mask"]` has 1
    for these, `(vocabulary,)` int8, from `reset` on; any other token counts as the one with the nearest number that may
    be next.

    ## Observation Space
    A `Dict`:

    - `tokens`, `MultiDiscrete([vocabulary + 1] * memory)`: the latest tokens, the newest last; `vocabulary` where there
      is none yet.
    - `left`, `Discrete(steps + 1)`: the number of remaining tokens; of notes the remaining ticks, 6 a step.
    - `log_p`, `Box(-30, 0, (vocabulary,), float32)`: the prior's log probability of each next token, in nats.
    - `place`, `Discrete(steps in a bar)`: the position of the next token in its bar, 0 on the downbeat; of notes in
      ticks, where the next note begins until all its tokens are given. Omitted if tokens have no duration (the encoding
      `events`).

    If `memory` is at least the number of tokens, as it is by default up to 32 steps on the grid, the observation is the
    whole state, and the environment is a Markov decision process. A recurrent agent can use `memory=1`, as in RL Tuner.
    `gymnasium.wrappers.FlattenObservation` converts it to one `Box`, integers one-hot.

    ## Rewards
    The paper's, at every step: r = log p(a given s) + r_MT / c, where r_MT is the sum of the rules' rewards, each
    clipped to at most `clip` in magnitude. `info` has the parts:

    - `log_p`: log probability of the chosen token, in nats.
    - `terms`: the weighted reward of each rule at this step, by name, neither clipped nor divided by c.
    - `melody`: the `(steps,)` tokens, of notes as many as there are; at the end only.

    Of notes a note gets the rewards of all its steps with its last token.

    Rules read what sounded up to the step and the length of the melody, so the terms equal those of the finished
    melody.

    ## Starting State
    An empty melody. `reset(seed=...)` seeds `np_random`, which is not used.

    ## Episode End
    Terminates after `steps` tokens, of notes when these last so many steps. Never truncates.

    ## Arguments
    - `bundle`: the trained model: a name, a path or a `Bundle`. Of a tuned bundle, such as the default
      `tunes+rl-tuner`, the untuned model is the prior.
    - `rules`: a `RuleSet`, or an argument of `load_rules` such as `rl-tuner`, `paper` or `my_rules.py:no_tritones`.
    - `steps`: length of the melody, 1 to 4096; of notes in sixteenths.
    - `c`: divisor of the rules' rewards; 0.5 as in the published runs.
    - `clip`: maximum magnitude of a rule's reward at a step, so that a reward of -100 does not dominate.
    - `memory`: number of latest tokens in an observation, at most those of a melody.
    - `key`: the key of the rules, such as `D minor`; C major by default. For a model that only knows C major and A
      minor, such as `tunes`, the one of the same mode is used.
    - `meter`: the time signature.
    - `render_mode`: `ansi` for the names of the tokens, a line for each bar; `svg` for the score as SVG text;
      `rgb_array` for a piano roll.

    ## Version History
    - v0: initial version.

    Raises:
        UsageError: an argument is invalid.
        BundleError: the bundle is missing or cannot be read.

    Examples:
        >>> env = MelodyEnv("tunes+rl-tuner", rules="rl-tuner", steps=32)
        >>> observation, _ = env.reset()
        >>> c4 = env.encoding.vocabulary.index("C4")
        >>> observation, reward, terminated, truncated, info = env.step(c4)
        >>> info["terms"]["tonic"], terminated
        (3.0, False)
    """

    metadata: dict[str, Any] = METADATA

    def __init__(
        self,
        bundle: Bundle | str | Path = DEFAULT_BUNDLE,
        rules: RuleSet | str = "rl-tuner",
        *,
        steps: int = 32,
        c: float = 0.5,
        clip: float = 10.0,
        memory: int = 32,
        key: str = "",
        meter: str = "4/4",
        render_mode: str | None = None,
    ) -> None:
        self.episodes = MelodyEpisodes.from_names(
            bundle, rules, melodies=1, steps=steps, memory=memory, c=c, clip=clip, key=key, meter=meter
        )
        self.action_space = spaces.Discrete(self.episodes.vocabulary_size)
        self.observation_space = observation_space(self.episodes)
        self.render_mode = check_mode(render_mode)

    @property
    def encoding(self) -> Encoding:
        """The encoding, which defines the tokens."""
        return self.episodes.encoding

    @property
    def melody(self) -> Melody:
        """The melody so far; `cantilena.write` saves it as MIDI, score or audio."""
        return self.episodes.decode()[0]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an empty melody; return the first observation and `info`, empty but of notes. There are no options."""
        super().reset(seed=seed)
        self.episodes.reset()
        return self._observation(), self._mask()

    def step(self, action: np.int64 | int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Append a token; return observation, reward, terminated, truncated (always False) and `info`.

        Raises:
            UsageError: there is no such token, or the melody is finished.
        """
        rewards = self.episodes.append(np.atleast_1d(action))
        info: dict[str, Any] = {
            "log_p": float(rewards.log_p[0]),
            "terms": {name: float(term[0]) for name, term in rewards.terms.items()},
            **self._mask(),
        }
        if self.episodes.finished:
            info["melody"] = self.episodes.tokens[0]
        return self._observation(), float(rewards.reward[0]), self.episodes.finished, False, info

    def render(self) -> str | Picture | None:
        """The melody so far in the render mode; None without one."""
        return render(self.episodes, self.render_mode)[0] if self.render_mode else None

    def _mask(self) -> dict[str, Any]:
        return {name: mask[0] for name, mask in action_masks(self.episodes).items()}

    def _observation(self) -> Observation:
        return {name: values[0] for name, values in self.episodes.observation().items()}


def action_masks(episodes: MelodyEpisodes) -> dict[str, NDArray[np.int8]]:
    """The entry `action_mask` of `info`, `(melodies, vocabulary)`: 1 for tokens that may be next; none if all may."""
    return {"action_mask": episodes.may_come.astype(np.int8)} if episodes.has_mask else {}


def observation_space(episodes: MelodyEpisodes) -> spaces.Space[Observation]:
    """The space of a row of `episodes.observation()`."""
    vocabulary = episodes.vocabulary_size
    entries: dict[str, spaces.Space[Any]] = {
        "tokens": spaces.MultiDiscrete(np.full(episodes.memory, vocabulary + 1)),
        "left": spaces.Discrete(episodes.steps * episodes.counts_per_step + 1),
        "log_p": spaces.Box(MIN_LOG_P, 0.0, (vocabulary,), np.float32),
    }
    if episodes.steps_per_bar is not None:
        entries["place"] = spaces.Discrete(episodes.steps_per_bar * episodes.counts_per_step)
    return cast("spaces.Space[Observation]", spaces.Dict(entries))
