"""The Gymnasium environment: one melody, one token a step, for agents of other libraries."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from cantilena.envs.growing_melodies import LEAST_LOG_P, MelodyEpisodes
from cantilena.envs.rendering import METADATA, Picture, checked_mode, render
from cantilena.models import Bundle
from cantilena.music import Melody
from cantilena.rules import RuleSet
from cantilena.tokenizers import Encoding

Observation = dict[str, NDArray[np.generic]]
"""What an agent is shown, by name; `MelodyEnv` says what there is."""


class MelodyEnv(gymnasium.Env[Observation, np.int64]):
    """Compose a melody that a trained model finds probable and that keeps rules of music theory.

    ## Description
    The task of RL Tuner (Jaques et al., arXiv 1611.02796): a melody grows by one token a step, on the grid of
    sixteenths by a note, a hold or an off. Each token is rewarded for its probability under a trained model, the prior,
    which never changes, and for what rules of music theory say of it. Nothing is left to chance: the same actions
    always give the same rewards.

    ## Action Space
    `Discrete(vocabulary)`: the token that comes next. The grid of the bundle `tunes` has 38: 0 is off, 1 is hold, and 2
    to 37 begin the notes C3 to B5. `encoding.vocabulary` names them.

    ## Observation Space
    A `Dict`, what an agent knows before it chooses the next token:

    - `tokens`, `MultiDiscrete([vocabulary + 1] * memory)`: the latest tokens, the newest last; `vocabulary` stands
      where there is none yet.
    - `left`, `Discrete(steps + 1)`: how many tokens are still to come.
    - `log_p`, `Box(-30, 0, (vocabulary,), float32)`: the prior's log p of each token that may come next, in nats.
    - `place`, `Discrete(steps in a bar)`: where in its bar the next token lies, 0 on the downbeat. Left out where
      tokens tell no time (the encoding `events`).

    Where `memory` is as long as the melody, as it is by default up to 32 steps, this is the whole state: the
    environment is a Markov decision process. A recurrent agent can do with `memory=1`, as in RL Tuner.
    `gymnasium.wrappers.FlattenObservation` makes one `Box` of it, whole numbers one-hot.

    ## Rewards
    The paper's, at every step: r = log p(a given s) + r_MT / c, where r_MT is the sum of what the rules say, each rule
    clipped to at most `clip` up or down. `info` has the parts:

    - `log_p`: log p of the token that was chosen, in nats.
    - `terms`: what each rule says of this step, by name and whole: weights counted, neither clipped nor divided by c.
    - `melody`: the `(steps,)` tokens; at the end only.

    Rules read what has sounded up to the step, and how long the melody will be. So the terms are exactly those that the
    finished melody gets when it is judged whole.

    ## Starting State
    An empty melody. `reset(seed=...)` seeds `np_random`, on which nothing here depends.

    ## Episode End
    Terminates after `steps` tokens, when the rules of the end have spoken. Nothing truncates.

    ## Arguments
    - `bundle`: the trained model: a name, a path or a `Bundle`. Of a tuned one, the model before tuning is the prior.
    - `rules`: a `RuleSet`, or what names one to `load_rules`, such as `rl-tuner`, `paper` or `my_rules.py:no_tritones`.
    - `steps`: tokens of a melody, 1 to 4096.
    - `c`: what the rules are divided by; 0.5 as in the published runs.
    - `clip`: no rule gives or takes more than this at a step, so that one rule's -100 does not drown the rest.
    - `memory`: how many of the latest tokens are shown, `steps` at the most.
    - `key`: the key that the rules ask for, such as `D minor`; C major where none is given. For a model that knows C
      major and A minor alone, as `tunes`, it is the one of these with the same mode.
    - `meter`: the time signature.
    - `render_mode`: `ansi` for the tokens by name, a bar a line; `svg` for the score as SVG text; `rgb_array` for a
      piano roll.

    ## Version History
    - v0: the first.

    Raises:
        UsageError: an argument that cannot be.
        BundleError: the bundle is missing or cannot be read.

    Example:
        >>> env = MelodyEnv("tunes", rules="rl-tuner", steps=32)
        >>> observation, _ = env.reset()
        >>> c4 = env.encoding.vocabulary.index("C4")
        >>> observation, reward, terminated, truncated, info = env.step(c4)
        >>> info["terms"]["tonic"], terminated
        (3.0, False)
    """

    metadata: dict[str, Any] = METADATA

    def __init__(
        self,
        bundle: Bundle | str | Path = "tunes",
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
        self.episodes = MelodyEpisodes.of(
            bundle, rules, melodies=1, steps=steps, memory=memory, c=c, clip=clip, key=key, meter=meter
        )
        self.action_space = spaces.Discrete(self.episodes.vocabulary_size)
        self.observation_space = observation_space(self.episodes)
        self.render_mode = checked_mode(render_mode)

    @property
    def encoding(self) -> Encoding:
        """What the tokens mean."""
        return self.episodes.encoding

    @property
    def melody(self) -> Melody:
        """What has been composed so far; `cantilena.write` saves it as MIDI, score or sound."""
        return self.episodes.decoded()[0]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an empty melody; gives the first observation and an empty `info`. There are no options."""
        super().reset(seed=seed)
        self.episodes.start()
        return self._observation(), {}

    def step(self, action: np.int64 | int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Append a token; gives the observation, the reward, whether the melody is finished, False, and `info`.

        Raises:
            UsageError: there is no such token, or the melody is finished.
        """
        earned = self.episodes.append(np.atleast_1d(action))
        info: dict[str, Any] = {
            "log_p": float(earned.log_p[0]),
            "terms": {name: float(term[0]) for name, term in earned.terms.items()},
        }
        if self.episodes.finished:
            info["melody"] = self.episodes.tokens[0]
        return self._observation(), float(earned.reward[0]), self.episodes.finished, False, info

    def render(self) -> str | Picture | None:
        """The melody so far, as `render_mode` asks; None where it asks nothing."""
        return render(self.episodes, self.render_mode)[0] if self.render_mode else None

    def _observation(self) -> Observation:
        return {name: values[0] for name, values in self.episodes.observation().items()}


def observation_space(episodes: MelodyEpisodes) -> spaces.Space[Observation]:
    """What `episodes.observation` can be, for one melody."""
    vocabulary = episodes.vocabulary_size
    shown: dict[str, spaces.Space[Any]] = {
        "tokens": spaces.MultiDiscrete(np.full(episodes.memory, vocabulary + 1)),
        "left": spaces.Discrete(episodes.steps + 1),
        "log_p": spaces.Box(LEAST_LOG_P, 0.0, (vocabulary,), np.float32),
    }
    if episodes.steps_per_bar is not None:
        shown["place"] = spaces.Discrete(episodes.steps_per_bar)
    return cast("spaces.Space[Observation]", spaces.Dict(shown))
