"""Service accounts: the list of them, and which one a name means."""

import re
from collections.abc import Iterator
from contextlib import suppress

from sbpam_cli.errors import OptionError, SbpamError, ServerError, UsageError, wrong_value
from sbpam_cli.models import ServiceAccount, Talk
from sbpam_cli.names import UUID, canonical_uuid
from sbpam_cli.nps.client import NpsClient
from sbpam_cli.output.context import Context
from sbpam_cli.signin.session import Site, find_target
from sbpam_cli.system.files import private_folder, read_private, write_private
from sbpam_cli.system.services import Services
from sbpam_cli.wording import counted, did_you_mean

_LAST, _KEPT = "accounts.tsv", 200
_SHOWN = 5
_CHOICES = 100
_ID_LENGTH = 36
_ID = re.compile(f"{UUID}|^[0-9a-fA-F]{{32}}$")
_CASE_COUNTS = ("linux", "unix")


def run_credentials(ctx: Context, text: str) -> Iterator[list[ServiceAccount]]:
    r"""The service accounts whose user name contains `text`, each page as it comes.

    text: in any case; with a backslash `DOMAIN\name` is what contains it.
    Raises what the server's failure means, after the pages that came.
    """
    outcome, talk = ctx.outcome, ctx.console
    target = find_target(ctx)
    wanted = text.casefold()
    found = unmanaged = 0
    usable: list[ServiceAccount] = []
    client = Site(ctx, target).client
    for page in client.accounts(text.rpartition("\\")[2]):
        if "\\" in text:
            page = [a for a in page if any(wanted in name.casefold() for name in a.names)]
        found += len(page)
        unmanaged += sum(1 for account in page if account.credential_id is None)
        usable += [account for account in page if account.credential_id][: _KEPT - len(usable)]
        yield page
    if text and not found:
        page = [a for a in _by_console_name(client) if wanted in (a.display_name or "").casefold()]
        found = len(page)
        yield page
    if found > unmanaged:
        _keep(ctx, usable)
        outcome.next_step = (
            "`sbpam schedule{profile} --credential ID hosts.txt` schedules scans with one"
        )
    if not found:
        talk.note(f"no user name contains {text}" if text else "there are no service accounts")
    elif unmanaged:
        talk.note(
            f"{counted(unmanaged, 'account')} without an id: not managed, not fit to schedule with"
        )


def _keep(ctx: Context, accounts: list[ServiceAccount]) -> None:
    """For a shell that completes `--credential`; what cannot be kept is not missed."""
    lines = [f"{account.credential_id}\t{account.user_name or ''}\n" for account in accounts]
    folder = ctx.services.state_folder()
    with suppress(SbpamError, OSError):
        private_folder(ctx.services, folder)
        write_private(ctx.services, folder / _LAST, "".join(lines).encode(errors="replace"))


def last_found(services: Services) -> list[tuple[str, str]]:
    """Id and user name of the accounts that the last look-up found."""
    content = read_private(services, services.state_folder() / _LAST) or b""
    text = content.decode(errors="replace")
    rows = [line.split("\t") for line in text.splitlines()[:_KEPT]]
    return [(row[0], row[1]) for row in rows if len(row) == 2 and canonical_uuid(row[0]) == row[0]]


def read_credential(text: str | None, source: str = "--credential") -> str:
    """A service account's id in its canonical form, or its name as given.

    Strict, because an id becomes part of a URL that acts: what looks like one must be one.
    Raises OptionError, or UsageError if a variable or profile brought it.
    """
    if text is None:
        raise OptionError(
            "no service account is given",
            hint="name it with --credential or SBPAM_CREDENTIAL; `sbpam credentials` lists them",
        )
    from unicodedata import normalize

    found = canonical_uuid(text)
    looks_like_id = len(text) == _ID_LENGTH or _ID.search(normalize("NFKC", text).strip("{}"))
    if found is None and (looks_like_id or text.startswith("../")):
        raise wrong_value(
            source,
            f"not a service account's id: {text[:60]}",
            hint="an id looks like 9c711ab3-8fc1-4d66-88d4-08f85117f32e",
        )
    return found or text


def find_account(client: NpsClient, credential: str, talk: Talk) -> tuple[str, str | None]:
    """Id and name of the one service account of that name; an id as it is, without a name.

    credential: as `read_credential` gives it. All accounts are looked at: the server's own
    search knows user names alone. Raises UsageError if none or several are meant.
    """
    if canonical_uuid(credential) is not None:
        return credential, None
    accounts = [account for page in client.accounts("") for account in page]
    # One account may be listed for several resources.
    named = {a.credential_id or a: a for a in accounts if _is_called(a, credential)}
    if not named:
        wanted, by_console = credential.casefold(), _by_console_name(client)
        by_console = [a for a in by_console if (a.display_name or "").casefold() == wanted]
        named = {a.credential_id or a: a for a in by_console}
    if not named:
        known = (name for account in accounts for name in account.names)
        raise UsageError(
            f"no service account is called {credential[:60]}",
            hint=did_you_mean(credential, known, "`sbpam credentials` lists them"),
        )
    if len(named) > 1:
        raise UsageError(
            f"{len(named):,} service accounts are called {credential[:60]}",
            reason="; ".join(_describe(account) for account in list(named.values())[:_SHOWN]),
            hint="give DOMAIN\\name, or the id",
        )
    [account] = named.values()
    if account.credential_id is None:
        raise UsageError(
            f"the service account {credential[:60]} cannot be scheduled with",
            reason="the server knows it but does not manage it: it has no credential id",
            hint="have it managed in the NPS console, or choose another: `sbpam credentials`",
        )
    talk.note(f"service account {_describe(account)}")
    return account.credential_id, _name(account)


def choose_account(ctx: Context, client: NpsClient) -> tuple[str, str]:
    """Id and name of the service account that a person picks from a numbered list.

    Raises UsageError if none is picked, and if there are too many to be read, or none.
    """
    found = (account for page in client.accounts("") for account in page)
    # One account may be listed for several resources.
    usable = {account.credential_id: account for account in found if account.credential_id}
    if not 0 < len(usable) <= _CHOICES:
        read_credential(None)
    numbered = {str(n): account for n, account in enumerate(usable.items(), 1)}
    lines = ["Service accounts:"]
    for number, (_, account) in numbered.items():
        known_as = f" ({account.display_name[:80]})" if account.display_name else ""
        lines.append(f"{number:>3}  {_name(account)}{known_as}")
    while answer := ctx.reply(*lines, "Number of the one to schedule with (Enter: none): "):
        if answer in numbered:
            credential_id, account = numbered[answer]
            ctx.console.note(f"service account {_describe(account)}")
            return credential_id, _name(account)
        lines = []
    raise UsageError(
        "no service account was chosen, nothing was sent",
        hint="--credential or SBPAM_CREDENTIAL names one",
    )


def _by_console_name(client: NpsClient) -> list[ServiceAccount]:
    """The accounts by the names of the console; none if the server does not give them."""
    try:
        return client.named_accounts()
    except ServerError:
        return []


def _is_called(account: ServiceAccount, name: str) -> bool:
    """Whether `name` is one of its names; case counts on Unix alone."""
    platform = (account.platform or "").lower()
    if any(kind in platform for kind in _CASE_COUNTS):
        return name in account.names
    return name.casefold() in (own.casefold() for own in account.names)


def _describe(account: ServiceAccount) -> str:
    return f"{_name(account)} {account.credential_id or '(not managed)'}"


def _name(account: ServiceAccount) -> str:
    name = f"{account.domain or account.resource or ''}\\{account.user_name or ''}".strip("\\")
    return (name or account.display_name or "?")[:80]
