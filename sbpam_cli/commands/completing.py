"""What the shell offers when a word is being typed."""

from collections.abc import Iterator

import typer

from sbpam_cli.errors import SbpamError


def complete_profiles(ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """Profile names; nothing where they cannot be read."""
    from sbpam_cli.storage.profiles import load_profiles

    try:
        names = sorted(load_profiles(ctx.find_root().obj))
    except SbpamError:
        return
    yield from (name for name in names if name.startswith(incomplete))


def complete_runs(ctx: typer.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    """Run ids, newest first, with what they are; nothing where the journal cannot be read."""
    from sbpam_cli.storage.journal import open_journal

    try:
        journal = open_journal(ctx.find_root().obj)
        runs = journal.runs(limit=20)
        journal.close()
    except SbpamError:
        return
    for run in runs:
        if run.run_id.startswith(incomplete):
            yield run.run_id, f"{run.hosts} hosts on {run.server}"
