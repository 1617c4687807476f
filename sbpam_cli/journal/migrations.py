"""The journal's schema, one step after another.

A step is never changed once released: the journal of the oldest version must
open with the newest program. Each runs in one transaction with the new
`user_version`.
"""

STEPS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE runs (
            run_id TEXT PRIMARY KEY,
            started REAL NOT NULL,          -- epoch seconds, our clock
            ended REAL,
            exit_code INTEGER,              -- NULL: cut short
            server TEXT NOT NULL,           -- origin
            profile TEXT NOT NULL,
            username TEXT,
            credential_id TEXT NOT NULL,
            digest TEXT NOT NULL,           -- of the sorted names that are sent
            hosts INTEGER NOT NULL,         -- asked for, those set aside included
            aside TEXT NOT NULL             -- JSON: [[position, host, status, detail], ...]
        )
        """,
        """
        CREATE TABLE batches (
            run_id TEXT NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            first INTEGER NOT NULL,         -- index of its first name among those sent
            size INTEGER NOT NULL,
            parent INTEGER,                 -- the batch it was split from
            state TEXT NOT NULL,            -- planned sending accepted rejected unknown split
            job_id TEXT,                    -- not unique: a server may reuse one
            sent_at REAL,                   -- epoch seconds, our clock: the newest try
            deadline REAL,                  -- by then that try has ended, one way or another
            gave_up_at REAL,
            clock_offset REAL,              -- the server's clock minus ours at that try, seconds
            http_status INTEGER,
            reason TEXT,
            trace_id TEXT,
            accepted INTEGER NOT NULL DEFAULT 0,
            failed INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (run_id, number)
        )
        """,
        """
        CREATE TABLE batch_names (
            run_id TEXT NOT NULL,
            number INTEGER NOT NULL,
            names TEXT NOT NULL,            -- one a line, in the order asked for
            PRIMARY KEY (run_id, number),
            FOREIGN KEY (run_id, number) REFERENCES batches (run_id, number) ON DELETE CASCADE
        )
        """,
        """
        CREATE TABLE batch_rows (
            run_id TEXT NOT NULL,
            number INTEGER NOT NULL,
            seen_at REAL NOT NULL,          -- epoch seconds, our clock
            rows TEXT NOT NULL,             -- JSON: the fields of the rows, but for the job id
            PRIMARY KEY (run_id, number),
            FOREIGN KEY (run_id, number) REFERENCES batches (run_id, number) ON DELETE CASCADE
        )
        """,
        "CREATE INDEX runs_by_list ON runs (digest, server)",
        "CREATE INDEX runs_by_time ON runs (started)",
        "CREATE INDEX batches_by_job ON batches (job_id)",
    ),
    # From here on packed rows may end with the scan's times.
    ("ALTER TABLE batches ADD COLUMN accepted_at REAL",),  # epoch seconds, our clock
)
