"""Somebody to talk to, who keeps what was said."""


class Heard:
    """notes: what `--quiet` silences; alerts: what it leaves."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.alerts: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def alert(self, text: str) -> None:
        self.alerts.append(text)

    warn = trace = note
