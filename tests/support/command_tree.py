"""The program's own commands and options, for what is made from them."""

import shlex
from collections.abc import Iterator
from typing import Any

from sbpam_cli.commands.app import build_program

PROGRAM = "sbpam"


def all_commands() -> dict[str, Any]:
    """Each command by the words that call it, the program first; a group before its commands."""
    return dict(_below(build_program(), PROGRAM))


def _below(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    yield path, command
    if hasattr(command, "list_commands"):
        with command.make_context(path, [], resilient_parsing=True) as context:
            for name in command.list_commands(context):
                yield from _below(command.get_command(context, name), f"{path} {name}")


def calls_in(code: str) -> list[list[str]]:
    """The words after each `sbpam` in a shell's lines."""
    calls = []
    for line in code.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|;>")
        lexer.whitespace_split = True
        part: list[str] = []
        for word in [*lexer, ";"]:
            if word not in ("|", ";", ">"):
                part.append(word)
                continue
            if PROGRAM in part:
                calls.append(part[part.index(PROGRAM) + 1 :])
            part = []
    return calls


def parse_call(words: list[str]) -> str:
    """Reads the words after `sbpam` as the program would, or raises; the path of the command."""
    commands, path = all_commands(), PROGRAM
    while words and f"{path} {words[0]}" in commands:
        path, words = f"{path} {words[0]}", words[1:]
    commands[path].make_context(path, [*words])
    return path
