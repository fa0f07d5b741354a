"""The environment for many melodies at once: one call of the model and one of the rules for all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from cantilena.envs.growing_melodies import MelodyEpisodes
from cantilena.envs.melody_env import Observation, observation_space
from cantilena.envs.rendering import METADATA, Picture, checked_mode, render
from cantilena.models import Bundle
from cantilena.music import Melody
from cantilena.rules import RuleSet
from cantilena.tokenizers import Encoding

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class MelodyVectorEnv(VectorEnv[Observation, NDArray[np.int64], NDArray[Any]]):
    """Compose many melodies at once: `MelodyEnv`, vectorised.

    ## Description
    `num_envs` melodies grow at the same pace, so all of them end together. Each is rewarded as in `MelodyEnv`.

    ## Action Space
    `MultiDiscrete([vocabulary] * num_envs)`: the next token of each melody.

    ## Observation Space
    The `Dict` of `MelodyEnv`, each entry with one row a melody.

    ## Rewards
    Those of `MelodyEnv`, `(num_envs,)` float64. `info` has arrays of the same parts, and beside each, under its name
    with `_` before it, which melodies it speaks of: all of them, as they keep the same pace.

    ## Starting State
    Empty melodies.

    ## Episode End
    Terminates after `steps` tokens. The melodies are reset by the step that follows, whatever its actions; it gives
    rewards of 0 and an empty `info` (`AutoresetMode.NEXT_STEP`).

    ## Arguments
    - `num_envs`: how many melodies.
    - The rest as in `MelodyEnv`.

    ## Version History
    - v0: the first.

    Raises:
        UsageError: an argument that cannot be.
        BundleError: the bundle is missing or cannot be read.

    Example:
        >>> envs = MelodyVectorEnv(num_envs=3, bundle="tunes", rules="paper", steps=16)
        >>> observations, _ = envs.reset()
        >>> observations, rewards, *_, infos = envs.step(np.array([14, 14, 15]))
        >>> infos["terms"]["tonic"].tolist()
        [3.0, 3.0, 0.0]
    """

    metadata: dict[str, Any] = {**METADATA, "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012

    def __init__(
        self,
        num_envs: int = 1,
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
            bundle, rules, melodies=num_envs, steps=steps, memory=memory, c=c, clip=clip, key=key, meter=meter
        )
        self.num_envs = num_envs
        self.single_action_space = spaces.Discrete(self.episodes.vocabulary_size)
        self.single_observation_space = observation_space(self.episodes)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.render_mode = checked_mode(render_mode)
        self._begin_anew = False

    @property
    def encoding(self) -> Encoding:
        """What the tokens mean."""
        return self.episodes.encoding

    @property
    def melodies(self) -> list[Melody]:
        """What has been composed so far."""
        return self.episodes.decoded()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin empty melodies; gives the first observations and an empty `info`. There are no options."""
        super().reset(seed=seed)
        self.episodes.start()
        self._begin_anew = False
        return self.episodes.observation(), {}

    def step(self, actions: NDArray[np.int64]) -> tuple[Observation, Floats, Flags, Flags, dict[str, Any]]:
        """Append a token to each melody, or begin new ones where they are finished.

        Raises:
            UsageError: there is no such token.
        """
        episodes, never = self.episodes, np.zeros(self.num_envs, dtype=np.bool_)
        if self._begin_anew:
            observation, info = self.reset()
            return observation, np.zeros(self.num_envs), never, never.copy(), info
        earned = episodes.append(np.asarray(actions))
        self._begin_anew = episodes.finished
        info = {"log_p": earned.log_p, "terms": self._marked(earned.terms)}
        if episodes.finished:
            info["melody"] = episodes.tokens
        finished = np.full(self.num_envs, episodes.finished)
        return episodes.observation(), earned.reward, finished, never, self._marked(info)

    def render(self) -> tuple[str | Picture, ...] | None:
        """Each melody so far, as `render_mode` asks; None where it asks nothing."""
        return render(self.episodes, self.render_mode) if self.render_mode else None

    def _marked(self, info: dict[str, Any]) -> dict[str, Any]:
        """Beside each entry, which melodies it speaks of: all."""
        return info | {f"_{name}": np.ones(self.num_envs, dtype=np.bool_) for name in info}
