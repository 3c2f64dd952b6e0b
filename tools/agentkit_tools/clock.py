"""Tools that tell the time: now, in any time zone, and a time of one zone in another.

    agent = Agent("deepseek:deepseek-flash", tools=clock(zone="Europe/Paris"))

A model does not know what day it is. Zones are those of the system's time zone database (`zoneinfo`, or the package
`tzdata`), by their names; a name is looked up in the list of names before it goes anywhere near a file.
"""

from __future__ import annotations

import functools
import re
import zoneinfo
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from difflib import get_close_matches
from typing import Any

from agentkit import ConfigurationError, Tool, ToolError, tool
from agentkit_tools._text import one_line

_LONGEST = 64


def clock(now: Callable[[], datetime] | None = None, *, zone: str = "UTC") -> list[Tool[..., Any]]:
    """The tools `current_time` and `convert_time`.

    Args:
        now: Gives the present time, with a time zone; the system's clock unless given. Tests hand in their own.
        zone: The zone in which the time is told where the model does not ask for another.

    Raises:
        ConfigurationError: There is no such `zone`.
    """
    try:
        home = _zone(zone)
    except ToolError as error:
        raise ConfigurationError(f"`clock(zone={zone!r})`: {error}") from error
    told = now or functools.partial(datetime.now, UTC)

    def present() -> datetime:
        time = told()
        if time.tzinfo is None:
            raise ConfigurationError("`clock(now=…)` gave a time without a time zone; use `datetime.now(UTC)`")
        return time

    @tool(side_effects="none")
    def current_time(zone: str = "") -> str:
        """Tell the present date and time, with the day of the week.

        Args:
            zone: A time zone by its name in the time zone database, e.g. Asia/Shanghai; without it, the usual one.
        """
        return _said(present().astimezone(_zone(zone) if zone.strip() else home))

    @tool(side_effects="none")
    def convert_time(time: str, to_zone: str, from_zone: str = "") -> str:
        """Tell what a time in one time zone is in another.

        Args:
            time: Date and time, e.g. 2026-03-29T14:30; or the time of today alone, e.g. 14:30.
            to_zone: The zone wanted, e.g. America/New_York.
            from_zone: The zone that `time` is meant in; without it, the usual one, or the offset given in `time`.
        """
        source = _zone(from_zone) if from_zone.strip() else home
        moment = _moment(time, source, present)
        if moment.tzinfo is not None and from_zone.strip():
            raise ToolError("`time` has an offset already: leave out `from_zone`, or the offset")
        wanted = _zone(to_zone)
        if moment.tzinfo is not None:
            return _said(_shifted(moment, wanted))
        return " or ".join(_said(_shifted(one, wanted)) for one in _meant(moment, source))

    return [current_time, convert_time]


def _zone(name: str) -> tzinfo:
    """A time zone by name; upper and lower case count the same.

    Raises:
        ToolError: There is none; its text names near ones.
    """
    wanted = name.strip().replace(" ", "_").casefold()
    if wanted in ("utc", "z", "gmt"):
        return UTC
    names = _names()
    if len(wanted) <= _LONGEST and (known := names.get(wanted)):
        return zoneinfo.ZoneInfo(known)
    near = get_close_matches(wanted, names, 3, 0.6) if len(wanted) <= _LONGEST else []
    near += [one for one in names if one.rpartition("/")[2] == wanted.rpartition("/")[2]][: 3 - len(near)]
    hint = f"; did you mean {' or '.join(f'`{names[one]}`' for one in dict.fromkeys(near))}?" if near else ""
    raise ToolError(f"there is no time zone `{one_line(name, _LONGEST)}`{hint or '; an example is `Europe/Paris`'}")


@functools.cache
def _names() -> dict[str, str]:
    return {name.casefold(): name for name in sorted(zoneinfo.available_timezones())}


def _moment(text: str, zone: tzinfo, present: Callable[[], datetime]) -> datetime:
    whole = text.strip()
    if re.fullmatch(r"[0-9]{1,2}:[0-9]{2}", whole):
        whole = f"{present().astimezone(zone).date().isoformat()}T{whole.zfill(5)}"
    try:
        return datetime.fromisoformat(whole[: _LONGEST + 1])
    except ValueError:
        shown = one_line(text, _LONGEST)
        raise ToolError(f"`{shown}` is no time: write it as 2026-03-29T14:30 or, for today, 14:30") from None


def _meant(moment: datetime, zone: tzinfo) -> list[datetime]:
    """The moments that a zone's own time may mean: one; two, where clocks are put back.

    Raises:
        ToolError: None, where clocks are put forward.
    """
    both = [moment.replace(tzinfo=zone, fold=fold) for fold in (0, 1)]
    offsets = [one.utcoffset() or timedelta() for one in both]
    if offsets[0] == offsets[1]:
        return both[:1]
    if offsets[0] < offsets[1]:
        raise ToolError(f"`{moment.isoformat(' ', 'minutes')}` does not exist in {zone}: clocks are put forward then")
    return both


def _shifted(moment: datetime, zone: tzinfo) -> datetime:
    try:
        return moment.astimezone(zone)
    except OverflowError:
        raise ToolError("that time is too near to the beginning or the end of the calendar") from None


def _said(moment: datetime) -> str:
    """A time as it is told: `Sunday 2026-11-22 14:30:05 Europe/Paris (UTC+01:00)`."""
    offset = moment.strftime("%z")
    shown = "" if moment.tzinfo is UTC else f" (UTC{offset[:3]}:{offset[3:5]})"
    return f"{_DAYS[moment.weekday()]} {moment.replace(tzinfo=None).isoformat(' ', 'seconds')} {moment.tzinfo}{shown}"


_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
