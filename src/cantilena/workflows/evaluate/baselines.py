"""The baselines that learn from a corpus in moments, as systems: what a model must beat."""

from __future__ import annotations

from cantilena.errors import UsageError
from cantilena.models import TopTokens
from cantilena.workflows.data import Material
from cantilena.workflows.evaluate.contestants import BASELINES
from cantilena.workflows.evaluate.systems import System, model_system, oracle_system
from cantilena.workflows.train.blend import counted

_BAR = 16
"""Steps of a snippet of the oracle."""


def baseline_system(name: str, material: Material, seed: int) -> System:
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
        return model_system(name, BASELINES[name], counted(material), encoding, seed)
    raise UsageError(f"'{name}' is no baseline that draws", "choose oracle, random-top10 or ngram")
