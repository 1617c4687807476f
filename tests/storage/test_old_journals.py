"""A journal of the oldest schema opens with this program, and loses nothing."""

import sqlite3
from contextlib import closing

from support.site import CREDENTIAL, PrivateProgram

from sbpam_cli.journal.migrations import STEPS

RUN = "20250101-120000-0001"
ROWS = (
    '[["a.corp.example","Complete",null,"Windows",null,null,null,null],'
    '["b.corp.example","Failed","AccessDenied",null,null,null,"No.",null]]'
)
JOB = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"


def write_oldest(program: PrivateProgram) -> None:
    """A run of two hosts as the first version recorded it."""
    folder = program.folder / "state"
    folder.mkdir(mode=0o700)
    with closing(sqlite3.connect(folder / "journal.sqlite3")) as database:
        for statement in STEPS[0]:
            database.execute(statement)
        database.execute("PRAGMA user_version = 1")
        database.execute(
            "INSERT INTO runs VALUES (?, 1735732800.0, 1735732860.0, 0, 'https://nps.example:6500',"
            " 'default', 'CORP\\demo', ?, 'digest', 2, '[]')",
            (RUN, CREDENTIAL),
        )
        database.execute(
            "INSERT INTO batches (run_id, number, first, size, state, job_id, sent_at, accepted,"
            " failed) VALUES (?, 1, 0, 2, 'accepted', ?, 1735732801.0, 2, 1)",
            (RUN, JOB),
        )
        database.execute(
            "INSERT INTO batch_names VALUES (?, 1, ?)", (RUN, "a.corp.example\nb.corp.example")
        )
        database.execute(
            "INSERT INTO batch_rows VALUES (?, 1, 1735732860.0, ?)",
            (
                RUN,
                ROWS,
            ),
        )
        database.commit()
    (folder / "journal.sqlite3").chmod(0o600)


def test_the_oldest_journal_tells_what_it_told(program: PrivateProgram) -> None:
    write_oldest(program)

    ended = program("status", "--offline")

    assert ended.code == 0, ended.err
    as_of = "as of 2025-01-01T12:01:00Z"
    assert ended.rows() == [
        ["a.corp.example", "Complete", JOB, "", "Windows", "", "", as_of],
        ["b.corp.example", "Failed", JOB, "AccessDenied", "", "", "", f"No.; {as_of}"],
    ]


def test_a_run_of_the_oldest_journal_has_a_report_without_what_nobody_recorded(
    program: PrivateProgram,
) -> None:
    write_oldest(program)

    ended = program("report", "--format", "md")

    assert ended.code == 0, ended.err
    assert "| b.corp.example | Failed | AccessDenied: No. |" in ended.out
    assert "Not known: the journal holds no scan with its beginning and end." in ended.out
    assert "accepted" not in ended.out.partition("## Time line")[2].partition("##")[0]
