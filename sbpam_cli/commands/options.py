"""The options that several commands have, each said once, and the ones that all have."""

import inspect
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, get_type_hints

import typer

from sbpam_cli.commands.completing import complete_profiles, complete_runs
from sbpam_cli.errors import OptionError
from sbpam_cli.models import FORMS, Form
from sbpam_cli.system.services import Services

if TYPE_CHECKING:
    from sbpam_cli.jobs.follow import FollowLimits
    from sbpam_cli.settings.profiles import ConnectionOptions

EVERYWHERE = "Options of every command"
SENDING = {"rich_help_panel": "Sending"}
FOLLOWING = {"rich_help_panel": "Following the scans"}
_PART = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)(ms|s|m|h|d)", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(text: str | float) -> float:
    """Seconds, of `90`, `2m`, `1h30m`, `500ms`; a bare number is seconds."""
    if isinstance(text, float):
        return text
    squeezed = text.strip().lower()
    squeezed += "s" * squeezed[-1:].isdigit()
    parts = _PART.findall(squeezed)
    if not parts or "".join(number + unit for number, unit in parts) != squeezed:
        raise typer.BadParameter(f"not a duration: {text[:40]} (write 90, 2m, 1h30m or 500ms)")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def parse_positive_duration(text: str | float) -> float:
    seconds = parse_duration(text)
    if seconds <= 0:
        raise typer.BadParameter("must be greater than zero (write 90, 2m, 1h30m or 500ms)")
    return seconds


def option(words: str, metavar: str | None = None, *names: str, **more: Any) -> Any:
    """Named as its parameter, if there are no names."""
    more = {"show_default": False, **more}
    return typer.Option(*names, help=words, metavar=metavar, **more)


def flag(words: str, *names: str, **more: Any) -> Any:
    return option(words, None, *names, **more)


def duration(words: str, default: str | None = None, *names: str, **more: Any) -> Any:
    """default: in words, for the help page."""
    more = {"parser": parse_positive_duration, **more}
    return option(words, "TIME", *names, show_default=default or False, **more)


def argument(words: str, metavar: str, **more: Any) -> Any:
    return typer.Argument(help=words, metavar=metavar, show_default=False, **more)


def run_argument(otherwise: str) -> Any:
    """otherwise: which one it is without it."""
    words = f"A run, or the beginning of its id; without it, {otherwise}."
    return argument(words, "[RUN]", autocompletion=complete_runs)


HostArguments = Annotated[
    list[str] | None, argument("FQDNs, files of them, - for stdin.", "[HOST|FILE|-]...")
]
Credential = Annotated[
    str | None,
    option("The service account (SBPAM_CREDENTIAL): id, name, or DOMAIN\\name.", "ID|NAME"),
]
Yes = Annotated[bool, flag("Don't ask.", "--yes", "-y")]
Offline = Annotated[bool, flag("Ask the journal (or check the list) alone.", "--offline")]
Full = Annotated[bool, flag("On a terminal: every row, not the first 100.", "--full")]
ScanDuration = Annotated[
    float, duration("How long the scans of a job take.", parser=parse_duration)
]

SendTimeout = Annotated[float, duration("Limit for one POST, reply included.", "2m", **SENDING)]
SettleAfter = Annotated[
    float,
    duration("How long until 'no such job' is believed.", "3m", parser=parse_duration, **SENDING),
]
Wait = Annotated[bool, flag("Follow the scans to their end.", "--wait", "--watch", **FOLLOWING)]
Timeout = Annotated[
    float | None, duration("Stop following after so long.", parser=parse_duration, **FOLLOWING)
]
Interval = Annotated[
    float | None, duration("Between two looks at a job.", "2s, growing to 30s", **FOLLOWING)
]


def follow_limits(
    timeout_s: float | None, interval_s: float | None, *, wait: bool
) -> "FollowLimits":
    """Raises OptionError without `--wait`."""
    from sbpam_cli.jobs.follow import FollowLimits

    for name, given in (("--timeout", timeout_s), ("--interval", interval_s)):
        if given is not None and not wait:
            raise OptionError(f"{name} goes with --wait")
    return FollowLimits(timeout_s, interval_s)


def _common(words: str, metavar: str | None = None, *names: str, **more: Any) -> Any:
    return option(words, metavar, *names, rich_help_panel=EVERYWHERE, **more)


class Common(NamedTuple):
    """The options that mean the same on every command and stand after it."""

    services: Services
    profile: Annotated[
        str | None,
        _common("The profile to use (SBPAM_PROFILE).", "NAME", autocompletion=complete_profiles),
    ] = None
    server: Annotated[
        str | None, _common("HOST[:PORT], or https://HOST (SBPAM_SERVER).", "URL")
    ] = None
    ca_bundle: Annotated[
        str | None, _common("Trust these CA certificates (SBPAM_CA_BUNDLE).", "FILE")
    ] = None
    fingerprint: Annotated[
        str | None,
        _common("Trust exactly this server certificate (SBPAM_FINGERPRINT).", "SHA256"),
    ] = None
    output: Annotated[
        Form | None,
        _common(
            f"{', '.join(FORMS)} (SBPAM_OUTPUT); default: table on a terminal, else tsv.",
            "FORM",
            "--output",
            "-o",
        ),
    ] = None
    quiet: Annotated[bool, _common("Only errors on stderr.", None, "--quiet", "-q")] = False
    verbose: Annotated[
        bool, _common("Show each request: method, path, status, time.", None, "--verbose", "-v")
    ] = False
    no_input: Annotated[bool, _common("Never ask, not even on a terminal.", None, "--no-input")] = (
        False
    )

    def connection(self, **more: Any) -> "ConnectionOptions":
        """What these say about server and user; more: what else the command line says of it."""
        from sbpam_cli.settings.profiles import ConnectionOptions

        return ConnectionOptions(
            profile=self.profile,
            server=self.server,
            ca_bundle=self.ca_bundle,
            fingerprint=self.fingerprint,
            no_input=self.no_input,
            **more,
        )


def with_common(command: Callable[..., int]) -> Callable[..., int]:
    """Gives a Typer function the common options, and hands them over as its first argument."""
    hints = get_type_hints(Common, include_extras=True)
    by_name = inspect.Parameter.KEYWORD_ONLY
    shared = [
        inspect.Parameter(name, by_name, default=default, annotation=hints[name])
        for name, default in Common._field_defaults.items()
    ]
    own = list(inspect.signature(command).parameters.values())[1:]
    context = inspect.Parameter("ctx", by_name, annotation=typer.Context)
    parameters = [context, *(one.replace(kind=by_name) for one in own), *shared]

    def adapted(ctx: typer.Context, **values: Any) -> int:
        given = {name: values.pop(name) for name in Common._field_defaults}
        return command(Common(ctx.obj, **given), **values)

    adapted.__name__, adapted.__doc__ = command.__name__, command.__doc__
    adapted.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    adapted.__annotations__ = {one.name: one.annotation for one in parameters}
    return adapted
