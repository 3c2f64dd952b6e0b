"""The simulator as an HTTP server: an ASGI application, and uvicorn to run it.

Needs the extra `sim` (`pip install ".[sim]"` from a checkout).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import importlib.util
import socket
import threading
from collections.abc import Awaitable, Callable, Generator, MutableMapping
from typing import TYPE_CHECKING, Any

from agentkit.errors import ConfigurationError
from agentkit.simulator.reply import Cut, Pause, Reply

if TYPE_CHECKING:
    import uvicorn

    from agentkit.simulator.core import Simulator

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def app(simulator: Simulator) -> App:
    """The simulator as an ASGI application, for any ASGI server.

    A connection is cut by returning in the middle of a body, which servers answer by closing the socket. When the
    client goes away, the rest of the reply is not made.
    """

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"the simulator speaks HTTP, not {scope['type']}")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        body = await _body(receive)
        if body is None:
            return
        reply = simulator.handle(scope["method"], scope["path"], headers, body)
        if not reply.streamed and not reply.faults:
            await _send(reply, send)
            return
        sending = asyncio.ensure_future(_send(reply, send))
        leaving = asyncio.ensure_future(_gone(receive))
        await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        if not sending.done():
            sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sending

    return application


async def _body(receive: Receive) -> bytes | None:
    """The whole request body; `None` where the client went away first."""
    message = await receive()
    if message["type"] == "http.disconnect":
        return None
    if not message.get("more_body"):
        return message.get("body", b"")
    parts: list[bytes] = [message.get("body", b"")]
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
    return b"".join(parts)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _start(reply: Reply) -> MutableMapping[str, Any]:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers]
    if reply.length:
        headers.append((b"content-length", str(len(reply.body)).encode()))
    return {"type": "http.response.start", "status": reply.status, "headers": headers}


async def _send(reply: Reply, send: Send) -> None:
    """Carry out a reply. After a cut nothing more is sent, not even the end of the body."""
    if reply.wait:
        await asyncio.sleep(reply.wait)
    await send(_start(reply))
    steps = reply.steps
    if not reply.streamed and isinstance(steps, tuple) and all(isinstance(step, bytes) for step in steps):
        await send({"type": "http.response.body", "body": reply.body, "more_body": False})  # in one go: it is cheaper
        return
    for number, step in enumerate(steps):
        if isinstance(step, bytes):
            await send({"type": "http.response.body", "body": step, "more_body": True})
            if number % 4 == 0:  # so that others get their turn, and a client that left is noticed
                await asyncio.sleep(0)
        elif isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
        elif isinstance(step, Cut):  # pyright: ignore[reportUnnecessaryIsInstance] - reads as the three kinds there are
            return
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def serve(
    simulator: Simulator,
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until a signal ends the program (Ctrl-C raises `KeyboardInterrupt` here once the server is down).

    Args:
        simulator: What to serve.
        host: The address to listen on.
        port: The port; 0 lets the system choose.
        ready: Called with the base URL, such as `http://127.0.0.1:8000`, when connections are taken.

    Raises:
        ConfigurationError: The port or the address cannot be had, or the extra `sim` is not installed.
    """
    _wants_uvicorn()
    with contextlib.closing(_listen(host, port)) as listener:
        url = _url(listener)
        _server(simulator, lambda: ready(url) if ready else None).run(sockets=[listener])


@contextlib.contextmanager
def running(simulator: Simulator, port: int = 0, host: str = "127.0.0.1") -> Generator[str]:
    """Serve from a thread for the length of a `with` block, which is given the base URL.

    Raises:
        ConfigurationError: As `serve`; also where the server does not start.
    """
    _wants_uvicorn()
    listener = _listen(host, port)
    up = threading.Event()
    server = _server(simulator, up.set)

    def run() -> None:
        try:
            server.run(sockets=[listener])
        finally:
            up.set()

    thread = threading.Thread(target=run, name="agentkit-simulator", daemon=True)
    thread.start()
    try:
        up.wait()
        if not server.started:
            raise ConfigurationError(f"the simulator could not start on {_url(listener)}", code="no-port")
        yield _url(listener)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except (OSError, OverflowError) as error:
        raise ConfigurationError(f"cannot listen on `{host}`, port {port}: {error}", code="no-port") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except (OSError, OverflowError) as error:
        listener.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise ConfigurationError(
                f"port {port} of `{host}` is in use: choose another (`--port`), or stop the program that has it",
                code="no-port",
            ) from error
        raise ConfigurationError(f"cannot listen on `{host}`, port {port}: {error}", code="no-port") from error
    return listener


def _wants_uvicorn() -> None:
    if importlib.util.find_spec("uvicorn") is None:
        raise ConfigurationError(
            'the simulator\'s server needs the extra `sim`: `python -m pip install ".[sim]"` in a checkout of agentkit',
            code="no-extra",
        )


def _server(simulator: Simulator, up: Callable[[], object]) -> uvicorn.Server:
    """A server that says when it is up, so that nobody has to ask again and again."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            up()

    config = uvicorn.Config(
        app(simulator),  # pyright: ignore[reportArgumentType] - uvicorn's types want TypedDicts for the same mappings
        log_level="critical",
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=1,
    )
    return Server(config)
