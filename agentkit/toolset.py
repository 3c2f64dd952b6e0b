"""Groups of tools: under other names, chosen anew at each step, with a connection that is open while they are used.

A lifetime is entered once per event loop and left by the same task, which owns it, as anyio's cancel scopes and much
else demand. It stays open from run to run, until `agentkit.close()`, `agentkit.aclose()`, or the end of its loop.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from agentkit.errors import Cancelled, ConfigurationError
from agentkit.messages import Entry, Note
from agentkit.threads import without_stop_iteration
from agentkit.tools import Context, Tool, as_tools

if TYPE_CHECKING:
    import asyncio

AnyTool = Tool[..., Any]
Prepare = Callable[[Context[Any], Sequence[AnyTool]], Iterable[Any]]
"""Takes what a tool may know of the run, and the tools; gives those to offer at this step."""

Lifetime = Callable[[], AbstractAsyncContextManager[Iterable[Any] | None]]
"""Makes what is entered before the tools are used; entering may give tools."""

OFFERED = "tools"
"""The kind of the note that says which tools a model is offered from here on: `data["names"]`."""

CLOSE_SECONDS = 2.0
"""How long closing waits for lifetimes to end, in seconds."""


class Toolset:
    """A group of tools; an agent takes it among its `tools`.

    Args:
        tools: Functions, tools and groups.
        prefix: What is put before each name.
        filter: Which tools belong to the group: a function of the tool, or their names. Asked before names change.
        rename: Other names: a function of the name, or a mapping from old to new ones. The prefix comes before them.
        prepare: A function of the run's `Context` and the tools that gives those to offer, asked before each request.
            What it leaves out cannot be called. Tools stand at the beginning of a prompt, so endpoints forget what
            they have cached of a conversation whenever it gives others than before.
        lifetime: Makes an async context manager, which is entered before the first use. It may give tools, which join
            the group.

    Raises:
        ConfigurationError: Two tools have one name, or a name is none that endpoints take.
    """

    def __init__(
        self,
        tools: Iterable[Any] = (),
        *,
        prefix: str = "",
        filter: Callable[[AnyTool], bool] | Collection[str] | None = None,
        rename: Callable[[str], str] | Mapping[str, str] | None = None,
        prepare: Prepare | None = None,
        lifetime: Lifetime | None = None,
    ) -> None:
        if isinstance(filter, str):
            raise ConfigurationError(
                f"`filter={filter!r}`: give a list of names, or a function of the tool", code="bad-value"
            )
        self._prefix = prefix
        self._filter = filter
        self._rename = rename
        self._prepare = prepare
        self._lifetime = lifetime
        self._renamed: WeakKeyDictionary[AnyTool, AnyTool] = WeakKeyDictionary()
        self._members: list[AnyTool | Toolset] = list(_members(tools))
        self._known: dict[str, AnyTool] | None = None  # the tools by name, of a group that always has the same ones
        known = self.named()
        if not (self.changes or self._may_differ):
            self._known = known

    @property
    def tools(self) -> tuple[AnyTool, ...]:
        """The tools that are known before a run, as the model is shown them."""
        return tuple(self.named().values())

    @property
    def changes(self) -> bool:
        """Whether a run must ask the group which tools there are."""
        if self._known is not None:
            return False
        return bool(self._prepare or self._lifetime) or any(
            one.changes for one in self._members if isinstance(one, Toolset)
        )

    @property
    def _may_differ(self) -> bool:
        """Whether functions say which tools there are and how they are called: they may say otherwise another time."""
        return (
            callable(self._filter)
            or callable(self._rename)
            or any(one._may_differ for one in self._members if isinstance(one, Toolset))
        )

    def __repr__(self) -> str:
        return f"Toolset([{', '.join(tool.name for tool in self.tools)}])"

    def named(self, context: Context[Any] | None = None, opened: Opened | None = None) -> dict[str, AnyTool]:
        """`offered` by name.

        Raises:
            ConfigurationError: Two tools have one name.
        """
        return as_tools(self.offered(context, opened)) if self._known is None else dict(self._known)

    def offered(self, context: Context[Any] | None = None, opened: Opened | None = None) -> tuple[AnyTool, ...]:
        """The tools to offer.

        Args:
            context: What `prepare` is asked with; without it, it is not asked and leaves nothing out.
            opened: The tools that lifetimes gave, by group.
        """
        found: list[AnyTool] = []
        for one in self._members:
            if isinstance(one, Toolset):
                found += one.offered(context, opened)
            else:
                found.append(one)
        found += (opened or {}).get(self, ())
        shown = tuple(self._shown(tool) for tool in found if self._holds(tool))
        if self._prepare is None or context is None:
            return shown
        chosen: Any = self._prepare(context, shown)
        if inspect.isawaitable(chosen):
            if inspect.iscoroutine(chosen):
                chosen.close()
            raise ConfigurationError(
                "`prepare` of a `Toolset` is a plain function; it cannot be awaited", code="sync-or-async"
            )
        return tuple(as_tools(chosen).values())

    def _holds(self, tool: AnyTool) -> bool:
        if self._filter is None:
            return True
        return bool(self._filter(tool)) if callable(self._filter) else tool.name in self._filter

    def _shown(self, tool: AnyTool) -> AnyTool:
        """The tool under its name in this group; the same object each time, since definitions are kept by it."""
        name = tool.name
        if self._rename is not None:
            name = self._rename(name) if callable(self._rename) else self._rename.get(name, name)
        name = self._prefix + name
        if name == tool.name:
            return tool
        if (known := self._renamed.get(tool)) is None or known.name != name:
            known = self._renamed[tool] = tool.renamed(name)
        return known

    async def opened(self) -> Opened:
        """Enter the lifetimes of the group and of the groups in it, on the running loop, where that was not done yet.

        Raises:
            Exception: What entering raised; the next run tries again.
        """
        found: dict[Toolset, tuple[AnyTool, ...]] = {}
        for one in self._members:
            if isinstance(one, Toolset):
                found.update(await one.opened())
        if self._lifetime is not None:
            found[self] = await self._enter(self._lifetime)
        return found

    async def _enter(self, lifetime: Lifetime) -> tuple[AnyTool, ...]:
        import asyncio

        loop = asyncio.get_running_loop()
        for one in [one for one in _owners if one.is_closed()]:
            del _owners[one]
        owners = _owners.setdefault(loop, {})
        owner = owners.get(self)
        if owner is None or owner.task.done():
            owner = owners[self] = _Owner(loop, lifetime)
        # a run that is cancelled meanwhile does not take it from others who wait
        return await asyncio.shield(owner.ready)


Opened = Mapping[Toolset, tuple[AnyTool, ...]]
"""The tools that lifetimes gave, by group."""


def _members(items: Any) -> Iterable[AnyTool | Toolset]:
    if isinstance(items, str | bytes | Mapping) or not hasattr(items, "__iter__"):
        as_tools(cast("Any", items))  # says what is wrong
    for item in cast("Iterable[Any]", items):
        if isinstance(item, Toolset):
            yield item
        elif (
            not callable(item)
            and not hasattr(item, "__func__")
            and isinstance(group := getattr(item, "tools", None), Iterable)
        ):
            yield from _members(group)
        else:
            yield from as_tools([item]).values()


def names_offered(entries: Sequence[Entry]) -> list[str] | None:
    """The names in the last note of what was offered; `None` where there is none, so that all were."""
    for entry in reversed(entries):
        if isinstance(entry, Note) and entry.kind == OFFERED:
            names: Any = entry.data.get("names")
            return [str(name) for name in cast("list[Any]", names)] if isinstance(names, list) else None
    return None


# Lifetimes.


class _Owner:
    """The task that enters a lifetime and leaves it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, lifetime: Lifetime) -> None:
        import asyncio

        self.ready: asyncio.Future[tuple[AnyTool, ...]] = loop.create_future()
        self.ready.add_done_callback(lambda ready: ready.cancelled() or ready.exception())  # somebody may have gone
        self._lifetime = lifetime
        self._over = asyncio.Event()
        self.task = loop.create_task(self._live(), name="agentkit-lifetime")

    async def _live(self) -> None:
        import asyncio

        try:
            async with self._lifetime() as given:
                self.ready.set_result(() if given is None else tuple(as_tools(given).values()))
                await self._over.wait()
        except asyncio.CancelledError:
            if not self.ready.done():
                self.ready.set_exception(Cancelled("the event loop ended while a toolset was being opened"))
            raise
        except BaseException as error:  # also KeyboardInterrupt, which out of a task would end the event loop
            if not self.ready.done():
                self.ready.set_exception(without_stop_iteration(error))
            else:
                import logging

                logging.getLogger("agentkit").warning("the lifetime of a toolset ended with an error", exc_info=error)

    def end(self) -> None:
        """Let the task leave the lifetime."""
        self._over.set()


_owners: dict[asyncio.AbstractEventLoop, dict[Toolset, _Owner]] = {}


async def _end(loop: asyncio.AbstractEventLoop) -> None:
    """Leave the lifetimes of the running loop, and wait for that."""
    owners = _owners.pop(loop, {}).values()
    for owner in owners:
        owner.end()
    if tasks := [owner.task for owner in owners if not owner.task.done()]:
        import asyncio

        await asyncio.wait(tasks, timeout=CLOSE_SECONDS)


def close_all() -> None:
    """Leave the lifetimes on all loops that run, and wait for those of other threads."""
    if not _owners:
        return
    import asyncio

    try:
        here = asyncio.get_running_loop()
    except RuntimeError:
        here = None
    for loop in list(_owners):
        if loop.is_running():
            future = asyncio.run_coroutine_threadsafe(_end(loop), loop)
            if loop is not here:
                with suppress(Exception):  # it takes too long, or the loop stops meanwhile
                    future.result(CLOSE_SECONDS + 1)


async def aclose_all() -> None:
    """The same, from an event loop: its own lifetimes are left on return."""
    import asyncio

    here = asyncio.get_running_loop()
    for loop in list(_owners):
        if loop is here:
            await _end(loop)
        elif loop.is_running():
            future = asyncio.run_coroutine_threadsafe(_end(loop), loop)
            with suppress(Exception):
                await asyncio.wait_for(asyncio.wrap_future(future), CLOSE_SECONDS + 1)
