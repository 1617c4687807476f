"""Service accounts: the list of them, and which one a name means."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sbpam_cli.errors import OptionError, ServerError, UsageError, wrong_value
from sbpam_cli.models import ServiceAccount, Talk
from sbpam_cli.names import canonical_uuid
from sbpam_cli.nps.client import NpsClient
from sbpam_cli.settings.profiles import ConnectionOptions, resolve_target
from sbpam_cli.signin.session import open_site
from sbpam_cli.wording import counted

if TYPE_CHECKING:
    from sbpam_cli.output.context import Context

PAGE = 50
MOST_PAGES = 2000
_SHOWN = 5
_ID_LENGTH = 36
_CASE_COUNTS = ("linux", "unix")


def run_credentials(
    ctx: "Context", options: ConnectionOptions, text: str
) -> Iterator[list[ServiceAccount]]:
    r"""The service accounts whose user name contains `text`, each page as it comes.

    text: in any case; with a backslash `DOMAIN\name` is what contains it.
    Raises what the server's failure means, after the pages that came.
    """
    outcome, talk = ctx.outcome, ctx.console
    target = resolve_target(ctx.services, options)
    outcome.server, outcome.profile = target.origin, target.profile
    client = open_site(ctx, target).client
    found = unmanaged = 0
    for page in list_accounts(client, text.rpartition("\\")[2]):
        fitting = [a for a in page if "\\" not in text or _contains(a, text)]
        found += len(fitting)
        unmanaged += sum(1 for account in fitting if account.credential_id is None)
        yield fitting
    if found > unmanaged:
        outcome.next_step = (
            "`sbpam schedule{profile} --credential ID hosts.txt` schedules scans with one"
        )
    if not found:
        talk.note(
            f"no service account's user name contains {text}" if text else "no service accounts"
        )
    elif unmanaged:
        talk.note(
            f"{counted(unmanaged, 'account')} without an id: known to the server but not managed,"
            " so not to be scheduled with"
        )


def read_credential(text: str | None, source: str = "--credential") -> str:
    """A service account's id in its canonical form, or its name as given.

    Strict, because an id becomes part of a URL that acts: what looks like one must be one.
    Raises OptionError, or UsageError if a variable or profile brought it.
    """
    if text is None:
        raise OptionError(
            "no credential is given",
            hint="name the service account with --credential, or set SBPAM_CREDENTIAL;"
            " `sbpam credentials` lists them",
        )
    found = canonical_uuid(text)
    looks_like_id = len(text) == _ID_LENGTH or any(c in "{}/:" for c in text)
    if found is None and (looks_like_id or not text.isascii()):
        raise wrong_value(
            source,
            f"not a credential's id: {text[:60]}",
            hint="an id looks like 9c711ab3-8fc1-4d66-88d4-08f85117f32e",
        )
    return found or text


def find_credential_id(client: NpsClient, credential: str, talk: Talk) -> str:
    """The id to schedule with: of the one service account of that name, or as it was given.

    credential: as `read_credential` gives it. All accounts are looked at, because
    the server's own search knows nothing but user names. Raises UsageError with
    the candidates where none or several have that name, or the one has no id.
    """
    if canonical_uuid(credential) is not None:
        return credential
    accounts = [account for page in list_accounts(client, "") for account in page]
    # One account may be listed for several resources.
    named = {a.credential_id or a: a for a in accounts if _is_called(a, credential)}
    if not named:
        raise UsageError(
            f"no service account is called {credential[:60]}",
            reason=_candidates("similar: ", _near(accounts, credential)),
            hint="`sbpam credentials` lists them",
        )
    if len(named) > 1:
        raise UsageError(
            f"{len(named):,} service accounts are called {credential[:60]}",
            reason=_candidates("", list(named.values())),
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
    return account.credential_id


def list_accounts(client: NpsClient, text: str) -> Iterator[list[ServiceAccount]]:
    """The accounts that the server finds, a page at a time, none twice.

    Its total may be wrong, or count what it filtered out: so a full page is never
    the last, and an empty one always. Raises ServerError where pages repeat themselves.
    """
    seen: set[ServiceAccount] = set()
    received, total = 0, None
    for _ in range(MOST_PAGES):
        rows, total = client.accounts(text, skip=received, take=PAGE)
        received += len(rows)
        fresh = [row for row in dict.fromkeys(rows) if any(row) and row not in seen]
        seen.update(fresh)
        if fresh:
            yield fresh
        if not rows or (len(rows) != PAGE and (total is None or total <= received)):
            return
        if not fresh:
            break
    of_all = f" of {total:,}" if total is not None else ""
    raise ServerError(
        "the server's list of service accounts does not end",
        reason=f"after {len(seen):,}{of_all} its pages bring nothing new",
        hint="give the account's id, which the NPS console shows",
    )


def _is_called(account: ServiceAccount, name: str) -> bool:
    """Whether `name` is one of its names; case counts on Unix alone."""
    platform = (account.platform or "").lower()
    if any(kind in platform for kind in _CASE_COUNTS):
        return name in account.names
    return name.casefold() in (own.casefold() for own in account.names)


def _contains(account: ServiceAccount, text: str) -> bool:
    return any(text.casefold() in name.casefold() for name in account.names)


def _near(accounts: Sequence[ServiceAccount], name: str) -> list[ServiceAccount]:
    """Accounts that may have been meant."""
    from difflib import get_close_matches

    part = name.rpartition("\\")[2]
    if found := [account for account in accounts if part and _contains(account, part)]:
        return found
    known = {own.casefold() for account in accounts for own in account.names}
    close = set(get_close_matches(name.casefold(), known))
    return [a for a in accounts if not close.isdisjoint(own.casefold() for own in a.names)]


def _candidates(before: str, accounts: Sequence[ServiceAccount]) -> str | None:
    shown = [_describe(account) for account in accounts[:_SHOWN]]
    if more := len(accounts) - len(shown):
        shown.append(f"and {more:,} more")
    return before + "; ".join(shown) if shown else None


def _describe(account: ServiceAccount) -> str:
    name = f"{account.domain or account.resource or ''}\\{account.user_name or ''}".strip("\\")
    return (
        f"{(name or account.display_name or '?')[:80]} {account.credential_id or '(not managed)'}"
    )
