"""All that a studio has: its models, its memory, its bench; one object that every route is given."""

from __future__ import annotations

import threading
from typing import Annotated

from fastapi import Depends, Request

from cantilena.models.shipped import DEFAULT
from cantilena.runtime import say
from cantilena.studio.export.engraving import Engraver
from cantilena.studio.home import Home
from cantilena.studio.options import LIMITS
from cantilena.studio.pages import Pages
from cantilena.studio.services.executor import Bench
from cantilena.studio.services.history import History
from cantilena.studio.services.jobs import Tunings
from cantilena.studio.services.judge import RememberingJudge, warm_up
from cantilena.studio.services.made_models import MadeModels
from cantilena.studio.services.models import Composers


class Studio:
    """What the routes work with.

    Args:
        home: the studio's folder.
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        self.made = MadeModels(home.models)
        self.composers = Composers(self.made)
        self.judge = RememberingJudge()
        self.bench = Bench()
        self.reading = Bench(1, LIMITS.jobs)
        self.looking = Bench(1, LIMITS.waiting)
        self.engraver = Engraver()
        self.tunings = Tunings(self.composers)
        self.pages = Pages(self.tunings.cancel_of)
        self.history = History(home.history, self.tell)
        self.trouble: str | None = None

    def open(self) -> None:
        """Get ready; what takes long is done behind the page."""
        if self.home.take():
            self.made.sweep()
        self.home.share()
        threading.Thread(target=self._warm_up, daemon=True, name="warm-up").start()

    def tell(self, trouble: str) -> None:
        """Say what a person should know, in the terminal and on the page."""
        say(trouble)
        self.trouble = trouble

    def say_goodbye(self) -> None:
        """Let streams and jobs end, and refuse who waits: all that would keep the server waiting."""
        self.tunings.end()
        self.pages.close()
        self.bench.close()
        self.reading.close()
        self.looking.close()
        self.engraver.close()

    async def close(self) -> None:
        """End what runs."""
        self.say_goodbye()
        await self.tunings.close()
        self.history.close()
        self.home.leave()

    def _warm_up(self) -> None:
        self.composers.shown(DEFAULT).composer.compose(bars=1)
        self.engraver.start()
        warm_up()


def _of_request(request: Request) -> Studio:
    studio = request.app.state.studio
    assert isinstance(studio, Studio)
    return studio


Here = Annotated[Studio, Depends(_of_request)]
"""A route's parameter: the studio that it belongs to."""
