"""Times as everything shows them: UTC, to the second."""


def utc(epoch_s: float) -> str:
    """`2026-11-23T03:15:02Z`."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
