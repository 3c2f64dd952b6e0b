"""The web tool: pages of the public web as text, and nothing of this machine, its network or its cloud.

The servers are real ones on the loopback interface, which the tool is allowed for that.
"""

import asyncio
import contextlib
import gzip
import shutil
import ssl
import subprocess

import pytest

from agentkit import ConfigurationError, ToolError
from agentkit_tools.web import web

LOOPBACK = ["127.0.0.0/8"]


class Site:
    """A server of whole replies by path; `asked` has the heads of the requests. A function as reply writes itself."""

    def __init__(self, pages):
        self.pages = pages
        self.asked = []
        self.over = asyncio.Event()
        self.serving = set()

    async def serve(self, reader, writer):
        self.serving.add(asyncio.current_task())
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.asked.append(head)
                reply = self.pages[head.split()[1]]
                if callable(reply):
                    await reply(writer, self.over)
                else:
                    writer.write(reply)
                    await writer.drain()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def reply(body, kind="text/html", status="200 OK", **headers):
    body = body.encode() if isinstance(body, str) else body
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{more}\r\n".encode() + body


def moved(target, status="302 Found"):
    return reply("", status=status, location=target)


def fetch(pages, *paths, certificate=None, **options):
    """What is told for each path of a site, or the words of its refusal; and the heads of the requests."""

    async def scenario():
        site = Site(pages)
        server = await asyncio.start_server(site.serve, "127.0.0.1", 0, ssl=certificate)
        port = server.sockets[0].getsockname()[1]
        for path, page in pages.items():
            if isinstance(page, bytes):
                pages[path] = page.replace(b"PORT", str(port).encode())
        (tool,) = web(**{"allow_private": LOOPBACK, "timeout": 20, **options})
        told = []
        for path in paths:
            path, given = path if isinstance(path, tuple) else (path, {})
            url = path if "://" in path else f"http://127.0.0.1:PORT{path}"
            try:
                told.append(await tool(url.replace("PORT", str(port)), **given))
            except ToolError as error:
                told.append(f"refused: {error}")
        site.over.set()
        server.close()
        await server.wait_closed()
        await asyncio.gather(
            *site.serving, return_exceptions=True
        )  # else the loop is closed under connections that are being closed
        return [one.replace(str(port), "PORT") for one in told], site.asked

    return asyncio.run(scenario())


def test_a_page_is_told_as_text():
    page = "<title>The  page</title><p>Hello <a href='/x'>you</a><script>no</script><p>End"
    (told, linked), asked = fetch({"/p": reply(page)}, "/p#part", ("/p", {"links": True}))
    assert told == "http://127.0.0.1:PORT/p\nTitle: The page\n\nHello you\nEnd"
    assert "[you](http://127.0.0.1:PORT/x)" in linked
    head = asked[0].lower()
    assert head.startswith("get /p http/1.1\r\nhost: 127.0.0.1:")
    assert "cookie" not in head
    assert "authorization" not in head


def test_text_of_other_kinds_is_told_as_it_is():
    told, _ = fetch(
        {
            "/json": reply('{"a": "<b>"}', "application/json"),
            "/ld": reply("{}", "application/ld+json; charset=utf-8"),
            "/plain": reply("a < b\r\n\x1b[2Jc\u202ed\x00", "text/plain"),
            "/none": b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n<p>page</p>\n",
            "/empty": reply(""),
            "/close": b"HTTP/1.0 200 OK\r\ncontent-type: text/plain\r\n\r\nold",
        },
        "/json", "/ld", "/none", "/empty", "/close",
    )  # fmt: skip
    assert [one.partition("\n\n")[2] for one in told] == ['{"a": "<b>"}', "{}", "page", "(no text)", "old"]


def test_a_terminal_obeys_nothing_in_a_page():
    (told,), _ = fetch(
        {"/": reply("<title>\x1b]0;x\x07t\n\u202ee</title>a\x1b[2Jb\u202ec\U000e0041\x9bd<p>\rline")}, "/"
    )
    assert told == "http://127.0.0.1:PORT/\nTitle: t e\n\nabcd\nline"


@pytest.mark.parametrize(
    ("charset", "named"),
    [
        ("gbk", "gbk"),
        ("shift_jis", "Shift_JIS"),
        ("euc-kr", "EUC-KR"),
        ("latin-1", "ISO-8859-1"),
        ("utf-16", ""),
        ("utf-8-sig", ""),
    ],
)
def test_the_character_set_is_taken_from_the_head_or_a_mark(charset, named):
    text = {"gbk": "你好", "shift_jis": "日本", "euc-kr": "한국", "latin-1": "é"}.get(charset, "héllo 你好")
    kind = f'text/plain; charset="{named}"' if named else "text/plain"
    (told,), _ = fetch({"/": reply(text.encode(charset), kind)}, "/")
    assert told.endswith(f"\n\n{text}")


def test_the_character_set_is_taken_from_the_page_itself():
    page = b"<html><head><meta http-equiv=x content='text/html; charset=gbk'><p>" + "你好".encode("gbk")
    assert fetch({"/": reply(page)}, "/")[0][0].endswith("你好")


def test_character_sets_that_are_traps_are_not_used():
    """Python would read these for minutes, or unpack them."""
    for name in (
        "punycode",
        "idna",
        "unicode_escape",
        "zlib",
        "hex",
        "utf-7",
        "undefined",
        "mbcs",
        "../../etc",
        "x" * 40,
    ):
        (told,), _ = fetch({"/": reply("abc-" * 20_000, f"text/plain; charset={name}")}, "/")
        assert "abc-abc-" in told


def test_a_long_page_is_told_in_parts():
    pages = {"/": reply("<p>" + "0123456789" * 100)}
    (first, second, last, behind, wrong), _ = fetch(
        pages,
        "/",
        ("/", {"start": 400}),
        ("/", {"start": 800}),
        ("/", {"start": 1000}),
        ("/", {"start": -1}),
        max_chars=400,
    )
    assert first.endswith("9\n[more text follows: go on with start=400]")
    assert second.count("0123456789") == 40
    assert last.endswith("0123456789")
    assert behind == "refused: the text of the page has 1,000 characters, and none from 1,000 on"
    assert wrong == "refused: `start` must be 0 or more"


def test_what_is_no_page_is_told_in_words():
    told, _ = fetch(
        {
            "/404": reply("secret words", status="404 Not Found"),
            "/500": reply("", status="500 Oh\x07 no"),
            "/png": reply(b"\x89PNG", "image/png"),
            "/zip": reply(b"PK", "application/zip"),
            "/zero": reply(b"a\0b", "text/plain"),
            "/garbage": b"\0\1\2\r\n\r\n",
            "/short": b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 99\r\n\r\nshort",
            "/heads": b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100_000 + b"\r\n",
            "/br": reply(b"x", content_encoding="br"),
            "/twice": reply(gzip.compress(gzip.compress(b"x")), content_encoding="gzip, gzip"),
            "/nozip": reply(b"no gzip", content_encoding="gzip"),
        },
        "/404", "/png", "/zip", "/zero", "/garbage", "/short", "/heads", "/br", "/twice", "/nozip",
    )  # fmt: skip
    assert all(one.startswith("refused: ") and len(one) < 200 for one in told), told
    assert [one.partition("` ")[2] for one in told[:4]] == [
        "was answered with 404 Not Found",
        "is no text but `image/png`",
        "is no text but `application/zip`",
        "is no text",
    ]
    assert "does not speak HTTP" in told[4]
    assert "packed" in told[7] + told[8] + told[9]


def test_a_bomb_is_unpacked_no_further_than_is_read():
    bomb = gzip.compress(b"<p>" + b"a" * 50_000_000, 9)
    nested = reply(bomb, content_encoding="gzip")
    plain = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 99999999999\r\n\r\n" + b"b" * 300_000
    told, _ = fetch({"/bomb": nested, "/big": plain}, "/bomb", "/big", max_bytes=100_000, max_chars=1_000)
    for one in told:
        assert len(one) < 1_300
        assert one.endswith("[the page is longer than 100,000 bytes; the rest was not read]")
    assert "go on with start=1000]" in told[0]


def test_a_page_that_comes_too_slowly_is_given_up():
    async def nothing(writer, over):
        await over.wait()

    async def half_a_head(writer, over):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: te")
        await over.wait()

    async def a_drop_at_a_time(writer, over):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n")
        while not over.is_set():
            writer.write(b".")
            await writer.drain()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), 0.01)

    async def informed_for_ever(writer, over):
        while not over.is_set():
            writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            await writer.drain()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), 0.01)

    pages = {"/1": nothing, "/2": half_a_head, "/3": a_drop_at_a_time, "/4": informed_for_ever}
    told, _ = fetch(pages, *pages, timeout=0.2)
    assert [one.partition("` ")[2] for one in told] == ["did not come within 0.2 seconds"] * 4


def test_a_name_that_is_looked_up_for_ever_is_given_up():
    async def never(host, port):
        await asyncio.Event().wait()

    (told,), _ = fetch({}, "http://slow.test/", resolve=never, timeout=0.1)
    assert told.endswith("did not come within 0.1 seconds")


# Where it goes.


LOCAL = [
    "http://127.0.0.1:PORT/",
    "http://127.0.0.1.:PORT/",
    "http://localhost:PORT/",
    "http://LOCALHOST:PORT/",
    "http://localhost.:PORT/",
    "http://127.1:PORT/",
    "http://127.0.1:PORT/",
    "http://2130706433:PORT/",
    "http://0x7f000001:PORT/",
    "http://0x7f.1:PORT/",
    "http://0177.0.0.1:PORT/",
    "http://017700000001:PORT/",
    "http://0:PORT/",
    "http://0.0.0.0:PORT/",
    "http://[::]:PORT/",
    "http://[::1]:PORT/",
    "http://[0:0:0:0:0:0:0:1]:PORT/",
    "http://[::ffff:127.0.0.1]:PORT/",
    "http://[::ffff:7f00:1]:PORT/",
    "http://[::127.0.0.1]:PORT/",
    "http://[64:ff9b::7f00:1]:PORT/",
    "http://[64:ff9b:1::7f00:1]:PORT/",
    "http://[2002:7f00:1::1]:PORT/",
    "http://[2001:0:7f00:1::80ff:fffe]:PORT/",
    "http://[fe80::1%25lo]:PORT/",
    "http://①②⑦.⓪.⓪.①:PORT/",
    "http://127。0。0。1:PORT/",
    "http://ⓛocalhost:PORT/",
    "http://example.com@127.0.0.1:PORT/",
    "http://127.0.0.1:PORT#@example.com/",
    "http://127.0.0.1:PORT\\@example.com/",
    "http:\\\\127.0.0.1:PORT/",
    "http://%31%32%37.0.0.1:PORT/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://169.254.0.23/",
    "http://100.100.100.200/",
    "http://168.63.129.16/",
    "http://192.0.0.192/",
    "http://[fd00:ec2::254]/",
    "http://[fd20:ce::254]/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://[fc00::1]/",
    "http://[fec0::1]/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://240.0.0.1/",
    "http://198.18.0.1/",
    "http://192.88.99.1/",
    "http://[ff02::1]/",
    "http://[2001:db8::1]/",
]


@pytest.mark.parametrize("url", LOCAL)
def test_no_address_but_the_public_webs_is_connected_to(url):
    (told,), asked = fetch({"/": reply("inside")}, url, allow_private=False)
    assert told.startswith("refused: ")
    assert "inside" not in told
    assert asked == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "//example.com/",
        "file:///etc/passwd",
        "ftp://example.com/",
        "gopher://127.0.0.1:70/_x",
        "data:text/html,x",
        "javascript:alert(1)",
        "http://",
        "http:///x",
        "https://user:password@example.com/",
        "https://user@example.com/",
        "http://example.com:22/",
        "http://example.com:25/",
        "http://example.com:0/",
        "http://example.com:99999/",
        "http://example.com:x/",
        "http://exa mple.com/",
        "http://exam\nple.com/",
        "http://example.com\r\nhost: other/",
        "http://exam\0ple.com/",
        "http://[/",
        "http://[::1/",
        "http://-/",
        "http://" + "a." * 900,
        "http://" + "a" * 300 + ".com/",
        "https://example.com/" + "x" * 5_000,
        "http://\ud800/",
    ],
    ids=lambda url: ascii(url[:40]),
)
def test_what_is_no_address_of_a_page_is_refused_before_it_is_looked_up(url):
    looked_up = []

    async def resolve(host, port):
        looked_up.append(host)
        return []

    (told,), _ = fetch({}, url, resolve=resolve)
    assert told.startswith("refused: ")
    assert len(told) < 500
    assert looked_up == []


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data/",
        "//169.254.169.254/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://10.0.0.1/",
        "http://metadata.test/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1:PORT/_x",
        "http://user:x@127.0.0.1:PORT/end",
        "http://127.0.0.1:22/",
        "http://[",
        "javascript:alert(1)",
        "http://127.0.0.1:PORT/" + "x" * 4_000,
    ],
    ids=lambda target: target[:40],
)
def test_each_redirect_is_checked(target):
    async def resolve(host, port):
        return ["169.254.169.254"]

    pages = {"/1": moved("/2", "308 Permanent Redirect"), "/2": moved(target), "/end": reply("inside")}
    (told,), asked = fetch(pages, "/1", resolve=resolve)
    assert told.startswith("refused: ")
    assert "inside" not in told
    assert len(asked) == 2


def test_redirects_are_followed_and_counted():
    pages = {f"/{n}": moved(f"{n + 1}", "301 Moved") for n in range(5)} | {
        "/5": reply("there"),
        "/loop": moved("/loop"),
    }
    (there, short, loop), asked = fetch(pages, "/0", ("/1", {}), "/loop")
    assert there == "http://127.0.0.1:PORT/5\n\nthere"
    assert short.endswith("there")
    assert loop.startswith("refused: there are more than 5 redirects")
    assert len(asked) == 6 + 5 + 6
    (one,), asked = fetch({"/1": moved("/2"), "/2": reply("x")}, "/1", max_redirects=0)
    assert "more than 0 redirects" in one
    assert len(asked) == 1


def test_the_connection_goes_to_the_address_that_was_checked():
    """A name that is harmless when it is looked up first, and means something else a moment later, gains nothing."""
    answers = iter([["127.0.0.1"], ["169.254.169.254"], ["169.254.169.254"]])
    looked_up = []

    async def resolve(host, port):
        looked_up.append((host, port))
        return next(answers)

    (told, again), asked = fetch(
        {"/": reply("page")}, "http://rebind.test:PORT/", "http://rebind.test:PORT/", resolve=resolve
    )
    assert told == "http://rebind.test:PORT/\n\npage"
    assert "host: rebind.test:" in asked[0].lower()
    assert again.startswith("refused: the host `rebind.test`")
    assert [host for host, _ in looked_up] == ["rebind.test", "rebind.test"]
    assert len(asked) == 1


def test_of_several_addresses_only_the_allowed_are_tried():
    async def resolve(host, port):
        return {
            "mixed.test": ["169.254.169.254", "::ffff:127.0.0.1", "127.0.0.1"],
            "second.test": ["127.0.0.2", "127.0.0.1"],
            "none.test": [],
            "odd.test": ["not an address", "fe80::1%eth0", ""],
        }[host]

    urls = [f"http://{name}.test:PORT/" for name in ("mixed", "second", "none", "odd")]
    (mixed, second, none, odd), asked = fetch({"/": reply("page")}, *urls, resolve=resolve)
    assert mixed.endswith("page")
    assert second.endswith("page")
    assert none.startswith("refused: the host `none.test`")
    assert odd.startswith("refused: the host `odd.test`")
    assert len(asked) == 2


def test_private_networks_are_allowed_as_far_as_they_are_named():
    for allowed, passes in (
        (True, True),
        ("127.0.0.1", True),
        (["127.0.0.1/32", "10.0.0.0/8"], True),
        (["10.0.0.0/8"], False),
        (["::/0"], False),
        ([], False),
    ):
        (told,), asked = fetch({"/": reply("page")}, "/", allow_private=allowed)
        assert told.endswith("page") is passes
        assert len(asked) == passes
    for url in ("http://169.254.169.254/", "http://[fe80::1]/", "http://224.0.0.1/", "http://0.0.0.0:PORT/"):
        assert fetch({}, url, allow_private=True)[0][0].startswith("refused: the host")


def test_only_named_hosts_are_read_where_there_are_some():
    async def resolve(host, port):
        return ["127.0.0.1"]

    pages = {"/": reply("page"), "/out": moved("http://evil.test:PORT/")}
    urls = ["http://docs.test:PORT/", "http://DOCS.test.:PORT/", "http://a.b.wiki.test:PORT/"]
    names = (
        "evil.test",
        "xdocs.test",
        "docs.test.evil.test",
        "wiki.test",
        "xwiki.test",
        "127.0.0.1",
        "docs.test@evil.test",
    )
    wrong = [*(f"http://{name}:PORT/" for name in names), "http://docs.test:PORT/out"]
    told, asked = fetch(pages, *urls, *wrong, resolve=resolve, hosts=["Docs.test", "*.wiki.test"])
    assert all(one.endswith("page") for one in told[:3])
    assert all(one.startswith("refused: ") for one in told[3:])
    assert len(asked) == 4
    assert "docs.test, *.wiki.test" in web(hosts=["docs.test", "*.wiki.test"])[0].description


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Contexts of a server whose certificate is for `safe.test`, and of a client that trusts it."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl, to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout {key} -out {cert}"
    names = ["-subj", "/CN=safe.test", "-addext", "subjectAltName=DNS:safe.test"]
    subprocess.run([openssl, *command.split(), *names], check=True, capture_output=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key)
    return server, ssl.create_default_context(cafile=cert)


def test_certificates_are_checked_for_the_name_though_the_connection_goes_to_the_address(certificates):
    server, client = certificates

    async def resolve(host, port):
        return ["127.0.0.1"]

    pages = {"/": reply("page"), "/other": moved("https://other.test:PORT/")}
    urls = [
        "https://safe.test:PORT/",
        "https://other.test:PORT/",
        "https://127.0.0.1:PORT/",
        "https://safe.test:PORT/other",
    ]
    told, asked = fetch(pages, *urls, resolve=resolve, certificate=server, verify=client)
    assert told[0].endswith("page")
    assert [one.partition("had: ")[2] for one in told[1:]] == ["no connection, or its certificate is not trusted"] * 3
    assert len(asked) == 2
    (untrusted,), asked = fetch(pages, urls[0], resolve=resolve, certificate=server)
    assert untrusted.startswith("refused: ")
    assert asked == []


def test_no_proxy_or_password_of_the_environment_is_used(monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("default login me password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    (told,), asked = fetch({"/": reply("page")}, "/")
    assert told.endswith("page")
    assert "authorization" not in asked[0].lower()


def test_a_run_that_is_stopped_closes_the_connection():
    async def scenario():
        begun, closed = asyncio.Event(), asyncio.Event()

        async def serve(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            begun.set()
            await reader.read()  # ends when the other side closes
            writer.close()
            await writer.wait_closed()
            closed.set()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        (tool,) = web(allow_private=True)
        task = asyncio.create_task(tool(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(closed.wait(), 10)
        server.close()
        await server.wait_closed()

    asyncio.run(scenario())


def test_mistakes_of_the_developer_are_told_at_once():
    for options in ({"timeout": 0}, {"max_bytes": 0}, {"max_chars": 1}, {"max_redirects": -1}):
        with pytest.raises(ConfigurationError, match="must be"):
            web(**options)
    with pytest.raises(ConfigurationError, match="is a list"):
        web(hosts="example.com")
    with pytest.raises(ConfigurationError, match="allow_private"):
        web(allow_private=["example.com"])
    assert web()[0].side_effects == "none"
