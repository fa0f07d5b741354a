"""All that a studio has: its models, its memory, its bench; one object that every route is given."""

from __future__ import annotations

import threading
from typing import Annotated

from fastapi import Depends, Request

from cantilena.studio.bench import Bench
from cantilena.studio.composers import DEFAULT, Composers
from cantilena.studio.home import Home
from cantilena.studio.judging import Judge, warm_up
from cantilena.studio.made_models import MadeModels


class Studio:
    """What the routes work with.

    Args:
        home: the studio's folder.
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        self.made = MadeModels(home.models)
        self.composers = Composers(self.made)
        self.judge = Judge()
        self.bench = Bench()
        self.trouble: str | None = None

    def open(self) -> None:
        """Get ready; what takes long is done behind the page."""
        if self.home.take():
            self.made.sweep()
        self.home.share()
        threading.Thread(target=self._warm_up, daemon=True, name="warm-up").start()

    def close(self) -> None:
        """End what runs."""
        self.bench.close()
        self.home.leave()

    def _warm_up(self) -> None:
        self.composers.shown(DEFAULT).composer.compose(bars=1)
        warm_up()


def _of_request(request: Request) -> Studio:
    studio = request.app.state.studio
    assert isinstance(studio, Studio)
    return studio


Here = Annotated[Studio, Depends(_of_request)]
"""A route's parameter: the studio that it belongs to."""
