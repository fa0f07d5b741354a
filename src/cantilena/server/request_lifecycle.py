"""Read each request body whole, up to a limit, and cancel the work on a request when its client disconnects."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cantilena.server.error_responses import error_response


class CancelOnDisconnect:
    """ASGI middleware that cancels the application when the client disconnects before it has the whole response.

    Starlette cancels only streaming responses. A page that is closed, or that sends a newer request, should also stop
    the work on a response in one piece. To notice that, the body must have been read.

    Starlette's own limit of the body is not used: it replaces every response to a request whose Content-Length is too
    large with plain text.

    Args:
        app: the application.
        max_body_size: bytes that a request body may have.
    """

    def __init__(self, app: ASGIApp, max_body_size: int) -> None:
        self.app = app
        self.max_body_size = max_body_size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = await self._read_body(scope, receive, send)
        if body is None:
            return
        request: Message | None = {"type": "http.request", "body": body, "more_body": False}
        disconnected, is_complete = asyncio.Event(), False

        async def receive_body() -> Message:
            nonlocal request
            if request is not None:
                message, request = request, None
                return message
            await disconnected.wait()
            return {"type": "http.disconnect"}

        async def send_response(message: Message) -> None:
            nonlocal is_complete
            await send(message)
            is_complete = message["type"] == "http.response.body" and not message.get("more_body", False)

        async def watch_client() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            disconnected.set()

        work = asyncio.ensure_future(self.app(scope, receive_body, send_response))
        watch = asyncio.ensure_future(watch_client())
        try:
            await asyncio.wait((work, watch), return_when=asyncio.FIRST_COMPLETED)
            if work.done() or is_complete:
                await work
            else:
                work.cancel()
                with suppress(asyncio.CancelledError):
                    await work
        finally:
            work.cancel()
            watch.cancel()

    async def _read_body(self, scope: Scope, receive: Receive, send: Send) -> bytes | None:
        """Return the body; None if the client has disconnected, or if it is too large, which is answered."""
        declared = Headers(scope=scope).get("content-length", "")
        is_small = not declared.isdecimal() or (len(declared) < 20 and int(declared) <= self.max_body_size)
        body, has_more = bytearray(), True
        while is_small and has_more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            has_more = message.get("more_body", False)
            is_small = len(body) <= self.max_body_size
        if is_small:
            return bytes(body)
        response = error_response(413, "the request is too large", f"send {self.max_body_size:,} bytes or less")
        await response(scope, receive, send)
        return None
