"""What the shell offers when a word is being typed.

Nothing here creates a file, writes to stderr or fails: where something cannot
be read, there is nothing to offer.
"""

from collections.abc import Iterator
from itertools import islice

import typer

from sbpam_cli.errors import SbpamError
from sbpam_cli.wording import counted

COMPLETION_VARIABLE = "_SBPAM_COMPLETE"
_RUNS_OFFERED = 20


def complete_profiles(ctx: typer.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    """Profile names, with their servers."""
    from sbpam_cli.settings.profiles import load_profiles

    try:
        profiles = load_profiles(ctx.find_root().obj)
    except SbpamError:
        return
    for name, profile in sorted(profiles.items()):
        if name.startswith(incomplete):
            yield name, profile.server or ""


def complete_runs(ctx: typer.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    """Run ids, the newest ones, with what they are."""
    from sbpam_cli.journal.journal import open_journal

    services = ctx.find_root().obj
    try:
        if not (services.state_folder() / "journal.sqlite3").is_file():
            return
        journal = open_journal(services)
        runs = journal.runs(limit=10 * _RUNS_OFFERED)
        journal.close()
    except (SbpamError, OSError):
        return
    fitting = (run for run in runs if run.run_id.startswith(incomplete))
    for run in islice(fitting, _RUNS_OFFERED):
        yield run.run_id, f"{counted(run.hosts, 'host')} on {run.server}"


def keep_help_whole() -> None:
    """Keeps the help beside a word in one line.

    Typer 0.26 to 0.28 wrap it at the terminal's width, and a shell takes the
    second line for another word. (Nor is rich imported then, twice the time.)
    """
    import typer._completion_classes

    typer._completion_classes._sanitize_help_text = lambda text: text
