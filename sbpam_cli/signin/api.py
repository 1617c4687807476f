"""What signing in needs from the server's side; `nps.client.NpsClient` is one."""

from typing import Protocol

from sbpam_cli.models import Token


class SignInApi(Protocol):
    """The sign-in calls. A refusal (400, 401, 403) is `nps.client.RefusedError`."""

    def sign_in(self, login: str, password: str) -> Token:
        """Step 1; begins a cookie jar of its own."""

    def second_step(self, token: Token, code: str) -> Token:
        """Step 2, with the cookies of the newest step 1."""

    def application_token(self, login: str, api_key: str, serial: str) -> Token:
        """An application's sign-in; its client certificate is in TLS."""

    def fresh_token(self, token: Token) -> Token:
        """A fresh token for one that is still good."""

    def server_time(self) -> float:
        """The server's clock, epoch seconds."""
