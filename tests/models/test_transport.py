"""The seam to HTTP over real sockets: every test here that takes a `side` holds for each of them."""

import asyncio
import contextlib
import gc
import gzip
import importlib.util
import os
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import dataclass, field

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire import Server, serving

from agentkit.errors import Cancelled, ConfigurationError, ConnectionLost, TimedOut, Unreadable
from agentkit.models.transport import Brought, Patience, Post, Watch, aclose_all, bring, close_all, shared
from agentkit.models.transport.by_aiohttp import Aiohttp
from agentkit.models.transport.by_httpx import Httpx
from agentkit.models.transport.keeping import CONNECTING, AsyncHome, Line
from agentkit.threads import Stop, run_on_shared_loop, start

LONG = 20.0
"""Seconds after which a test that waits for an event has failed."""

SHORT = 0.1
"""A time limit, in seconds, that passes while a test waits."""

ARRIVES = 1.0
"""A time limit, in seconds, before which a request reaches the server even where the machine stands still a while."""

SECRET = "sk-secret-0123456789"

KINDS = ["httpx-sync", "httpx-async", "aiohttp", "brought-sync", "brought-async"]
HTTPX2 = ["httpx2-sync", "httpx2-async"] if importlib.util.find_spec("httpx2") else []


@dataclass
class Heard:
    """What came of one request."""

    status: int = 0
    headers: dict = field(default_factory=dict)
    chunks: list = field(default_factory=list)

    @property
    def body(self):
        return b"".join(self.chunks)


NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # spares the clients that are brought the loading of certificates


class Side:
    """One way to send requests, the same to use for all of them."""

    def __init__(self, kind, **options):
        self.kind, self.options = kind, options
        self.waits = not kind.endswith("sync") or kind.endswith("async")

    @contextlib.contextmanager
    def transport(self):
        if self.kind.startswith(("brought", "httpx2")):
            library = importlib.import_module("httpx2" if self.kind.startswith("httpx2") else "httpx")
            if self.waits:
                yield bring(library.AsyncClient(trust_env=False, verify=NO_TLS, **self.options))
            else:
                with library.Client(trust_env=False, verify=NO_TLS, **self.options) as client:
                    yield bring(client)
        else:
            yield shared("aiohttp" if self.kind == "aiohttp" else "httpx", **self.options)

    def ask(self, url, *, times=1, on_chunk=None, between=None, headers=None, body=b"{}", **options):
        """Send `times` requests, one after another, and read the replies; `on_chunk` may say "leave".

        `between` is called after each, in a thread where this is on an event loop.
        """
        post = Post(url, headers or {"Authorization": f"Bearer {SECRET}"}, body, **options)
        with self.transport() as transport:
            if self.waits:
                return asyncio.run(self.wait(transport, post, times, on_chunk, between))
            heard = []
            for _ in range(times):
                with transport.send(post) as reply:
                    heard.append(Heard(reply.status, reply.headers))
                    for chunk in reply:
                        heard[-1].chunks.append(chunk)
                        if on_chunk and on_chunk(chunk, reply.watch) == "leave":
                            break
                if between:
                    between()
            return heard

    async def wait(self, transport, post, times, on_chunk, between):
        heard = []
        try:
            for _ in range(times):
                async with transport.asend(post) as reply:
                    heard.append(Heard(reply.status, reply.headers))
                    async for chunk in reply:
                        heard[-1].chunks.append(chunk)
                        if on_chunk and on_chunk(chunk, reply.watch) == "leave":
                            break
                if between:
                    await asyncio.to_thread(between)
        finally:
            if self.kind.startswith(("brought", "httpx2")):
                await transport._brought.async_.aclose()
        return heard

    def raises(self, error, url, **options):
        with pytest.raises(error) as caught:
            self.ask(url, **options)
        assert SECRET not in str(caught.value) + repr(caught.value) + repr(caught.value.__cause__)
        return caught.value


@pytest.fixture(params=KINDS)
def side(request):
    return Side(request.param)


@pytest.fixture(scope="module", autouse=True)
def warm():
    """Have the libraries loaded, so that short limits do not pass meanwhile."""
    with serving(echo) as server:
        for kind in KINDS + HTTPX2:
            Side(kind).ask(server.url)


every = pytest.mark.parametrize("side", KINDS + HTTPX2, indirect=True)
"""For what shows that a client is known by its face."""

own = pytest.mark.parametrize("side", ["httpx-sync", "httpx-async", "aiohttp"], indirect=True)
"""For what is ours alone: a client that is brought does it in its own way."""


def echo(exchange):
    exchange.reply(exchange.body)


def progress(_, watch):
    watch.progress()


def leaving(_, watch):
    watch.progress()
    return "leave"


# --- Replies and connections


@every
def test_a_reply_has_its_status_its_headers_in_lower_case_and_its_bytes(side):
    with serving(lambda exchange: exchange.reply(b"no such model", "404 Not Found", "text/Plain")) as server:
        [heard] = side.ask(server.url + "/v1/x?y=1", body=b'{"a": 1}')
        assert heard.status == 404
        assert dict(heard.headers) == {"content-type": "text/Plain", "content-length": "13"}
        assert heard.body == b"no such model"
        [exchange] = server.exchanges
        assert exchange.head.startswith("POST /v1/x?y=1 HTTP/1.1\r\n")
        assert exchange.body == b'{"a": 1}'


def test_headers_are_sent_with_the_host_and_the_length_and_no_wish_for_compression(side):
    with serving(echo) as server:
        side.ask(
            server.url, headers={"authorization": "Bearer k", "X-Thing": "a, b", "Content-Length": "99"}, body=b"12"
        )
        head = dict(line.lower().split(": ", 1) for line in server.exchanges[0].head.split("\r\n")[1:])
        assert head["host"] == server.url.removeprefix("http://")
        assert head["content-length"] == "2"
        assert head["accept-encoding"] == "identity"
        assert head["authorization"] == "bearer k"
        assert head["x-thing"] == "a, b"


def test_a_body_may_be_missing(side):
    with serving(lambda exchange: exchange.reply(b"[]")) as server:
        [heard] = side.ask(server.url, body=None, method="GET")
        assert heard.body == b"[]"
        assert server.exchanges[0].head.startswith("GET / HTTP/1.1\r\n")


def test_a_large_body_goes_out_and_comes_back_whole(side):
    body = os.urandom(1 << 20) * 3
    with serving(echo) as server:
        [heard] = side.ask(server.url, body=body)
        assert heard.body == body


def test_chunks_come_as_they_are_sent(side):
    first_seen = threading.Event()

    def handler(exchange):
        exchange.begin()
        exchange.chunk(b"first")
        assert first_seen.wait(LONG)
        exchange.chunk(b"second")
        exchange.end()

    with serving(handler) as server:
        [heard] = side.ask(server.url, on_chunk=lambda *_: first_seen.set())
        assert heard.chunks == [b"first", b"second"]


@every
def test_one_connection_serves_one_request_after_another(side):
    with serving(echo) as server:
        heard = side.ask(server.url, times=5)
        assert [one.body for one in heard] == [b"{}"] * 5
        assert server.connections == 1


@own
def test_a_connection_to_another_place_leaves_the_first_open(side):
    with serving(echo) as server, serving(echo) as other:
        side.ask(server.url, times=2, between=lambda: None if side.waits else side.ask(other.url))
        assert server.connections == 1


def test_an_idle_connection_that_the_server_closed_is_not_used_again(side):
    closed = threading.Event()

    def handler(exchange):
        exchange.reply(b"once")
        exchange.connection.shutdown(socket.SHUT_RDWR)
        closed.set()

    def between():
        assert closed.wait(LONG)
        closed.clear()

    with serving(handler) as server:
        heard = side.ask(server.url, times=3, between=between)
        assert [one.body for one in heard] == [b"once"] * 3
        assert server.connections == 3


def test_a_redirect_is_a_reply_like_any_other(side):
    def handler(exchange):
        exchange.send(b"HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n")

    with serving(handler) as server:
        [heard] = side.ask(server.url)
        assert (heard.status, heard.headers["location"]) == (307, "http://127.0.0.1:9/")


def test_cookies_are_not_kept(side):
    def handler(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")

    if side.kind.startswith(("brought", "httpx2")):
        return  # a client that is brought does as it does
    with serving(handler) as server:
        side.ask(server.url, times=2)
        assert all("cookie" not in exchange.head.lower() for exchange in server.exchanges)


def test_a_compressed_reply_is_decompressed(side):
    text = b"some text " * 1000

    def handler(exchange):
        body = gzip.compress(text)
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    with serving(handler) as server:
        assert [one.body for one in side.ask(server.url, times=2)] == [text] * 2
        assert server.connections == 1


def test_what_cannot_be_decompressed_is_unreadable(side):
    def handler(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!")

    with serving(handler) as server:
        side.raises(Unreadable, server.url)


# --- Leaving early


@every
def test_leaving_early_closes_the_socket(side):
    left = threading.Event()

    def handler(exchange):
        exchange.begin()
        exchange.chunk(b"first")
        exchange.wait_until_left()
        left.set()

    with serving(handler) as server:
        [heard] = side.ask(server.url, on_chunk=leaving, between=lambda: left.wait(LONG) or pytest.fail("still open"))
        assert heard.chunks == [b"first"]


def test_an_error_of_the_reader_passes_as_it_is_and_closes_the_socket(side):
    left = threading.Event()

    def handler(exchange):
        exchange.begin()
        exchange.chunk(b"first")
        exchange.wait_until_left()
        left.set()

    def fail(*_):
        raise KeyError("reader")

    with serving(handler) as server:
        with pytest.raises(KeyError, match="reader"):
            side.ask(server.url, on_chunk=fail)
        assert left.wait(LONG)


def test_requests_go_on_after_one_was_left_early(side):
    def handler(exchange):
        exchange.begin()
        exchange.chunk(b"first")
        exchange.chunk(b"second")
        exchange.end()

    with serving(handler) as server:
        seen = []

        def every_other(_, watch):
            watch.progress()
            seen.append(1)
            return "leave" if len(seen) == 1 else None

        heard = side.ask(server.url, on_chunk=every_other, times=2)
        assert heard[1].body == b"firstsecond"


# --- Time limits


def keep_alive(exchange):
    """Send a comment again and again until the client has left."""
    exchange.begin()
    with contextlib.suppress(OSError):
        while not exchange.left.wait(0.02):
            exchange.chunk(b": keep-alive\n\n")
    exchange.left.set()


@every
def test_keep_alives_do_not_hold_off_the_limit_of_the_whole_request(side):
    with serving(keep_alive) as server:
        began = time.monotonic()
        patience = Patience(first_byte=None, idle=LONG, total=ARRIVES)
        error = side.raises(TimedOut, server.url, patience=patience, on_chunk=progress)
        assert ARRIVES <= time.monotonic() - began < LONG / 2
        assert server.exchanges[0].left.wait(LONG)
        assert "`total`" in str(error)
        assert f"{ARRIVES:g} s" in str(error)
        assert server.url.removeprefix("http://") in str(error)


def test_keep_alives_are_not_the_first_content(side):
    with serving(keep_alive) as server:
        error = side.raises(TimedOut, server.url, patience=Patience(first_byte=ARRIVES, idle=LONG))
        assert server.exchanges[0].left.wait(LONG)
        assert "`first_byte`" in str(error)


def test_a_server_that_sends_nothing_at_all_is_left_after_the_time_for_the_first_content(side):
    with serving(lambda exchange: exchange.wait_until_left()) as server:
        began = time.monotonic()
        error = side.raises(TimedOut, server.url, patience=Patience(first_byte=ARRIVES, idle=ARRIVES))
        assert ARRIVES <= time.monotonic() - began < LONG / 2
        assert server.exchanges[0].left.wait(LONG)
        assert "`first_byte`" in str(error)


def test_that_holds_on_a_connection_that_was_open_before(side):
    def handler(exchange):
        if len(server.exchanges) == 1:
            exchange.reply(b"first")
        else:
            exchange.wait_until_left()

    with serving(handler) as server:
        error = side.raises(TimedOut, server.url, times=2, patience=Patience(first_byte=ARRIVES, idle=ARRIVES))
        assert server.connections == 1
        assert server.exchanges[1].left.wait(LONG)
        assert "`first_byte`" in str(error)


@every
def test_silence_in_the_middle_ends_the_request(side):
    def handler(exchange):
        exchange.begin()
        exchange.chunk(b"first")
        exchange.wait_until_left()

    with serving(handler) as server:
        error = side.raises(TimedOut, server.url, patience=Patience(idle=ARRIVES), on_chunk=progress)
        assert server.exchanges[0].left.wait(LONG)
        assert "`idle`" in str(error)


def test_bytes_of_any_kind_break_the_silence(side):
    def handler(exchange):
        exchange.begin()
        for _ in range(30):
            exchange.chunk(b": keep-alive\n\n")
            threading.Event().wait(0.04)
        exchange.end()

    with serving(handler) as server:
        [heard] = side.ask(server.url, patience=Patience(idle=1.0), on_chunk=progress)
        assert heard.body == b": keep-alive\n\n" * 30


def test_a_server_that_does_not_read_the_request_is_left_too(side):
    with socket.create_server(("127.0.0.1", 0), backlog=8) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        patience = Patience(first_byte=SHORT, idle=SHORT)
        side.raises(TimedOut, url, patience=patience, body=b"x" * (1 << 24))


@pytest.mark.parametrize("limit", ["connect", "first_byte", "total"])
def test_where_no_time_is_left_nothing_is_sent(side, limit):
    with serving(lambda exchange: exchange.reply(b"")) as server:
        for seconds in (0.0, -1.0):
            error = side.raises(TimedOut, server.url, patience=Patience(**{limit: seconds}))
            assert f"`{limit}`" in str(error)
        assert server.connections == 0


def test_a_body_that_ends_with_its_connection_is_not_whole_when_we_ended_it(side):
    def handler(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nsome")
        exchange.wait_until_left()

    with serving(handler) as server:
        error = side.raises(TimedOut, server.url, patience=Patience(total=SHORT))
        assert "`total`" in str(error)


def test_a_handshake_that_hangs_is_no_connection(side):
    with serving(lambda exchange: None) as server:
        url = server.url.replace("http:", "https:")
        error = side.raises(TimedOut, url, patience=Patience(connect=SHORT))
        assert "`connect`" in str(error)
        error = side.raises(TimedOut, url, patience=Patience(total=SHORT))
        assert "`total`" in str(error)


def test_without_limits_and_with_all_the_time_of_the_world_a_reply_is_a_reply(side):
    with serving(echo) as server:
        for patience in (Patience(None, None, None, None), Patience(1e9, 1e9, 1e9, 1e9)):
            [heard] = side.ask(server.url, patience=patience)
            assert heard.body == b"{}"


def test_a_limit_leaves_nothing_behind_for_the_next_request(side):
    def handler(exchange):
        if exchange.body == b"hang":
            exchange.wait_until_left()
        else:
            exchange.reply(b"well")

    with serving(handler) as server:
        for _ in range(3):
            side.raises(TimedOut, server.url, body=b"hang", patience=Patience(total=0.05))
            assert side.ask(server.url)[0].body == b"well"


# --- Stopping


def test_a_stop_from_another_thread_ends_the_wait_for_the_headers(side):
    stop = Stop()

    def handler(exchange):
        stop.set()
        exchange.wait_until_left()

    with serving(handler) as server:
        side.raises(Cancelled, server.url, stop=stop)
        assert server.exchanges[0].left.wait(LONG)


@every
def test_a_stop_from_another_thread_ends_the_wait_for_the_body(side):
    stop = Stop()

    def handler(exchange):
        exchange.begin()
        exchange.chunk(b"first")
        exchange.wait_until_left()

    with serving(handler) as server:
        side.raises(Cancelled, server.url, stop=stop, on_chunk=lambda *_: start(stop.set))
        assert server.exchanges[0].left.wait(LONG)


@own
def test_a_stop_ends_the_wait_for_the_headers_on_a_connection_that_was_open_before(side):
    stop = Stop()

    def handler(exchange):
        if len(server.exchanges) == 1:
            exchange.reply(b"first")
        else:
            stop.set()
            exchange.wait_until_left()

    with serving(handler) as server:
        side.raises(Cancelled, server.url, times=2, stop=stop)
        assert server.connections == 1
        assert server.exchanges[1].left.wait(LONG)


def test_nothing_is_sent_once_the_stop_is_set(side):
    stop = Stop()
    stop.set()
    with serving(echo) as server:
        side.raises(Cancelled, server.url, stop=stop)
        assert server.connections == 0


def test_a_stop_that_comes_after_the_reply_does_no_harm(side):
    stop = Stop()
    with serving(echo) as server:
        side.ask(server.url, stop=stop, between=stop.set)
        heard = side.ask(server.url, times=2, stop=Stop())
        assert [one.body for one in heard] == [b"{}"] * 2
        assert not stop._callbacks


# --- What goes wrong


@every
def test_a_refused_connection_names_the_place_and_keeps_the_cause(side):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = side.raises(ConnectionLost, f"http://127.0.0.1:{port}/v1/chat")
    assert f"`127.0.0.1:{port}`" in str(error)
    assert "check the address" in str(error)
    assert error.__cause__ is not None


def test_a_name_that_nobody_has_is_no_connection(side):
    error = side.raises(ConnectionLost, "http://nobody.invalid/v1")
    assert "`nobody.invalid:80`" in str(error)


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n10\r\ncut",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno chunk",
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    ],
)
def test_a_reply_that_breaks_off_is_a_lost_connection(side, reply):
    def handler(exchange):
        exchange.send(reply)
        exchange.connection.shutdown(socket.SHUT_RDWR)

    with serving(handler) as server:
        error = side.raises(ConnectionLost, server.url)
        assert server.url.removeprefix("http://") in str(error)


def test_a_reset_is_a_lost_connection(side):
    def handler(exchange):
        exchange.begin()
        exchange.chunk(b"first")
        exchange.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        exchange.connection.close()

    with serving(handler) as server:
        side.raises(ConnectionLost, server.url)


@pytest.mark.parametrize(
    "url",
    ["", "v1/chat", "ftp://host/x", "http://", "http:///x", "http://host:port/", "http://[::1", "http://u:p@host/"],
)
def test_what_is_no_address_is_a_mistake_and_nothing_is_sent(side, url):
    error = side.raises(ConfigurationError, url)
    assert "u:p" not in str(error)


@pytest.mark.parametrize("value", [SECRET + "\n", SECRET + "\r\nX: y", " " + SECRET, SECRET + "\0", SECRET + "ü"])
def test_a_key_that_cannot_be_sent_is_a_mistake_that_does_not_show_it(side, value):
    error = side.raises(ConfigurationError, "http://127.0.0.1:9/", headers={"Authorization": value})
    assert "`Authorization`" in str(error)
    assert error.__cause__ is None
    assert error.__context__ is None


def test_a_header_without_a_proper_name_is_a_mistake(side):
    side.raises(ConfigurationError, "http://127.0.0.1:9/", headers={"a b": "c"})


def test_the_representation_of_a_post_shows_neither_headers_nor_body():
    assert SECRET not in repr(Post("http://host/", {"Authorization": SECRET}, SECRET.encode()))


# --- Threads, tasks and event loops


def test_many_threads_share_a_transport():
    with serving(echo) as server:
        transport, together = shared("httpx"), threading.Barrier(16)
        done, heard = threading.Semaphore(0), []

        def work(number):
            together.wait(LONG)
            for turn in range(5):
                body = b"%d.%d" % (number, turn)
                with transport.send(Post(server.url, {}, body)) as reply:
                    heard.append(b"".join(reply) == body)
            done.release()

        for number in range(16):
            start(lambda number=number: work(number))
        assert all(done.acquire(timeout=LONG) for _ in range(16))
        assert heard == [True] * 80
        assert server.connections <= 16


async_kinds = pytest.mark.parametrize("kind", ["httpx", "aiohttp"])


@async_kinds
def test_many_tasks_share_a_transport(kind):
    async def ask(transport, url, number):
        for turn in range(3):
            async with transport.asend(Post(url, {}, b"%d.%d" % (number, turn))) as reply:
                assert b"".join([chunk async for chunk in reply]) == b"%d.%d" % (number, turn)

    async def main(url):
        await asyncio.gather(*[ask(shared(kind), url, number) for number in range(40)])

    with serving(echo) as server:
        asyncio.run(main(server.url))
        assert server.connections <= 40


def test_requests_that_begin_at_once_make_only_so_many_connections_at_once():
    """The kernel makes a connection before the server takes it, so this counts handshakes under TLS."""
    shaking, most, enough, go_on = 0, 0, threading.Event(), threading.Event()

    class Reluctant(Server):
        def serve(self, connection, number):
            nonlocal shaking, most
            with connection, contextlib.suppress(OSError):
                shaking += 1
                most = max(most, shaking)
                if shaking == CONNECTING:
                    enough.set()
                assert go_on.wait(LONG)
                shaking -= 1

    async def main(url):
        tasks = [asyncio.create_task(read(shared("httpx"), url)) for _ in range(CONNECTING * 3)]
        assert await asyncio.to_thread(enough.wait, LONG)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.sleep(SHORT)
        go_on.set()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(one) for one in done} == {asyncio.CancelledError, ConnectionLost}

    server = Reluctant(None)
    thread = threading.Thread(target=server.accept, daemon=True)
    thread.start()
    asyncio.run(main(server.url.replace("http:", "https:")))
    server.listener.shutdown(socket.SHUT_RDWR)
    server.listener.close()
    thread.join(5)
    assert most <= CONNECTING * 2  # those that were cancelled made place
    assert server.connections >= CONNECTING


def test_requests_beyond_those_that_connect_take_what_connection_comes_free():
    async def main(url):
        bodies = await asyncio.gather(*[read(shared("httpx"), url) for _ in range(500)])
        assert bodies == [b"{}"] * 500

    with serving(echo) as server:
        asyncio.run(main(server.url))
        assert server.connections < 400


def test_connections_that_cannot_be_made_hold_up_nobody():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    async def main(**options):
        transport = shared("httpx", **options)
        return await asyncio.gather(*[read(transport, url) for _ in range(CONNECTING * 3)], return_exceptions=True)

    assert {type(one) for one in asyncio.run(main())} == {ConnectionLost}
    assert {type(one) for one in asyncio.run(main(proxy="gopher://host"))} == {ConfigurationError}


class Crowd:
    """Tasks that want a line, where two may connect at the same time."""

    def __init__(self):
        self.home, self.tasks, self.lines, self.connecting = AsyncHome(), [], [], 0

    def ask(self):
        loop = asyncio.get_running_loop()
        self.tasks.append(loop.create_task(self.home.line(loop)))

    def connected(self):
        if self.connecting:
            self.connecting -= 1
            self.lines.append(Line(str))
            self.home.connected()

    def give(self):
        if self.lines:
            self.home.give(self.lines.pop())

    def cancel(self):
        if self.tasks:
            self.tasks[0].cancel()

    def cancel_late(self):
        """Cancel a task whose turn has come just now."""
        self.connected()
        self.cancel()

    async def settle(self):
        for _ in range(3):
            await asyncio.sleep(0)
        for task in [one for one in self.tasks if one.done()]:
            self.tasks.remove(task)
            if not task.cancelled():
                line = task.result()
                self.connecting += line is None
                self.lines += [line] if line else []

    async def live(self, steps):
        for step in steps:
            step(self)
            await self.settle()
            assert self.connecting <= 2
            assert self.connecting == 2 or not self.tasks
        while self.tasks:
            self.connected()
            await self.settle()


@given(
    st.lists(st.sampled_from([Crowd.ask, Crowd.connected, Crowd.give, Crowd.cancel, Crowd.cancel_late]), max_size=60)
)
def test_leave_to_connect_is_neither_lost_nor_given_twice(steps):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agentkit.models.transport.keeping.CONNECTING", 2)
        asyncio.run(Crowd().live(steps))


def hanging(exchange):
    if exchange.body == b"body":
        exchange.begin()
        exchange.chunk(b"first")
    exchange.wait_until_left()


@async_kinds
@pytest.mark.parametrize("phase", [b"headers", b"body"])
def test_cancelling_the_task_closes_the_socket_and_stays_a_cancellation(kind, phase):
    arrived = threading.Event()

    def handler(exchange):
        if phase == b"headers":
            arrived.set()
        hanging(exchange)

    async def ask(url):
        async with shared(kind).asend(Post(url, {}, phase)) as reply:
            async for _ in reply:
                arrived.set()

    async def main(server):
        task = asyncio.create_task(ask(server.url))
        assert await asyncio.to_thread(arrived.wait, LONG)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(server.exchanges[0].left.wait, LONG)

    with serving(handler) as server:
        asyncio.run(main(server))


@async_kinds
def test_a_time_limit_around_it_stays_the_one_that_is_around_it(kind):
    async def main(server):
        with pytest.raises(TimeoutError):  # which `TimedOut` is not
            async with asyncio.timeout(SHORT):
                await read(shared(kind), server.url, b"body")
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    with serving(hanging) as server:
        asyncio.run(main(server))


@async_kinds
def test_our_time_limit_within_a_task_group_is_an_error_and_no_cancellation(kind):
    async def main(server):
        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.TaskGroup() as group:
                group.create_task(read(shared(kind), server.url, b"body", patience=Patience(total=SHORT)))
        assert [type(one) for one in caught.value.exceptions] == [TimedOut]
        await asyncio.sleep(0)

    with serving(hanging) as server:
        asyncio.run(main(server))


@async_kinds
def test_a_limit_that_passes_as_the_reply_ends_does_not_cancel_what_comes_after(kind):
    async def main(url):
        for turn in range(100):
            try:
                async with shared(kind).asend(Post(url, {}, b"x", Patience(total=turn * 0.00005))) as reply:
                    async for _ in reply:
                        pass
            except TimedOut:
                pass
            await asyncio.sleep(0)
            task = asyncio.current_task()
            assert task is not None
            assert task.cancelling() == 0

    with serving(echo) as server:
        asyncio.run(main(server.url))


def wait_for_end(exchange):
    exchange.reply(b"well")
    exchange.wait_until_left()


async def read(transport, url, body=b"{}", **options):
    async with transport.asend(Post(url, {}, body, **options)) as reply:
        return b"".join([chunk async for chunk in reply])


@async_kinds
def test_idle_connections_are_closed_with_their_event_loop(kind):
    with serving(wait_for_end) as server:
        assert asyncio.run(read(shared(kind), server.url)) == b"well"
        assert server.exchanges[0].left.wait(LONG)


@async_kinds
def test_a_loop_that_is_closed_without_ceremony_leaks_no_warning(kind):
    with serving(wait_for_end) as server:
        for _ in range(3):
            loop = asyncio.new_event_loop()
            assert loop.run_until_complete(read(shared(kind), server.url)) == b"well"
            loop.close()
            gc.collect()
        assert asyncio.run(read(shared(kind), server.url)) == b"well"
        assert all(exchange.left.wait(LONG) for exchange in server.exchanges)
        assert len(server.exchanges) == 4


@async_kinds
def test_closing_by_hand_closes_the_connections_of_this_loop_and_of_others(kind):
    async def main(server):
        await read(shared(kind), server.url)
        await asyncio.to_thread(run_on_shared_loop(read(shared(kind), server.url)).result, LONG)
        await aclose_all()
        assert await asyncio.to_thread(lambda: all(one.left.wait(LONG) for one in server.exchanges))
        assert await read(shared(kind), server.url) == b"well"

    with serving(wait_for_end) as server:
        asyncio.run(main(server))
        assert server.connections == 3


@async_kinds
def test_closing_by_hand_from_a_thread_closes_the_connections_of_running_loops(kind):
    with serving(wait_for_end) as server:
        assert run_on_shared_loop(read(shared(kind), server.url)).result(LONG) == b"well"
        close_all()
        assert server.exchanges[0].left.wait(LONG)
        assert run_on_shared_loop(read(shared(kind), server.url)).result(LONG) == b"well"
        close_all()


@async_kinds
def test_closing_by_hand_within_a_loop_does_not_wait_for_itself(kind):
    async def main(server):
        await read(shared(kind), server.url)
        close_all()
        assert await asyncio.to_thread(server.exchanges[0].left.wait, LONG)

    with serving(wait_for_end) as server:
        asyncio.run(main(server))


def test_closing_by_hand_closes_the_connections_of_threads():
    with serving(wait_for_end) as server:
        with shared("httpx").send(Post(server.url, {}, b"{}")) as reply:
            assert b"".join(reply) == b"well"
        close_all()
        assert server.exchanges[0].left.wait(LONG)


@pytest.mark.parametrize("side", ["httpx-sync", "httpx-async"], indirect=True)
def test_a_request_that_is_under_way_while_all_is_closed_comes_to_its_end(side):
    closing = []

    def close(*_):
        closing.append(threading.Thread(target=close_all))
        closing[-1].start()

    with serving(echo) as server:
        [heard] = side.ask(server.url, on_chunk=close)
        assert heard.body == b"{}"
    for thread in closing:
        thread.join(LONG)  # else it closes what another test has under way


def test_connections_that_are_long_idle_are_closed_when_others_come_back(monkeypatch):
    monkeypatch.setattr("agentkit.models.transport.keeping.KEEP_SECONDS", 0.0)
    transport = Httpx(None, True)
    with serving(wait_for_end) as server, contextlib.ExitStack() as open_ones:
        for _ in range(3):
            reply = open_ones.enter_context(transport.send(Post(server.url, {}, b"{}")))
            assert b"".join(reply) == b"well"
        open_ones.close()
        for exchange in server.exchanges[1:]:
            assert exchange.left.wait(LONG)
        transport.close()


def python(program, *arguments):
    """Run a program in an interpreter of its own, where any warning is an error; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.parametrize("kind", ["sync", "httpx", "aiohttp"])
def test_a_forked_child_does_not_share_connections_and_the_parent_keeps_its_own(kind):
    program = """
        import asyncio, os, sys, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is what this is about
        from agentkit.models.transport import Post, shared
        url, kind = sys.argv[1:]

        def ask(body):
            with shared("httpx").send(Post(url, {}, body)) as reply:
                return b"".join(reply)

        async def aask(body):
            async with shared(kind).asend(Post(url, {}, body)) as reply:
                return b"".join([chunk async for chunk in reply])

        def child(work):
            if os.fork() == 0:
                try:
                    assert work() == b"child"
                except BaseException:
                    import traceback
                    traceback.print_exc()
                    os._exit(1)
                os._exit(0)
            assert os.wait()[1] == 0

        def in_child():
            return ask(b"child") if kind == "sync" else asyncio.run(aask(b"child"))

        async def main():
            assert await aask(b"parent") == b"parent"
            pid = os.fork()
            if pid == 0:
                os._exit(0 if child_thread() else 1)
            assert await asyncio.to_thread(os.waitpid, pid, 0) == (pid, 0)
            assert await aask(b"parent") == b"parent"

        def child_thread():
            import threading
            answers = []
            thread = threading.Thread(target=lambda: answers.append(in_child()))  # the loop is still set in this one
            thread.start()
            thread.join(20)
            return answers == [b"child"]

        if kind == "sync":
            assert ask(b"parent") == b"parent"
            child(in_child)
            assert ask(b"parent") == b"parent"
        else:
            asyncio.run(main())
        print("well")
    """
    with serving(echo) as server:
        assert python(program, server.url, kind).split() == ["well"]
        by_connection = {}
        for exchange in server.exchanges:
            by_connection.setdefault(exchange.number, []).append(exchange.body)
        assert sorted(by_connection.values()) == [[b"child"], [b"parent", b"parent"]]


@pytest.mark.parametrize("kind", ["httpx", "aiohttp"])
def test_a_program_that_ends_with_open_connections_ends_in_silence(kind):
    program = """
        import asyncio, sys
        from agentkit.models.transport import Post, shared
        from agentkit.threads import run_on_shared_loop

        async def ask():
            async with shared(kind).asend(Post(url, {}, b"{}")) as reply:
                return b"".join([chunk async for chunk in reply])

        url, kind = sys.argv[1:]
        with shared("httpx").send(Post(url, {}, b"{}")) as reply:
            list(reply)
        run_on_shared_loop(ask()).result()
        forgotten, closed = asyncio.new_event_loop(), asyncio.new_event_loop()
        forgotten.run_until_complete(ask())
        closed.run_until_complete(ask())
        closed.close()
        asyncio.run(ask())
        import atexit
        atexit.register(forgotten.close)  # a loop that is never closed would warn by itself
        from agentkit.models import transport
        atexit.unregister(transport._at_exit)
        atexit.register(transport._at_exit)  # runs before that
    """
    with serving(echo) as server:
        assert python(program, server.url, kind) == ""
        assert server.connections == 5


def test_importing_the_seam_loads_no_http_library():
    printed = python("""
        import sys
        import agentkit.models.transport
        print([name for name in ("httpx", "aiohttp", "urllib.request") if name in sys.modules])
    """)
    assert printed.strip() == "[]"


# --- Clients that are brought


@pytest.mark.parametrize("side", ["brought-sync", "brought-async"], indirect=True)
def test_a_client_is_used_as_it_is_and_left_open(side):
    seen = []
    side.options = {"headers": {"X-Team": "blue"}, "event_hooks": {"request": [hook(seen, waits=side.waits)]}}
    with serving(echo) as server:
        side.ask(server.url, times=2)
        assert all("x-team: blue" in exchange.head.lower() for exchange in server.exchanges)
        assert len(seen) == 2
    with httpx.Client() as client:
        transport = bring(client)
        transport.close()
        asyncio.run(transport.aclose())
        assert not client.is_closed


def hook(seen, *, waits):
    async def wait(request):
        seen.append(request)

    return wait if waits else seen.append


def test_the_wrong_face_is_a_mistake_that_says_what_to_bring():
    post = Post("http://127.0.0.1:9/", {}, b"{}")
    with httpx.Client() as client, pytest.raises(ConfigurationError, match=r"`httpx\.AsyncClient`"):
        bring(client).asend(post)
    with pytest.raises(ConfigurationError, match=r"`httpx\.Client`"):
        bring(httpx.AsyncClient()).send(post)


@pytest.mark.parametrize("thing", [None, 3, "https", object(), Brought(), Brought(sync=3), Brought(async_=3)])
def test_what_has_no_face_at_all_is_a_mistake(thing):
    with pytest.raises(ConfigurationError, match="transport="):
        bring(thing)


def test_faces_in_the_wrong_place_are_a_mistake():
    with httpx.Client() as client, pytest.raises(ConfigurationError, match=r"httpx\.Client"):
        bring(Brought(async_=client))
    with pytest.raises(ConfigurationError, match=r"httpx\.AsyncClient"):
        bring(Brought(sync=httpx.AsyncClient()))


def test_two_clients_make_both_sides():
    def answer(request):
        return httpx.Response(200, content=request.content)

    mock = httpx.MockTransport(answer)

    async def main(transport):
        return await read(transport, "http://somewhere/")

    with httpx.Client(transport=mock) as client:
        both = bring(Brought(sync=client, async_=httpx.AsyncClient(transport=mock)))
        for transport in (both, bring(mock)):  # a transport of httpx may have both faces by itself
            with transport.send(Post("http://somewhere/", {}, b"{}")) as reply:
                assert (reply.status, b"".join(reply)) == (200, b"{}")
            assert asyncio.run(main(transport)) == b"{}"


def test_a_limit_of_the_client_itself_is_told_as_such():
    def answer(request):
        raise httpx.ReadTimeout("mine")

    transport = bring(httpx.MockTransport(answer))
    with pytest.raises(TimedOut, match="HTTP client itself"), transport.send(Post("http://somewhere/", {}, b"")):
        pass


def test_errors_that_are_not_of_http_pass_as_they_are():
    def answer(request):
        raise AssertionError("a mock that was asked too much")

    transport = bring(httpx.MockTransport(answer))
    with pytest.raises(AssertionError, match="asked too much"), transport.send(Post("http://somewhere/", {}, b"")):
        pass


# --- One per process


def test_a_transport_is_shared_by_its_options():
    assert shared("httpx") is shared("httpx", proxy=None, verify=True)
    assert shared("httpx") is not shared("httpx", verify=False)
    assert shared("httpx") is not shared("aiohttp")


def test_a_kind_that_is_not_known_is_a_mistake():
    with pytest.raises(ConfigurationError, match="curl"):
        shared("curl")


def test_a_missing_aiohttp_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(ConfigurationError, match=r'pip install "\.\[fast\]"'):
        Aiohttp(None, True, shared("httpx").send)


# --- Proxies


@own
def test_a_request_goes_by_the_proxy_that_is_given(side):
    with serving(echo) as proxy:
        side.options = {"proxy": proxy.url.replace("http://", "http://user:word@")}
        heard = side.ask("http://somewhere.invalid/v1", times=2)
        assert [one.body for one in heard] == [b"{}"] * 2
        assert proxy.connections == 1
        for exchange in proxy.exchanges:
            assert exchange.head.startswith("POST http://somewhere.invalid/v1 HTTP/1.1\r\n")
            assert "proxy-authorization: basic dxnlcjp3b3jk" in exchange.head.lower()


@own
def test_a_request_goes_by_the_proxy_of_the_environment_unless_it_says_otherwise(side, monkeypatch):
    with serving(echo) as proxy, serving(echo) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.removeprefix("http://"))
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        side.options = {"verify": False}  # a transport that has not seen these places
        side.ask("http://elsewhere.invalid/" + side.kind)
        side.ask(server.url)
        assert len(proxy.exchanges) == len(server.exchanges) == 1


@own
def test_a_proxy_that_is_not_there_is_no_connection(side):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    side.options = {"proxy": f"http://127.0.0.1:{port}"}
    side.raises(ConnectionLost, "http://somewhere.invalid/")


@pytest.mark.parametrize("side", ["httpx-sync", "httpx-async"], indirect=True)
def test_a_proxy_that_makes_no_sense_is_a_mistake_that_does_not_show_it(side):
    side.options = {"proxy": f"gopher://user:{SECRET}@host"}
    side.raises(ConfigurationError, "http://somewhere.invalid/")


# --- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 and its key, each in a file."""
    folder = tmp_path_factory.mktemp("tls")
    files = folder / "certificate.pem", folder / "key.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    )
    try:
        subprocess.run([*command.split(), "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs the command openssl")
    return files


class SecureServer(Server):
    """The server of `wire` with TLS."""

    def __init__(self, handler, certificate):
        super().__init__(handler)
        self.url = self.url.replace("http:", "https:")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*certificate)

    def serve(self, connection, number):
        with connection, contextlib.suppress(OSError):
            super().serve(self.context.wrap_socket(connection, server_side=True), number)


@contextlib.contextmanager
def serving_securely(handler, certificate):
    server = SecureServer(handler, certificate)
    thread = threading.Thread(target=server.accept, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.listener.shutdown(socket.SHUT_RDWR)
        server.listener.close()
        thread.join(5)


@own
def test_a_certificate_of_ones_own_is_trusted_where_it_is_handed_in(side, certificate):
    context = ssl.create_default_context(cafile=certificate[0])
    with serving_securely(echo, certificate) as server:
        for verify in (str(certificate[0]), False, context):
            side.options = {"verify": verify}
            before = server.connections
            assert [one.body for one in side.ask(server.url, times=3)] == [b"{}"] * 3
            assert server.connections == before + 1


@own
def test_a_certificate_that_nobody_vouches_for_ends_it_and_is_named(side, certificate):
    with serving_securely(echo, certificate) as server:
        error = side.raises(ConnectionLost, server.url)
        assert "certificate" in str(error)
        assert "verify=" in str(error)
        assert server.exchanges == []


@own
def test_certificates_that_are_not_there_are_a_mistake(side, certificate, tmp_path):
    for place in (tmp_path / "none.pem", certificate[1]):
        side.options = {"verify": str(place)}
        assert "verify=" in str(side.raises(ConfigurationError, "https://127.0.0.1:9/"))


@own
@pytest.mark.parametrize("phase", [b"headers", b"body"])
def test_a_stop_and_a_limit_end_a_request_under_tls_too(side, certificate, phase):
    stop = Stop()
    side.options = {"verify": str(certificate[0])}

    def handler(exchange):
        if phase == b"body":
            exchange.begin()
            exchange.chunk(b"first")
        if exchange.body == b"stop":
            stop.set()
        exchange.wait_until_left()

    with serving_securely(handler, certificate) as server:
        side.raises(TimedOut, server.url, patience=Patience(total=ARRIVES))
        side.raises(Cancelled, server.url, stop=stop, body=b"stop")
        assert all(exchange.left.wait(LONG) for exchange in server.exchanges)


@own
def test_a_request_under_tls_goes_through_a_tunnel_of_the_proxy(side, certificate):
    def tunnel(exchange):
        host, port = exchange.head.split(" ")[1].split(":")
        with socket.create_connection((host, int(port))) as onward:
            exchange.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            start(lambda: pump(onward, exchange.connection))
            pump(exchange.connection, onward)

    with serving_securely(echo, certificate) as server, serving(tunnel) as proxy:
        side.options = {"proxy": proxy.url, "verify": str(certificate[0])}
        assert [one.body for one in side.ask(server.url, times=2)] == [b"{}"] * 2
        assert proxy.connections == server.connections == 1
        close_all()


def pump(source, sink):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


# --- The limits, without waiting


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def test_before_the_first_content_its_limit_counts_and_after_it_silence():
    clock = Clock()
    watch = Watch(Patience(first_byte=600, idle=120, total=None), clock)
    assert watch.due(1599.9) == (1600, None)
    assert watch.due(1600) == (1600, "first_byte")
    clock.now = 1500
    watch.alive()
    watch.progress()
    assert watch.due(1600) == (1620, None)
    assert watch.due(1620) == (1620, "idle")


def test_a_reader_that_is_busy_elsewhere_hears_no_silence():
    clock = Clock()
    watch = Watch(Patience(idle=120), clock)
    watch.progress()
    watch.waiting = False
    assert watch.due(5000) == (5120, None)
    clock.now = 5000
    watch.alive()
    watch.waiting = True
    assert watch.due(5119) == (5120, None)
    assert watch.due(5120) == (5120, "idle")


def test_the_shortest_limit_is_the_one_that_is_told():
    clock = Clock()
    assert Watch(Patience(first_byte=5, total=4), clock).due(1010)[1] == "total"
    assert Watch(Patience(first_byte=4, total=5), clock).due(1010)[1] == "first_byte"
    assert Watch(Patience(None, None, None, None), clock).due(1e9) == (float("inf"), None)


steps = st.lists(st.tuples(st.floats(0.01, 50), st.sampled_from(["bytes", "progress", "busy", "wait"])), max_size=30)
limits = st.none() | st.floats(1, 200)


@given(limits, limits, limits, steps)
def test_looking_only_when_told_to_finds_each_limit_in_the_moment_in_which_it_passes(first_byte, idle, total, steps):
    clock = Clock()
    watch = Watch(Patience(None, first_byte, idle, total), clock)
    look, found = watch.due(clock.now)
    began = last = clock.now
    progressed, waiting = False, True

    def passes():
        moments = [began + total] if total is not None else []
        if not progressed and first_byte is not None:
            moments.append(began + first_byte)
        if progressed and waiting and idle is not None:
            moments.append(last + idle)
        return min(moments, default=float("inf"))

    for seconds, step in [*steps, (10_000, "wait")]:
        until = clock.now + seconds
        truth = passes()
        while found is None and look <= until:
            assert look > clock.now or look == clock.now
            clock.now = look
            look, found = watch.due(look)
        if found is not None or truth <= until:
            assert found is not None
            assert look == pytest.approx(truth)
            return
        clock.now = until
        if step == "progress":
            watch.progress()
            last = last if progressed else clock.now
            progressed = True
        elif step == "busy":
            watch.waiting = waiting = False
        else:
            watch.alive()
            watch.waiting = waiting = True
            last = clock.now
