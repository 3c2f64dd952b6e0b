"""The guard: what it refuses, whoever asks, and that it leaves no socket open; in this process, then as pytest's."""

import asyncio
import contextlib
import gc
import platform
import socket
import ssl
import subprocess
import sys
import threading
import urllib.request
import warnings

import httpx
import project
import pytest
from script import go, ways
from wire import completion, serving

from agentkit import Agent, tool
from agentkit.models import open_model
from agentkit.testing import NetworkForbidden, Script, call
from agentkit.testing.guard import forbidden, is_here

pytest_plugins = ["pytester"]

FAR = ("192.0.2.1", 443)  # RFC 5737: an address of nobody's
NAMED = "https://example.com/"
NUMBERED = "http://192.0.2.1/"


@contextlib.contextmanager
def refused(*places):
    """Forbid the network; these places must have been asked for, and no socket may be left open."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with forbidden("the test") as watch:
            yield
        gc.collect()
    assert [str(one.message) for one in caught if issubclass(one.category, ResourceWarning)] == []
    assert [text.split("`")[3] for text in watch.refused] == list(places)


def causes(error):
    """An error, and those within it."""
    yield error
    for inner in getattr(error, "exceptions", ()):
        yield from causes(inner)


def reaches_for(place, act, *args):
    """Do something that must be refused, and say so in so many words."""
    with refused(place), pytest.raises(BaseException) as caught:
        act(*args)
    (found,) = [one for one in causes(caught.value) if isinstance(one, NetworkForbidden)]
    assert f"`the test` wanted to reach `{place}`, and `agentkit_forbid_network` is on" in str(found)
    assert "mark the test `live`" in str(found)
    del caught, found


# Plain sockets.


def by_a_socket_that_nobody_closes(method, *args, kind=socket.SOCK_STREAM, family=socket.AF_INET):
    getattr(socket.socket(family, kind), method)(*args)


@pytest.mark.parametrize("method", ["connect", "connect_ex"])
def test_a_connection_is_refused_and_its_socket_closed(method):
    reaches_for("192.0.2.1:443", by_a_socket_that_nobody_closes, method, FAR)


def test_a_connection_by_ipv6_is_refused():
    def act():
        by_a_socket_that_nobody_closes("connect", ("2001:db8::1", 443, 0, 0), family=socket.AF_INET6)

    reaches_for("2001:db8::1:443", act)


@pytest.mark.parametrize(("method", "args"), [("sendto", (b"?", FAR)), ("sendmsg", ([b"?"], [], 0, FAR))])
def test_a_datagram_is_refused(method, args):
    def act():
        by_a_socket_that_nobody_closes(method, *args, kind=socket.SOCK_DGRAM)

    reaches_for("192.0.2.1:443", act)


@pytest.mark.parametrize("place", [FAR, ("example.com", 443)])
def test_what_creates_connections_by_itself_is_refused(place):
    reaches_for(f"{place[0]}:443", socket.create_connection, place, 5)


@pytest.mark.parametrize(
    ("look", "args", "place"),
    [
        ("getaddrinfo", ("example.com", 443), "example.com:443"),
        ("getaddrinfo", (b"example.com", None), "example.com"),
        ("gethostbyname", ("example.com",), "example.com"),
        ("gethostbyname_ex", ("example.com",), "example.com"),
        ("gethostbyaddr", ("192.0.2.1",), "192.0.2.1"),
        ("getnameinfo", (FAR, 0), "192.0.2.1"),
        ("getfqdn", ("example.com",), "example.com"),
    ],
)
def test_a_look_up_of_a_name_is_refused(look, args, place):
    reaches_for(place, getattr(socket, look), *args)


@pytest.mark.parametrize("host", ["127.1", "2852039166", "0xa9fea9fe", "192.0.2.1", "::1", "2001:db8::1", None])
def test_a_look_up_of_a_number_asks_nobody_and_is_let_through(host):
    with refused():
        assert socket.getaddrinfo(host, 80)


@pytest.mark.parametrize("look", [socket.getaddrinfo, lambda host, _: socket.gethostbyname(host)])
def test_a_name_that_cannot_be_is_unknown_without_a_question_to_anybody(look):
    with refused(), pytest.raises(socket.gaierror):
        look("nobody.invalid", 80)


def test_this_machine_may_be_reached():
    with refused(), socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for host in ("127.0.0.1", "localhost"):
            socket.create_connection((host, port), 5).close()
        first, second = socket.socketpair()
        with first, second:
            first.sendall(b"x")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.sendto(b"x", ("127.0.0.1", port))


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("", True),
        (None, True),
        ("localhost", True),
        ("LOCALHOST.", True),
        ("app.localhost", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("127.1", True),
        ("2130706433", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", True),
        ("::", True),
        (platform.node(), True),
        (b"127.0.0.1", True),
        (b"example.com", False),
        ("example.com", False),
        ("localhost.example.com", False),
        ("nobody.invalid", False),
        ("<broadcast>", False),
        ("10.0.0.1", False),
        ("8.8.8.8", False),
        ("134744072", False),
        ("2001:db8::1", False),
        ("fe80::1%eth0", False),
        ("::ffff:8.8.8.8", False),
    ],
)
def test_the_guard_knows_this_machine(host, here):
    assert is_here(host) is here


# Libraries.


def by_httpx(url):
    with httpx.Client(trust_env=False) as client:
        client.get(url)


def by_async_httpx(url):
    async def act():
        async with httpx.AsyncClient(trust_env=False) as client:
            await client.get(url)

    asyncio.run(act())


def by_aiohttp(url):
    aiohttp = pytest.importorskip("aiohttp")

    async def act():
        async with aiohttp.ClientSession() as session, session.get(url):
            pass

    asyncio.run(act())


def by_urllib(url):
    urllib.request.urlopen(url, timeout=5)


def by_streams(url):
    host = httpx.URL(url).host

    async def act():
        await asyncio.open_connection(host, 443 if "https" in url else 80)

    asyncio.run(act())


@pytest.mark.parametrize("act", [by_httpx, by_async_httpx, by_aiohttp, by_urllib, by_streams])
@pytest.mark.parametrize(("url", "place"), [(NAMED, "example.com:443"), (NUMBERED, "192.0.2.1:80")])
def test_no_library_gets_through_and_none_leaves_a_socket_open(act, url, place):
    with refused(place), pytest.raises(BaseException) as caught:
        act(url)
    assert any("wanted to reach" in str(one) for one in causes(caught.value))
    del caught


def test_a_datagram_of_an_event_loop_is_refused():
    async def act():
        lost = asyncio.get_running_loop().create_future()

        class Talk(asyncio.DatagramProtocol):
            def connection_lost(self, error):
                lost.set_result(error)

        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: None)
        transport, _ = await loop.create_datagram_endpoint(Talk, family=socket.AF_INET)
        transport.sendto(b"?", FAR)
        return await lost

    with refused("192.0.2.1:443"):
        assert isinstance(asyncio.run(act()), NetworkForbidden)


def test_tls_is_refused_before_it_begins():
    def act():
        ssl.create_default_context().wrap_socket(socket.socket(), server_hostname="x").connect(FAR)

    reaches_for("192.0.2.1:443", act)


@ways
@pytest.mark.parametrize("transport", ["httpx", "aiohttp"])
@pytest.mark.parametrize(
    ("url", "place"), [("https://example.com/v1", "example.com:443"), ("http://192.0.2.1/v1", "192.0.2.1:80")]
)
def test_an_agent_is_refused_and_does_not_try_again(way, transport, url, place):
    if transport == "aiohttp":
        pytest.importorskip("aiohttp")
    agent = Agent(open_model("openai:m", base_url=url, api_key="k", transport=transport))
    with refused(place), pytest.raises(BaseException) as caught:
        go(agent, way, "Hello")
    assert any("wanted to reach" in str(one) for one in causes(caught.value))
    del caught


def test_an_agent_reaches_a_server_of_this_machine():
    with serving(lambda exchange: exchange.reply(completion("Here."))) as server, refused():
        model = open_model("openai:m", base_url=server.url, api_key="k")
        assert Agent(model).run("Hello").output == "Here."


def test_what_a_tool_swallows_is_noted():
    @tool
    def fetch() -> str:
        """Fetch a page."""
        return httpx.get(NUMBERED, trust_env=False).text

    with refused("192.0.2.1:80"):
        result = Agent(Script([call("fetch"), "Done."]), tools=[fetch]).run("Go")
    assert "NetworkForbidden" in result.messages[2].text


def test_other_threads_are_refused_too():
    caught = []

    def work():
        with pytest.raises(NetworkForbidden) as error:
            socket.create_connection(FAR)
        caught.append(str(error.value))

    with refused("192.0.2.1:443"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert len(caught) == 1


def test_a_guard_within_a_guard_notes_for_itself_and_ends_with_its_block():
    with forbidden("outer") as outer:
        with forbidden("inner") as inner, pytest.raises(NetworkForbidden, match="`inner` wanted"):
            socket.create_connection(FAR)
        with pytest.raises(NetworkForbidden, match="`outer` wanted"):
            socket.create_connection(FAR)
    assert (len(inner.refused), len(outer.refused)) == (1, 1)


# As pytest has it.

GUARDED = """
import asyncio, socket, threading
import httpx, pytest
from agentkit.testing import NetworkForbidden

FAR = ("192.0.2.1", 443)

def test_plain():
    socket.create_connection(FAR)

@pytest.mark.anyio
async def test_async():
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.get("https://example.com/")

def test_swallowed():
    try:
        socket.create_connection(FAR)
    except Exception:
        pass

def test_swallowed_and_failed():
    try:
        socket.create_connection(FAR)
    except Exception:
        pass
    assert False, "for want of an answer"

def test_in_a_thread():
    def work():
        with pytest.raises(NetworkForbidden):
            socket.create_connection(FAR)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

@pytest.fixture
def far():
    socket.create_connection(FAR)

def test_in_a_fixture(far):
    pass

@pytest.fixture
def far_at_the_end():
    yield
    socket.create_connection(FAR)

def test_in_a_fixture_at_the_end(far_at_the_end):
    pass

def test_here(sim_server):
    headers = {"Authorization": "Bearer k"}
    assert httpx.get(sim_server.url + "/models", headers=headers, trust_env=False).status_code == 200

@pytest.mark.live
def test_live():
    with socket.socket() as one:
        one.settimeout(0.01)
        with pytest.raises(OSError):
            one.connect(FAR)

@pytest.mark.live
class TestLive:
    def test_of_a_class(self):
        test_live()

@pytest.mark.xfail(raises=NetworkForbidden, strict=True)
def test_expected():
    socket.create_connection(FAR)

@pytest.fixture
def anyio_backend():
    return "asyncio"
"""


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "two processes"])
def test_every_test_is_kept_from_the_network_but_those_marked_live(pytester, options):
    project.ini(pytester, guard=True)
    pytester.makepyfile(test_guarded=GUARDED)
    done = project.run(pytester, "-rA", *options)
    done.assert_outcomes(passed=4, failed=5, errors=2, xfailed=1)  # the one that fails at its end has passed before
    printed = project.report(done)
    for line in (
        "PASSED test_guarded.py::test_here",
        "PASSED test_guarded.py::test_live",
        "PASSED test_guarded.py::TestLive::test_of_a_class",
        "FAILED test_guarded.py::test_swallowed - Failed: ",
        "`test_guarded.py::test_swallowed` wanted to reach `192.0.2.1:443`",
        "assert False\nE       `test_guarded.py::test_swallowed_and_failed` wanted to reach `192.0.2.1:443`",
        "`test_guarded.py::test_async` wanted to reach `example.com:443`",
        "`test_guarded.py::test_in_a_thread` wanted to reach `192.0.2.1:443`",
        "ERROR test_guarded.py::test_in_a_fixture - ",
        "ERROR test_guarded.py::test_in_a_fixture_at_the_end - ",
    ):
        assert line in printed
    assert "ResourceWarning" not in printed


FREE = """
import socket, sys
import pytest

def test_free():
    with socket.socket() as one, pytest.raises(OSError):
        one.settimeout(0.01)
        one.connect(("192.0.2.1", 443))
    heavy = "agentkit.testing.guard agentkit.testing.simulated agentkit.simulator pydantic httpx starlette uvicorn"
    assert [name for name in heavy.split() if name in sys.modules] == []
"""

LIVE = """
import pytest

@pytest.mark.live
def test_live():
    pass
"""


@pytest.mark.slow
def test_without_the_option_there_is_no_guard_and_nothing_heavy_is_loaded(pytester):
    project.ini(pytester)
    pytester.makepyfile(FREE)
    project.run(pytester, "-p", "no:anyio", "-p", "no:hypothesispytest").assert_outcomes(passed=1)


@pytest.mark.slow
def test_the_marker_live_is_known_where_the_option_is_spoken_of_and_only_there(pytester):
    pytester.makepyfile(LIVE)
    project.ini(pytester, guard=False)
    project.run(pytester).assert_outcomes(passed=1)
    assert "live: reaches other machines" in project.report(project.run(pytester, "--markers"))
    project.ini(pytester)
    done = project.run(pytester)
    done.assert_outcomes(errors=1)
    assert "'live' not found in `markers`" in project.report(done)
    assert "agentkit_forbid_network (bool)" in project.report(project.run(pytester, "--help"))


def test_the_interpreter_is_left_alone_until_the_guard_is_wanted():
    program = """
import sys
heard = []
sys.addaudithook(lambda event, arguments: heard.append(event) if event == "sys.addaudithook" else None)
import agentkit.testing.guard
print(len(heard))
for _ in range(3):
    with agentkit.testing.guard.forbidden("x"):
        pass
print(len(heard))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["0", "1"]
