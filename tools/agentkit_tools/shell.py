"""A tool that runs programs from a list, without a shell.

    agent = Agent("deepseek:deepseek-flash", tools=shell({"ls": ["-l", "-a"], "git log": ["--oneline", "-n"]}))

A command is a list of words that goes to the program as it is: there are no pipes, wildcards, variables or `;`. What
holds a model that was put up to something:

- Only commands that begin with the allowed words run; the program is the file that was found when `shell` was called.
- Options must be allowed one by one, since many run another program or write a file (`git --upload-pack`, `sort -o`,
  `find -exec`); `"*"` allows all of them.
- Arguments that lead out of the folder, by `..`, by an absolute path or by a link, are refused.
- The program gets nothing of this process's environment, in which keys are; and no input.
- It is killed with all its children when its time is over, when it writes too much, and when the run is stopped.
- Each command waits for approval, unless that is switched off.

What it does not do: a program may read and send whatever the user may whom it runs as, and one that runs what it is
given (an interpreter, a build tool, a container) is as good as a shell. Such a one is refused, unless `"*"` or further
words say that it is meant. A folder may hold what a program obeys: a `Makefile`, or the settings of a git repository,
of which hooks and monitors are switched off here, but not filters and drivers. What starts a session of its own is not
killed with the rest, and nothing is where this process is itself killed at once. Where the files are not trusted, run
the whole agent in a container.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from agentkit import ConfigurationError, Tool, ToolError, tool
from agentkit_tools import _processes
from agentkit_tools._text import one_line

MAX_OUTPUT = 16_000
"""How many bytes of output are told, unless `shell` is told another number; what is longer loses its middle."""

MAX_LENGTH = 32_000
"""How many characters a command may have in all."""

RUNS_ANYTHING = frozenset(
    "ash awk bash bun busybox chroot cmake csh dash deno docker doas ed emacs env ex expect fish flock gawk gdb "
    "ipython java ksh lua make mawk nawk nc ncat nice node nohup npm npx nsenter parallel perl php pip podman "
    "powershell pwsh python python3 rsync ruby script sed setsid sh socat ssh strace su sudo tar tclsh time timeout "
    "unshare uv uvx vi vim watch xargs yarn zsh".split()
)
"""Programs that run, or write, what words alone tell them to; they are refused as a whole unless `"*"` says so."""

READING_GIT = frozenset(
    "blame cat-file describe diff diff-tree grep log ls-files ls-tree merge-base name-rev rev-list rev-parse shortlog "
    "show show-ref status version".split()
)
"""What `git` may do where it is allowed without further words."""

_NOTES = 1_000
_PATH_LENGTH = 4_096
_ANSWERS = {
    # Programs that want to ask, to page or to edit must not wait for somebody who is not there.
    "LANG": "C.UTF-8",
    "TERM": "dumb",
    "NO_COLOR": "1",
    "PAGER": "cat",
    "EDITOR": "false",
    "GIT_PAGER": "cat",
    "GIT_EDITOR": "false",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    # A repository says in its own files what git shall run.
    "GIT_CONFIG_COUNT": "3",
    "GIT_CONFIG_KEY_0": "core.fsmonitor",
    "GIT_CONFIG_VALUE_0": "false",
    "GIT_CONFIG_KEY_1": "core.hooksPath",
    "GIT_CONFIG_VALUE_1": os.devnull,
    "GIT_CONFIG_KEY_2": "protocol.ext.allow",
    "GIT_CONFIG_VALUE_2": "never",
}

Options = Sequence[str] | Literal["*"]


def shell(
    allow: Sequence[str] | Mapping[str, Options],
    *,
    cwd: str | os.PathLike[str] = ".",
    timeout: float = 30.0,
    max_output: int = MAX_OUTPUT,
    env: Mapping[str, str] | None = None,
    outside: bool = False,
    approval: bool | Callable[..., Any] = True,
) -> list[Tool[..., Any]]:
    """The tool `run_command`, which runs what is allowed, in one folder.

    Args:
        allow: The words that a command may begin with, e.g. `"ls"` or `"git log"`, each with the options allowed after
            them: `{"ls": ["-l"], "git log": ["--oneline", "-n"]}`, or `"*"` for all. A list of words alone
            allows no options. `-l` and `-a` allow `-la` too, `-n` allows `-n5`, and `--format` allows `--format=…`.
        cwd: The folder in which commands run. It is resolved now, once.
        timeout: Seconds after which a command is killed.
        max_output: How many bytes of output the model is told.
        env: Variables for the programs, beside a `PATH` of the allowed programs' folders and the system's. Nothing is
            taken from the environment of this process; git, for one, finds no settings without `HOME`.
        outside: Whether arguments may name places outside the folder. A program that shows files can then show this
            process's own environment, keys and all (`/proc/…/environ`).
        approval: Whether each command waits for a verdict, or a function that says so.

    Raises:
        ConfigurationError: A program is not there or runs whatever it is given, or an option has no sense.
    """
    if os.name != "posix":
        raise ConfigurationError("`shell(…)` needs a POSIX system: elsewhere programs split their arguments themselves")
    folder = Path(cwd)
    if not folder.is_dir():
        raise ConfigurationError(f"`shell(cwd={str(cwd)!r})`: there is no such folder")
    if not timeout > 0 or max_output < 1:
        raise ConfigurationError("`shell(…)`: `timeout` must be above 0 and `max_output` 1 or more")
    rules = _rules(allow)
    places = dict.fromkeys([*(os.path.dirname(rule.path) for rule in rules), *os.defpath.split(os.pathsep)])
    path = os.pathsep.join(place for place in places if os.path.isabs(place))
    place = _Place(folder.resolve(), rules, outside, {"PATH": path, **_ANSWERS, **(env or {})})

    @tool(
        description=_description(place), approval=approval, sequential=True, side_effects="unsafe",
        max_result=max_output + _NOTES,
    )  # fmt: skip
    async def run_command(command: list[str]) -> str:
        """Run a program.

        Args:
            command: The program and its arguments, one by one, e.g. ["ls", "docs"].
        """
        rule, words = place.allowed(command)
        ended = await _processes.run(
            rule.path, words, cwd=place.root, env=place.env, timeout=timeout, max_output=max_output
        )
        return _processes.told(ended)

    return [run_command]


@dataclass(frozen=True, slots=True)
class _Rule:
    """Commands that begin with `words`. `options` is `None` where all are allowed; `path` is the program's file."""

    words: tuple[str, ...]
    path: str
    options: frozenset[str] | None

    def takes(self, option: str) -> bool:
        if self.options is None:
            return True
        if option.startswith("--"):
            return option.partition("=")[0] in self.options
        if option in self.options:
            return True
        letters = option[1:].rstrip("0123456789")
        return letters.isalpha() and all(f"-{letter}" in self.options for letter in letters)

    def said(self) -> str:
        name = " ".join(self.words)
        if self.options is None:
            return f"{name} (with any options)"
        return f"{name} (with {' '.join(sorted(self.options))})" if self.options else name


@dataclass(frozen=True, slots=True)
class _Place:
    """A folder, and what may be run in it."""

    root: Path
    rules: Sequence[_Rule]
    outside: bool
    env: Mapping[str, str]

    def allowed(self, command: list[str]) -> tuple[_Rule, list[str]]:
        """The rule for a command and its words.

        Raises:
            ToolError: It is not allowed, or no command.
        """
        if not command:
            raise ToolError("`command` must have one word or more: the program and its arguments")
        if sum(map(len, command)) + len(command) > MAX_LENGTH:
            raise ToolError(f"`command` has more than {MAX_LENGTH:,} characters in all")
        for word in command:
            if "\0" in word or not _encodable(word):
                raise ToolError(f"`{one_line(word, 60)}` holds a character that no argument can have")
        fits = [rule for rule in self.rules if tuple(command[: len(rule.words)]) == rule.words]
        if not fits:
            hint = "; give the words one by one, as a list" if " " in command[0] else ""
            raise ToolError(f"`{one_line(' '.join(command), 60)}` is not allowed{hint}. {self.said()}")
        rule = max(fits, key=lambda one: len(one.words))
        self._refuse_git(rule, command)
        arguments = command[len(rule.words) :]
        for at, word in enumerate(arguments):
            if word == "--" and not any(one.startswith("-") for one in arguments[at + 1 :]):
                break
            if word.startswith("-") and word != "-" and not rule.takes(word):
                raise ToolError(f"the option `{one_line(word, 60)}` is not allowed there. {self.said()}")
        if not self.outside and (out := next((one for one in arguments if self._leaves(one)), None)) is not None:
            raise ToolError(f"`{one_line(out, 60)}` is refused: only places inside the folder may be named")
        return rule, command

    def said(self) -> str:
        return "Allowed are: " + "; ".join(rule.said() for rule in self.rules)

    def _refuse_git(self, rule: _Rule, command: list[str]) -> None:
        bare = len(rule.words) == 1 and os.path.basename(rule.words[0]) == "git" and rule.options is not None
        if bare and len(command) > 1 and command[1] not in READING_GIT:
            known = ", ".join(sorted(READING_GIT))
            raise ToolError(f"`git {one_line(command[1], 40)}` is not allowed; after `git` may come: {known}")

    def _leaves(self, word: str) -> bool:
        """Whether a word may name a place outside: itself, or what follows `=`, `:`, `,`, `@` or an option's letter."""
        pieces = [word, *re.split("[=:,@]", word)]
        if word.startswith("-"):
            pieces.append(word[2:])
        for piece in pieces:
            if piece.startswith(("/", "~")) or ".." in piece.split("/"):
                return True
            if 0 < len(piece) <= _PATH_LENGTH:
                try:
                    real = (self.root / piece).resolve()
                except (OSError, RuntimeError):  # a loop of links, or too long a name
                    return True
                if real != self.root and self.root not in real.parents:
                    return True
        return False


def _rules(allow: Sequence[str] | Mapping[str, Options]) -> list[_Rule]:
    if isinstance(allow, str):
        raise ConfigurationError(f"`shell({allow!r})`: `allow` is a list of commands, as in `[{allow!r}]`")
    given = allow.items() if isinstance(allow, Mapping) else [(one, ()) for one in allow]
    rules = [_rule(command, options) for command, options in given]
    if not rules:
        raise ConfigurationError("`shell(…)`: `allow` names no command")
    return rules


def _rule(command: str, options: Options) -> _Rule:
    words = tuple(command.split())
    if not words:
        raise ConfigurationError("`shell(…)`: a command in `allow` is empty")
    path = shutil.which(words[0])
    if path is None:
        raise ConfigurationError(f"`shell(…)`: there is no program `{words[0]}`")
    listed: Iterable[str] | None = None if options == "*" else [options] if isinstance(options, str) else options
    wrong = [one for one in listed or () if not one.startswith("-")]
    if wrong:
        raise ConfigurationError(f"`shell(…)`: {wrong[0]!r} after {command!r} is no option; it must begin with `-`")
    name = re.sub(r"[0-9.]+$", "", os.path.basename(words[0])) or words[0]
    if len(words) == 1 and listed is not None and {name, os.path.basename(words[0])} & RUNS_ANYTHING:
        raise ConfigurationError(
            f"`{command}` runs whatever it is given. Allow it with more words, or, if that is meant, with "
            f'`{{"{command}": "*"}}`'
        )
    return _Rule(words, os.path.abspath(path), None if listed is None else frozenset(listed))


def _description(place: _Place) -> str:
    where = "" if place.outside else " Only places inside the folder may be named."
    return (
        "Run a program and tell its output. There is no shell: no pipes, wildcards, variables or redirections. "
        f"{place.said()}.{where}"
    )


def _encodable(text: str) -> bool:
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True
