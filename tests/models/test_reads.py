"""Pieces that come without waiting are joined; waits, errors and cancellations are those of the iterator behind."""

import asyncio
import functools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.models.transport.reads import MOST, Reads


def on_a_loop(test):
    @functools.wraps(test)
    def run():
        asyncio.run(test())

    return run


async def pieces(script, log=None):
    """Gives the bytes of a script, and waits for the futures in it."""
    try:
        for step in script:
            if isinstance(step, bytes):
                yield step
            elif isinstance(step, Exception):
                raise step
            else:
                await step
    except asyncio.CancelledError:
        if log is not None:
            log.append("cancelled")
        raise


async def all_of(reads):
    whole = []
    while read := await reads.read():
        whole.append(read)
    return whole


async def turns(count):
    for _ in range(count):
        await asyncio.sleep(0)


def later():
    """A future that is done at the next turn of the event loop."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.call_soon(future.set_result, None)
    return future


@on_a_loop
async def test_what_comes_at_once_is_joined_but_for_the_first_after_a_wait():
    reads = Reads(pieces([b"a", b"b", b"c", later(), b"d", b"e"]))
    assert await all_of(reads) == [b"a", b"bc", b"d", b"e"]
    await reads.aclose()


@on_a_loop
async def test_an_iterator_that_never_waits_is_handed_on_in_parts():
    reads = Reads(pieces([b"x"] * (2 * MOST + 1)))
    assert [len(read) for read in await all_of(reads)] == [1, MOST, MOST]
    await reads.aclose()


@given(st.lists(st.binary(max_size=3) | st.integers(0, 2), max_size=20))
def test_nothing_is_lost_or_moved(script):
    async def read():
        reads = Reads(pieces([step if isinstance(step, bytes) else turns(step) for step in script]))
        whole = b"".join(await all_of(reads))
        assert await reads.read() == b""
        await reads.aclose()
        return whole

    assert asyncio.run(read()) == b"".join(step for step in script if isinstance(step, bytes))


@on_a_loop
async def test_pieces_come_before_the_error_behind_them_and_it_comes_once():
    reads = Reads(pieces([b"a", b"b", b"c", ValueError("broken")]))
    assert [await reads.read(), await reads.read()] == [b"a", b"bc"]
    with pytest.raises(ValueError, match="broken"):
        await reads.read()
    assert await reads.read() == b""
    await reads.aclose()


@on_a_loop
async def test_who_is_cancelled_in_a_wait_cancels_what_is_waited_for():
    log, never = [], asyncio.get_running_loop().create_future()
    reads = Reads(pieces([b"a", b"b", never], log))
    assert [await reads.read(), await reads.read()] == [b"a", b"b"]  # the wait has begun behind the second
    task = asyncio.ensure_future(reads.read())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["cancelled"]
    assert never.cancelled()
    await reads.aclose()


@on_a_loop
async def test_closing_ends_a_wait_that_has_begun():
    log, never = [], asyncio.get_running_loop().create_future()
    reads = Reads(pieces([b"a", b"b", never], log))
    assert [await reads.read(), await reads.read()] == [b"a", b"b"]
    await reads.aclose()
    assert log == ["cancelled"]
    await reads.aclose()


@on_a_loop
async def test_closing_without_reading_and_between_two_pieces_is_quiet():
    await Reads(pieces([b"a"])).aclose()
    reads = Reads(pieces([b"a", b"b"]))
    assert await reads.read() == b"a"
    await reads.aclose()


@on_a_loop
async def test_who_is_cancelled_while_closing_hears_of_it():
    async def slow_to_go():
        yield b"a"
        yield b"b"
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.get_running_loop().create_future()

    reads = Reads(slow_to_go())
    assert [await reads.read(), await reads.read()] == [b"a", b"b"]
    task = asyncio.ensure_future(reads.aclose())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
