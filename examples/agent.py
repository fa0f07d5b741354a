"""An agent of another library learns to compose: PPO of Stable-Baselines3 in the environment `cantilena/Melody-v0`.

    python examples/agent.py --out agent.mid

The agent starts untrained, observes the log probabilities of the trained model, and is rewarded for notes that the
model finds probable and for rules of music theory. `MelodyVectorEnv` runs 64 melodies at once, with one call of the
model and the rules for all of them; `Melodies` below adapts it to the `VecEnv` of Stable-Baselines3.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv

from cantilena import write
from cantilena.envs import MelodyVectorEnv

Choose = Callable[[dict[str, Any]], np.ndarray]
"""From an observation to the next tokens."""


class Melodies(VecEnv):
    """A `MelodyVectorEnv` as a `VecEnv`: the last observation of a melody is in `info`."""

    def __init__(self, envs: MelodyVectorEnv) -> None:
        self.envs = envs
        super().__init__(envs.num_envs, envs.single_observation_space, envs.single_action_space)

    def reset(self) -> Any:
        return self.envs.reset()[0]

    def step_async(self, actions: np.ndarray) -> None:
        self.actions = actions

    def step_wait(self) -> Any:
        observation, rewards, finished, _, _ = self.envs.step(self.actions)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if finished.all():  # all episodes are equally long
            for number, info in enumerate(infos):
                info["terminal_observation"] = {name: values[number] for name, values in observation.items()}
            observation = self.reset()
        return observation, rewards.astype(np.float32), finished, infos

    def close(self) -> None:
        self.envs.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [getattr(self.envs, attr_name)] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        setattr(self.envs, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        return [getattr(self.envs, method_name)(*args, **kwargs)] * self.num_envs

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:
        return [False] * self.num_envs


def compose(envs: MelodyVectorEnv, choose: Choose) -> dict[str, float]:
    """Play one episode of every melody; the mean reward of a melody, whole and in its parts."""
    observation, _ = envs.reset()
    sums = {"reward": 0.0, "log p": 0.0, "rules": 0.0}
    finished = np.zeros(envs.num_envs, dtype=np.bool_)
    while not finished.all():
        observation, rewards, finished, _, info = envs.step(choose(observation))
        sums["reward"] += rewards.mean()
        sums["log p"] += info["log_p"].mean()
        sums["rules"] += sum(term.mean() for name, term in info["terms"].items() if not name.startswith("_"))
    return sums


def as_the_model(random: np.random.Generator) -> Choose:
    """Sample from the trained model, by the log p in the observation."""
    return lambda observation: (observation["log_p"] + random.gumbel(size=observation["log_p"].shape)).argmax(axis=1)


def main() -> None:
    """Train, print the reward of a melody before and after, and write one."""
    parser = argparse.ArgumentParser(description="Train PPO of Stable-Baselines3 to compose.")
    parser.add_argument(
        "--bundle", default="tunes+rl-tuner", help="the trained model (default: that of tunes+rl-tuner)"
    )
    parser.add_argument("--rules", default="rl-tuner", help="the rules of music theory (default: rl-tuner)")
    parser.add_argument("--steps", type=int, default=32, help="tokens of a melody (default: 32)")
    parser.add_argument("--melodies", type=int, default=64, help="melodies at once (default: 64)")
    parser.add_argument("--updates", type=int, default=64, help="updates of the agent (default: 64)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same melody (default: 1)")
    parser.add_argument("--out", type=Path, default=Path("agent.mid"), help=".mid, .musicxml, .svg or .wav")
    arguments = parser.parse_args()

    torch.set_num_threads(1)  # the network is too small for several threads
    envs = MelodyVectorEnv(arguments.melodies, arguments.bundle, arguments.rules, steps=arguments.steps)
    agent = PPO(
        "MultiInputPolicy",
        Melodies(envs),
        n_steps=arguments.steps,
        batch_size=min(512, arguments.melodies * arguments.steps),
        n_epochs=4,
        learning_rate=1e-3,
        gamma=1.0,  # no discount: the last note counts as much as the first
        seed=arguments.seed,
        device="cpu",
    )

    def as_the_agent(observation: dict[str, Any]) -> np.ndarray:
        return agent.predict(observation)[0]

    rewards = {"the trained model": compose(envs, as_the_model(np.random.default_rng(arguments.seed)))}
    rewards["the agent before"] = compose(envs, as_the_agent)
    agent.learn(arguments.updates * arguments.melodies * arguments.steps)
    rewards["the agent after"] = compose(envs, as_the_agent)
    for who, parts in rewards.items():
        print(f"{who:18}" + "".join(f"{name:>9} {value:8.1f}" for name, value in parts.items()) + "  a melody")
    write(envs.melodies[0], arguments.out)
    print(f"wrote {arguments.out}")


if __name__ == "__main__":
    main()
