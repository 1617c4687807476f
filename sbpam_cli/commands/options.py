"""The options that several commands have, each said once, and the ones that all have."""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import typer

from sbpam_cli.commands import completing
from sbpam_cli.commands.present import Shown, present
from sbpam_cli.errors import OptionError
from sbpam_cli.models import FORMS, Form
from sbpam_cli.output.columns import HOSTS, RowSet
from sbpam_cli.output.console import Console
from sbpam_cli.settings.profiles import ConnectionOptions
from sbpam_cli.wording import did_you_mean

if TYPE_CHECKING:
    from sbpam_cli.jobs.follow import FollowLimits

Follow: TypeAlias = "FollowLimits | None"

EVERYWHERE = "Options of every command"
SENDING = "Sending"
FOLLOWING = "Following the scans"
_PART = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)(ms|s|m|h|d)", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(text: str) -> float:
    """Seconds, of `90`, `2m`, `1h30m`, `500ms`; a bare number is seconds."""
    squeezed = text.strip().lower()
    squeezed += "s" * squeezed[-1:].isdigit()
    parts = _PART.findall(squeezed)
    if not parts or "".join(number + unit for number, unit in parts) != squeezed:
        raise typer.BadParameter(f"not a duration: {text[:40]} (write 90, 2m, 1h30m or 500ms)")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def parse_positive_duration(text: str) -> float:
    seconds = parse_duration(text)
    if seconds <= 0:
        raise typer.BadParameter("must be greater than zero (write 90, 2m, 1h30m or 500ms)")
    return seconds


def parse_a_day(text: str) -> float:
    """A day at most: what is in doubt is not looked for before its POST must have ended."""
    seconds = parse_positive_duration(text)
    if seconds > _SECONDS["d"]:
        raise typer.BadParameter("must be a day at most (write 90, 2m or 1h30m)")
    return seconds


def option(
    default: Any, words: str, metavar: str, *names: str, panel: str | None = None, **more: Any
) -> Any:
    """Named as its parameter, if there are no names. more: Typer's."""
    more = {"show_default": default not in (None, ..., []), "rich_help_panel": panel, **more}
    return typer.Option(default, *names, help=words, metavar=metavar, **more)


def flag(words: str, *names: str, panel: str | None = None) -> Any:
    return typer.Option(False, *names, help=words, show_default=False, rich_help_panel=panel)


def duration(default: Any, words: str, *names: str, **more: Any) -> Any:
    """default: as one would type it."""
    return option(default, words, "TIME", *names, **{"parser": parse_positive_duration, **more})


def argument(default: Any, words: str, metavar: str, **more: Any) -> Any:
    return typer.Argument(default, help=words, metavar=metavar, show_default=False, **more)


def run_argument(otherwise: str) -> Any:
    """otherwise: which one it is without it."""
    words = f"A run, or the beginning of its id; without it, {otherwise}."
    return argument(None, words, "[RUN]", autocompletion=completing.complete_runs)


HOSTS_TO_SCAN = argument(None, "FQDNs, files of them, - for stdin.", "[HOST|FILE|-]...")
CREDENTIAL = option(
    None,
    "The service account (SBPAM_CREDENTIAL): id, name, or DOMAIN\\name.",
    "ID|NAME",
    autocompletion=completing.complete_accounts,
)
YES = flag("Don't ask.", "--yes", "-y")
OFFLINE = flag("Ask the journal (or check the list) alone.")
FULL = flag("On a terminal: every row of however many.")
DRY_RUN = flag("Check the list with the server, schedule nothing.")
BATCH_SIZE = option(500, "Hosts in a POST; each makes one job.", "N", min=1, panel=SENDING)
PARALLEL = option(4, "POSTs in flight at a time, 64 at most.", "N", min=1, max=64, panel=SENDING)
SEND_TIMEOUT = duration(
    "2m", "Limit for one POST, reply included; 1d at most.", parser=parse_a_day, panel=SENDING
)
SETTLE_AFTER = duration(
    "3m", "How long until 'no such job' is believed.", parser=parse_duration, panel=SENDING
)


def several(name: str, kind: str, words: str, meant: Mapping[str, Iterable[Any]]) -> Any:
    """An option that takes names, with commas between and in any case, for what they stand for.

    kind: what these names are. Unknown ones raise OptionError.
    """
    folded = {known.lower(): stands_for for known, stands_for in meant.items()}

    def read(text: str | frozenset[Any]) -> frozenset[Any]:
        # Typer hands its own result over once more.
        if not isinstance(text, str):
            return text
        given = [one for part in text.split(",") if (one := part.strip().lower())]
        for one in given:
            if one not in folded:
                hint = did_you_mean(one, meant, ", ".join(meant))
                raise OptionError(f"{name}: there is no {kind} {one[:40]}", hint=hint)
        if not given:
            raise OptionError(f"{name} names no {kind}", hint=", ".join(meant))
        return frozenset().union(*(folded[one] for one in given))

    metavar, complete = f"{kind.upper()},...", completing.complete_words(meant)
    return option(None, words, metavar, name, parser=read, autocompletion=complete)


def follow_limits(
    wait: bool = flag("Follow the scans to their end.", "--wait", "--watch", panel=FOLLOWING),
    timeout: float | None = duration(
        None, "Stop following after so long.", parser=parse_duration, panel=FOLLOWING
    ),
    interval: float | None = duration(
        None, "Between two looks at a job; default: 2s, growing to 30s.", panel=FOLLOWING
    ),
) -> Follow:
    """What a command gets as `follow`: None without `--wait`. Raises OptionError."""
    from sbpam_cli.jobs.follow import FollowLimits

    for name, given in (("--timeout", timeout), ("--interval", interval)):
        if given is not None and not wait:
            raise OptionError(f"{name} goes with --wait")
    return FollowLimits(timeout, interval) if wait else None


def _common(words: str, metavar: str, *names: str, **more: Any) -> Any:
    return option(None, words, metavar, *names, panel=EVERYWHERE, **more)


class Common(NamedTuple):
    """The options that mean the same on every command and stand after it."""

    profile: str | None = _common(
        "The profile to use (SBPAM_PROFILE).", "NAME", autocompletion=completing.complete_profiles
    )
    server: str | None = _common("HOST[:PORT], or https://HOST (SBPAM_SERVER).", "URL")
    ca_bundle: str | None = _common("Trust these CA certificates (SBPAM_CA_BUNDLE).", "FILE")
    fingerprint: str | None = _common(
        "Trust exactly this server certificate (SBPAM_FINGERPRINT).", "SHA256"
    )
    output: Form | None = _common(
        f"{', '.join(FORMS)} (SBPAM_OUTPUT); default: table on a terminal, else tsv.",
        *("FORM", "--output", "-o"),
    )
    quiet: bool = flag("Only errors on stderr.", "--quiet", "-q", panel=EVERYWHERE)
    verbose: bool = flag(
        "Show each request: method, path, status, time.", "--verbose", "-v", panel=EVERYWHERE
    )
    no_input: bool = flag("Never ask, not even on a terminal.", panel=EVERYWHERE)


def with_common(row_set: RowSet | None) -> Callable[[Callable[..., Any]], Callable[..., int]]:
    """Makes a Typer function of one that takes a Context and its own options, and returns rows.

    It has the common options too, and in place of `follow` those on following.
    row_set: the kind of rows; None for a command that prints something else.
    """

    def adapt(command: Callable[..., Any]) -> Callable[..., int]:
        by_name = inspect.Parameter.KEYWORD_ONLY
        own = dict(inspect.signature(command).parameters)
        own["ctx"] = inspect.Parameter("ctx", by_name, annotation=typer.Context)
        if follows := own.pop("follow", None) is not None:
            if row_set is HOSTS:
                own["full"] = inspect.Parameter("full", by_name, default=FULL, annotation=bool)
            own |= inspect.signature(follow_limits).parameters
        own |= inspect.signature(Common).parameters
        for name, one in own.items():
            if one.annotation is bool and not one.default.param_decls:
                # Typer's own choice has a `--no-...` beside it.
                one.default.param_decls = (f"--{name.replace('_', '-')}",)
        parameters = [one.replace(kind=by_name) for one in own.values()]

        def adapted(ctx: typer.Context, **values: Any) -> int:
            if ctx.invoked_subcommand is not None:
                # Of `runs show` only what stands after it counts.
                sources = [ctx.get_parameter_source(name) for name in values]
                if any(source is not None and source.name == "COMMANDLINE" for source in sources):
                    whole = f"{ctx.command_path} {ctx.invoked_subcommand}"
                    raise OptionError("options stand after the command", hint=f"`{whole} --help`")
                return 0
            given = {name: values.pop(name) for name in Common._fields}
            full = values.pop("full", False)
            if follows:
                names = inspect.signature(follow_limits).parameters
                values["follow"] = follow_limits(*map(values.pop, names))
            shown = Shown(ctx.command_path.split()[1], row_set, given.pop("output"), full)
            console: Console = ctx.obj
            console.quiet, console.verbose = given.pop("quiet"), given.pop("verbose")
            return present(console, ConnectionOptions(**given), shown, partial(command, **values))

        adapted.__name__, adapted.__doc__ = command.__name__, command.__doc__
        adapted.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        adapted.__annotations__ = {one.name: one.annotation for one in parameters}
        return adapted

    return adapt
