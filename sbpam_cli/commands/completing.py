"""What the shell offers when a word is being typed, and the scripts that make it ask.

Nothing here creates a file, writes to stderr or fails while a word is typed: what cannot be
read offers nothing. Only well-formed words are offered, because shells run what others are.
"""

import re
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

import typer

from sbpam_cli.errors import ExitCode, OptionError, SbpamError, UsageError
from sbpam_cli.output.console import Console
from sbpam_cli.wording import counted

COMPLETION_VARIABLE = "_SBPAM_COMPLETE"
_SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")
_RUNS_OFFERED = 20
_ACCOUNT = re.compile(r"[A-Za-z0-9._@-]{1,100}", re.ASCII)


def complete_profiles(ctx: typer.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    from sbpam_cli.settings.profiles import load_profiles

    with suppress(SbpamError):
        # Names and servers were checked when they were read.
        for name, profile in sorted(load_profiles(ctx.find_root().obj.services).items()):
            if name.startswith(incomplete):
                yield name, profile.server or ""


def complete_runs(ctx: typer.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    from sbpam_cli.journal.journal import Journal

    services = ctx.find_root().obj.services
    with suppress(SbpamError, OSError):
        if (services.state_folder() / "journal.sqlite3").is_file():
            journal = Journal(services)
            runs = journal.runs(limit=10 * _RUNS_OFFERED)
            journal.close()
            # Ids and servers were checked when they were read.
            fitting = (run for run in runs if run.run_id.startswith(incomplete))
            for run in islice(fitting, _RUNS_OFFERED):
                yield run.run_id, f"{counted(run.hosts, 'host')} on {run.server}"


def complete_words(words: Collection[str]) -> Callable[[str], Iterator[str]]:
    """For an option that takes several, with commas between them."""

    def complete(incomplete: str) -> Iterator[str]:
        *before, word = incomplete.lower().split(",")
        # What stands before is offered again, and zsh runs what is in it.
        for name in words if {*before} <= {name.lower() for name in words} else ():
            if name.lower().startswith(word):
                # In the case that was begun: Typer offers nothing else.
                yield f"{incomplete}{name[len(word) :]}"

    return complete


def complete_accounts(ctx: typer.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    """The names that the last `sbpam credentials` found, with the id; an id for its beginning.

    A name that several have would be refused.
    """
    from sbpam_cli.lookups.accounts import last_found

    with suppress(SbpamError, OSError):
        found = last_found(ctx.find_root().obj.services)
        names = [name for _, name in found if _ACCOUNT.fullmatch(name)]
        for account_id, name in found:
            if names.count(name) == 1 and name.startswith(incomplete):
                yield name, account_id
            elif incomplete and account_id.startswith(incomplete):
                yield account_id, name if name in names else ""


def complete_line(program: Any, console: Console) -> int | None:
    """Prints the words for the line that a shell asks about; None if none does."""
    if console.services.env(COMPLETION_VARIABLE) is None:
        return None
    import typer._completion_classes

    typer._completion_classes.completion_init()
    # Typer 0.26 to 0.28 wrap the help beside a word at the terminal's width, and a shell takes
    # the second line for another word. (Nor is rich imported then, twice the time.)
    typer._completion_classes._sanitize_help_text = lambda text: text
    try:
        program.main([], prog_name="sbpam", standalone_mode=False, obj=console)
    except SystemExit as leaving:
        # fish asks whether there is any word.
        return int(leaving.code or 0)
    except Exception:
        return ExitCode.BUG
    return ExitCode.DONE


def completion_option(words: str) -> Any:
    """An option that takes a shell; an empty one means the shell that is running."""
    return typer.Option(
        help=words,
        metavar="[SHELL]",
        show_default=False,
        autocompletion=lambda incomplete: [s for s in _SHELLS if s.startswith(incomplete)],
    )


def set_up_completion(console: Console, shell: str, *, install: bool) -> None:
    """Installs or prints the script of a shell."""
    from subprocess import SubprocessError

    from typer import _completion_shared as scripts

    shell = shell or scripts._get_shell_name() or ""
    if shell not in _SHELLS:
        raise OptionError(f"no completion for the shell {shell[:40]!r}", hint=", ".join(_SHELLS))
    if not install:
        script = scripts.get_completion_script(
            prog_name="sbpam", complete_var=COMPLETION_VARIABLE, shell=shell
        )
        console.write(script + "\n")
    else:
        try:
            _, path = scripts.install(shell, "sbpam", COMPLETION_VARIABLE)
        except (OSError, ValueError, RuntimeError, SubprocessError) as error:
            raise UsageError(
                f"completion for {shell} was not installed",
                reason=str(error),
                hint=f"put what `sbpam --show-completion {shell}` prints where {shell} reads it",
            ) from None
        console.write(f"{path}\n")
        console.note(f"{shell} completes the words of sbpam once it is started anew")
