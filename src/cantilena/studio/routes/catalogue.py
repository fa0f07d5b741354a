"""What there is: models, rules, and the studio itself."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter

from cantilena.errors import __version__
from cantilena.models import only_bounds_likelihood
from cantilena.models.shipped import DEFAULT
from cantilena.rules import RULE_SETS
from cantilena.server import UNKNOWN
from cantilena.studio.options import LIMITS
from cantilena.studio.schemas.responses import (
    About,
    Gone,
    Models,
    ModelShown,
    RuleSetShown,
    RuleSetsShown,
    RuleShown,
    StyleShown,
)
from cantilena.studio.services.executor import Deadline
from cantilena.studio.services.models import ShownModel
from cantilena.studio.state import Here

ROUTES = APIRouter(prefix="/api", tags=["what there is"])
"""The addresses of this file."""

_SETS = {
    "cantilena": "Ours: what makes people's melodies sing, each held to what people do",
    "rl-tuner": "The nine rules of Google's RL Tuner",
    "paper": "The three rules of the paper: key, tonic, repetition",
}


@ROUTES.get("/models")
async def models(studio: Here) -> Models:
    """The models that compose, the default first, those that were tuned here last."""

    def found(_: Deadline) -> list[ShownModel]:
        return studio.composers.all()

    return Models(models=[_shown(model) for model in await studio.looking.run(found)])


@ROUTES.delete("/models/{name}", responses=UNKNOWN)
async def delete_model(name: str, studio: Here) -> Gone:
    """Delete a model that was tuned here."""
    studio.made.delete(name)
    studio.composers.forget(name)
    return Gone(deleted=name)


@ROUTES.get("/rules")
async def rules() -> RuleSetsShown:
    """The sets of rules, and every rule in one line."""
    return RuleSetsShown(
        default="cantilena",
        sets=[
            RuleSetShown(
                name=name,
                says=_SETS.get(name, ""),
                rules=[
                    RuleShown(name=rule.name, says=rule.description, weight=rule.weight, source=rule.source)
                    for rule in RULE_SETS[name].rules
                ],
            )
            for name in _SETS
        ],
    )


@ROUTES.get("/about")
async def about(studio: Here) -> About:
    """The version, the limits of requests, and what a person should know."""
    limits = {name: float(value) for name, value in asdict(LIMITS).items()}
    return About(version=__version__, device="cpu", limits=limits, trouble=studio.trouble)


def _shown(model: ShownModel) -> ModelShown:
    composer = model.composer
    return ModelShown(
        name=model.name,
        title=model.title,
        tuned=model.tuned,
        untuned=model.untuned,
        encoding=composer.encoding.name,
        low=model.low,
        high=model.high,
        styles=[
            StyleShown(
                name=style.name,
                key=style.key.name if style.key else None,
                meter=str(style.meter) if style.meter else None,
            )
            for style in composer.styles
        ],
        key=composer.key.name if composer.key else None,
        meter=str(composer.meter) if composer.meter else None,
        licence=model.licence,
        has_codes=only_bounds_likelihood(composer.model),
        says=model.says,
        default=model.name == DEFAULT,
        made_here=model.made_here,
    )
