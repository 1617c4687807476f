"""Somebody with a keyring, whose environment does not name the server yet."""

from collections.abc import Callable
from typing import Any

from support.keyrings import MemoryKeyring
from support.site import Ended, Site

from sbpam_cli.sandbox.people import User
from sbpam_cli.system.services import Services

NOMFA, NOMFA_PASSWORD = "CORP\\nomfa", "Sandbox-Nomfa-1"
DEMO, PUSH = "CORP\\demo", "CORP\\push"
RENEWAL = "/api/v1/UserToken"


def clear_environ(site: Site, *kept: str) -> None:
    """The program no longer finds server and user in the environment."""
    for name in [name for name in site.environ if name.startswith("SBPAM_")]:
        if not name.endswith("_HOME") and name not in kept:
            del site.environ[name]


class Person:
    """Runs command lines; `keyring` keeps what `login` stores. prepare: as a `Site` has it."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.url = site.server.url
        self.keyring = MemoryKeyring()
        self.prepare: Callable[[Services], None] = lambda _: None
        clear_environ(site)
        site.clock.moment_s = 0.5
        site.prepare = self._prepare

    def _prepare(self, services: Services) -> None:
        services.keyring = lambda: self.keyring
        self.prepare(services)

    def __call__(self, *arguments: str, **how: Any) -> Ended:
        return self.site.run(*arguments, **how)

    def login(self, *more: str, user: str = NOMFA, **how: Any) -> Ended:
        """With the user's password on stdin, unless the caller brings another secret."""
        server = ["--server", self.url, "--ca-bundle", self.site.server.ca_file]
        if "answers" not in how and "--token-stdin" not in more and "--password-file" not in more:
            more = (*more, "--password-stdin")
            how = {"stdin": self.user(user).password.encode() + b"\n"} | how
        return self("login", *server, "--username", user, *more, **how)

    def where(self) -> dict[str, str]:
        """Variables that name the server."""
        return {"SBPAM_SERVER": self.url, "SBPAM_CA_BUNDLE": self.site.server.ca_file}

    def user(self, login: str) -> User:
        return next(user for user in self.site.world.users if user.login == login)

    def kept(self, profile: str = "default") -> dict[str, str]:
        """The profile's secrets in the keyring, by name."""
        start = f"{profile} {self.url} "
        found = self.keyring.kept.items()
        return {name.removeprefix(start): at for name, at in found if name.startswith(start)}

    def counts(self) -> tuple[int, int, int]:
        """How often each was asked: step 1, step 2, the renewal."""
        first, second, renewal = map(self.site.requests, ("signinBody", "in2fa", RENEWAL))
        return len(first), len(second), len(renewal)
