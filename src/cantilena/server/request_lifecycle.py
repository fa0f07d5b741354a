"""Callers: what they send must arrive whole before it is read, and who goes away is not worked for any longer."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cantilena.server.error_responses import refused


class Callers:
    """Middleware that hands over requests whole, and ends the work for a caller who has gone.

    A browser that is closed, or a page that asks for something newer, closes its connection. What was begun for it is
    then cancelled, whether it was to be answered in one piece or as a stream.

    Args:
        app: what answers.
        most: bytes that a request may have.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self.app = app
        self.most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as long as somebody waits for it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = await self._body(scope, receive, send)
        if body is None:
            return
        has_gone, is_answered = asyncio.Event(), False
        handed_over = False

        async def again() -> Message:
            nonlocal handed_over
            if not handed_over:
                handed_over = True
                return {"type": "http.request", "body": body, "more_body": False}
            await has_gone.wait()
            return {"type": "http.disconnect"}

        async def sent(message: Message) -> None:
            nonlocal is_answered
            await send(message)
            is_answered = message["type"] == "http.response.body" and not message.get("more_body", False)

        async def leaving() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            has_gone.set()

        answering = asyncio.ensure_future(self.app(scope, again, sent))
        watching = asyncio.ensure_future(leaving())
        try:
            await asyncio.wait((answering, watching), return_when=asyncio.FIRST_COMPLETED)
            if not answering.done() and not is_answered:
                answering.cancel()
                with suppress(asyncio.CancelledError):
                    await answering
            else:
                await answering
        finally:
            answering.cancel()
            watching.cancel()

    async def _body(self, scope: Scope, receive: Receive, send: Send) -> bytes | None:
        """All that a caller sends; None where it is too much, which is answered, or where the caller has gone."""
        told = Headers(scope=scope).get("content-length", "")
        body, more = bytearray(), True
        is_small = not told.isdecimal() or (len(told) < 20 and int(told) <= self.most)
        while is_small and more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            more = message.get("more_body", False)
            is_small = len(body) <= self.most
        if is_small:
            return bytes(body)
        await refused(413, "the request is too large", f"send {self.most:,} bytes or less")(scope, receive, send)
        return None
