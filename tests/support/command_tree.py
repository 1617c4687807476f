"""The program's own commands and options, for what is made from them."""

import shlex
from collections.abc import Iterator
from typing import Any

from sbpam_cli.commands.app import build_program
from sbpam_cli.commands.options import Common

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


def is_shared(parameter: Any) -> bool:
    """Whether every command has it."""
    return parameter.name in Common._fields


def names_of(parameter: Any) -> str:
    """`--output, -o`; of an argument, what stands for it."""
    if parameter.param_type_name == "argument":
        return str(parameter.metavar)
    return ", ".join(sorted(parameter.opts, key=len, reverse=True))


def value_of(parameter: Any) -> str:
    """What an option takes: `URL`, `tsv|csv`; empty for none, and for an argument."""
    if parameter.param_type_name == "argument" or parameter.is_flag:
        return ""
    choices = getattr(parameter.type, "choices", None)
    placeholder = "TEXT" if parameter.type.name == "str" else "N"
    return str(parameter.metavar or ("|".join(choices) if choices else placeholder))


def default_of(parameter: Any) -> str:
    """What holds where it is not given; empty for nothing worth saying."""
    silent = parameter.default in (None, []) or getattr(parameter, "is_flag", False)
    return "" if silent else str(parameter.default)
