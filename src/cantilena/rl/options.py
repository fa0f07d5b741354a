"""What tuning can be asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from cantilena.errors import UsageError
from cantilena.rl.algorithm_options import PolicyOptions, ValueOptions, WatchOptions
from cantilena.rl.critic_options import LEARN_FROM_CRITICS, NO_RULES, CriticOptions

Algorithm = Literal["rloo", "ppo", "q", "double-q", "psi", "g", "rejection"]

DEFAULT_C = {"rloo": 3.0, "ppo": 3.0, "q": 0.5, "double-q": 0.5, "psi": 0.5, "g": 0.5, "rejection": 3.0}
"""The weight of the music theory reward is 1 / c; what each algorithm takes where none is given."""

_LARGE = 1e9
"""No number is larger: records are JSON, which knows no infinity."""


@dataclass(frozen=True)
class TuningOptions:
    """How a trained model is tuned on rules of music theory."""

    algorithm: Algorithm = "rloo"
    """`rloo`: policy gradient on whole melodies. `ppo`: the same with clipped steps and learned values. `q`: the
    paper's deep Q-learning; `double-q`, `psi`, `g` are its kin. `rejection`: learn again from the best of one's own."""

    rules: str = "rl-tuner"
    """A rule set (`cantilena`, `rl-tuner`, `paper`), a TOML file, a rule of your own `FILE.py:NAME`, or several joined
    by +; `none` where the critic alone rewards."""

    weights: tuple[str, ...] = ()
    """Weights on single rules, such as `tonic=5 leap=1.5`; 1 is the published value."""

    key: str = ""
    """The key that the rules ask for, such as "D minor"; C major where none is given."""

    meter: str = "4/4"
    """The time signature that the melodies are in."""

    c: float | None = None
    """The reward is log p + r / c: the larger, the closer to the trained model. 3 for `rloo` and `ppo`, 0.5 for the
    learners of values; a fifth of that for the set `cantilena`, whose rewards are smaller."""

    target_kl: float | None = None
    """Nats a step from the trained model that shall not be passed: c rises while they are, and falls back after."""

    clip: float = 10.0
    """No rule takes more than this from a step while learning (the metrics count the whole)."""

    updates: int = 200
    """Gradient updates, each on fresh melodies."""

    melodies: int = 512
    """Melodies sampled for an update."""

    steps: int = 32
    """Steps of each melody, 8 to 512."""

    learning_rate: float | None = None
    """Adam's step size, which falls to a tenth in a half cosine: 0.003 for `rloo`, 0.001 for the others and with
    a critic, which must keep up."""

    max_norm: float = 5.0
    """Gradients longer than this are shortened to it."""

    reference_mode: bool = False
    """Learn as the published RL Tuner does: one transition at a time, with its settings (`q`, `psi`, `g`)."""

    seed: int = 1
    """The same seed gives the same model."""

    device: str = "auto"
    """`cpu`, `cuda`, `mps`, or `auto`."""

    value: ValueOptions = field(default_factory=ValueOptions)
    """What only learners of values read."""

    policy: PolicyOptions = field(default_factory=PolicyOptions)
    """What only learners of policies read."""

    watch: WatchOptions = field(default_factory=WatchOptions)
    """How tuning is watched."""

    critic: CriticOptions = field(default_factory=CriticOptions)
    """How discriminators reward."""

    def __post_init__(self) -> None:
        if self.algorithm not in DEFAULT_C:
            raise UsageError(f"there is no algorithm '{self.algorithm}'", f"choose one of {', '.join(DEFAULT_C)}")
        if self.reference_mode and self.algorithm not in ("q", "psi", "g"):
            raise UsageError(f"the reference has no {self.algorithm}", "choose --algorithm q, psi or g")
        if self.c is not None and not 1e-6 <= self.c <= 1e6:
            raise UsageError(f"c {self.c:g}", "give 0.000001 to 1000000; 3 is a good start for rloo, 0.5 for q")
        if self.target_kl is not None and not 0.0 < self.target_kl <= 100.0:
            raise UsageError(f"a target KL of {self.target_kl:g}", "give nats a step above 0, such as 0.5")
        if not 0.0 < self.clip <= _LARGE:
            raise UsageError(f"clip {self.clip:g}", "give a number above 0; 1e9 clips nothing")
        if not (1 <= self.updates <= 10**7 and 2 <= self.melodies <= 65536):
            raise UsageError("a number out of range", "give 1 update or more, and 2 to 65536 melodies")
        if not 8 <= self.steps <= 512:
            raise UsageError(f"melodies of {self.steps} steps", "give 8 to 512")
        if self.learning_rate is not None and not 0.0 < self.learning_rate < 1.0:
            raise UsageError(f"learning rate {self.learning_rate:g}", "give a number above 0, below 1")
        if not 0.0 < self.max_norm <= _LARGE:
            raise UsageError(f"max-norm {self.max_norm:g}", "give a number above 0; 1e9 shortens nothing")
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"seed {self.seed} is out of range", "seeds run from 0 to 2^63 - 1")
        if self.critic.critic and (self.algorithm not in LEARN_FROM_CRITICS or self.reference_mode):
            raise UsageError(
                f"{self.algorithm} cannot learn from a critic that learns too",
                f"choose --algorithm {', '.join(LEARN_FROM_CRITICS[:-1])} or {LEARN_FROM_CRITICS[-1]}",
            )
        if self.rules.strip() == NO_RULES and not self.critic.critic:
            raise UsageError("neither rules nor a critic: nothing to learn from", "name --rules, or add --critic")
        if self.policy.group > self.melodies or (self.policy.group and self.melodies % self.policy.group):
            raise UsageError(
                f"groups of {self.policy.group} out of {self.melodies} melodies", "give groups that divide the melodies"
            )
        for weight in self.weights:
            name, _, value = weight.partition("=")
            if not name or not _is_weight(value):
                raise UsageError(f"weight '{weight}'", "write RULE=NUMBER, such as tonic=5")

    def c_for(self, scale: float = 1.0) -> float:
        """C as given, or the algorithm's own times the scale of a rule set's rewards."""
        return DEFAULT_C[self.algorithm] * scale if self.c is None else self.c

    @property
    def step_size(self) -> float:
        """The learning rate as given, or the algorithm's own."""
        own = 3e-3 if self.algorithm == "rloo" and not self.critic.critic else 1e-3
        return own if self.learning_rate is None else self.learning_rate

    @property
    def rule_weights(self) -> dict[str, float]:
        """The weights by rule."""
        return {name: float(value) for name, _, value in (weight.partition("=") for weight in self.weights)}


def _is_weight(text: str) -> bool:
    try:
        return abs(float(text)) <= _LARGE  # neither infinite nor NaN, and sums of rewards stay finite
    except ValueError:
        return False
