"""Models, rules, and the studio itself."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter

from cantilena.errors import __version__
from cantilena.io import INSTRUMENTS, PATTERNS
from cantilena.rules import RULE_SETS
from cantilena.server import NOT_FOUND
from cantilena.studio.options import LIMITS
from cantilena.studio.schemas.responses import (
    About,
    Deleted,
    InstrumentInfo,
    Instruments,
    Models,
    RuleInfo,
    RuleSetInfo,
    RuleSets,
)
from cantilena.studio.state import StudioDep

router = APIRouter(prefix="/api", tags=["catalogue"])

_RULE_SETS = {
    "cantilena": "Cantilena's own rules: what makes melodies sing, calibrated on human melodies",
    "rl-tuner": "The nine rules of Google's RL Tuner",
    "paper": "The three rules of the paper: key, tonic, repetition",
}


@router.get("/models")
async def models(studio: StudioDep) -> Models:
    """List the models that compose: the default first, those that were tuned here last."""
    return Models(models=await studio.quick_executor.run(lambda _: studio.models.infos()))


@router.delete("/models/{name}", responses=NOT_FOUND)
async def delete_model(name: str, studio: StudioDep) -> Deleted:
    """Delete a model that was tuned here."""
    studio.models.delete(name)
    return Deleted(deleted=name)


@router.get("/rules")
async def rules() -> RuleSets:
    """List the rule sets, and every rule in one line."""
    sets = [
        RuleSetInfo(
            name=name,
            says=text,
            rules=[
                RuleInfo(name=rule.name, says=rule.description, weight=rule.weight, source=rule.source)
                for rule in RULE_SETS[name].rules
            ],
        )
        for name, text in _RULE_SETS.items()
    ]
    return RuleSets(default="cantilena", sets=sets)


@router.get("/instruments")
async def instruments() -> Instruments:
    """List the instruments that play melodies, the default first, and the patterns of accompaniment."""
    return Instruments(
        instruments=[
            InstrumentInfo(name=one.name, title=one.title, program=one.program, chords=one.chords.name)
            for one in INSTRUMENTS.values()
        ],
        accompaniments=list(PATTERNS),
    )


@router.get("/about")
async def about(studio: StudioDep) -> About:
    """Return the version, the limits of requests, and problems that the user should know about."""
    limits = {name: float(value) for name, value in asdict(LIMITS).items()}
    return About(version=__version__, device="cpu", limits=limits, trouble=studio.trouble)
