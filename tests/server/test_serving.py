"""Sockets, URLs, and connections whose request does not arrive."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
import uvicorn

from cantilena.errors import InputError
from cantilena.server import RequestTimeoutProtocol, ServerOptions, listen, server_url


def test_a_port_in_use_is_an_error_with_a_hint() -> None:
    with listen(ServerOptions(port=0)) as listening:
        port = listening.getsockname()[1]
        with pytest.raises(InputError, match=f"127.0.0.1:{port}") as error:
            listen(ServerOptions(port=port))
    assert "--port 0" in error.value.hint


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000/"),
        ("0.0.0.0", "http://127.0.0.1:8000/"),
        ("::", "http://[::1]:8000/"),
        ("music.local", "http://music.local:8000/"),
    ],
)
def test_the_url_can_be_opened(host: str, url: str) -> None:
    assert server_url(ServerOptions(host=host), 8000) == url


def test_connections_are_closed_when_the_request_does_not_arrive_in_time() -> None:
    class ShortTimeout(RequestTimeoutProtocol):
        timeout = 0.3

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await asyncio.sleep(0.6)  # a response may take longer than a request
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    async def exchange(port: int, *pieces: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.2)
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        return answer

    async def run() -> list[bytes]:
        server = uvicorn.Server(uvicorn.Config(app, http=ShortTimeout, lifespan="off", log_level="critical"))
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            running = asyncio.create_task(server.serve([listening]))
            port = listening.getsockname()[1]
            head = b"POST / HTTP/1.1\r\nHost: x\r\n"
            answers = await asyncio.gather(
                exchange(port),
                exchange(port, head),
                exchange(port, head + b"Content-Length: 9\r\n\r\nabc"),
                exchange(port, head + b"Content-Length: 3\r\n\r\n", b"a", b"bc"),
                exchange(port, head + b"Content-Length: 3\r\n\r\na", b"bc"),
            )
            server.should_exit = True
            await running
        return answers

    *incomplete, slow, complete = asyncio.run(run())
    assert incomplete == [b"", b"", b""]
    assert slow == b""  # it arrived, but too late
    assert complete.endswith(b"ok")
