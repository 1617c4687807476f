"""Which exit code wins where several apply: each pair, in a table and through the program."""

from itertools import permutations

import pytest
from support.faults import POST, UNLISTED, Fault
from support.site import ClosedAfter, Site

from sbpam_cli import errors
from sbpam_cli.errors import ExitCode, SbpamError
from sbpam_cli.outcome import Outcome

ORDER: list[SbpamError] = [
    errors.Interrupted("interrupted", signal_number=15),
    *(errors.UsageError("x"), errors.LockedError("x"), errors.SignInError("x")),
    *(errors.UnknownOutcomeError("x"), errors.UnreachableError("x"), errors.TimeoutPassed("x")),
    *(SbpamError("a bug"), errors.RejectedError("x")),
]
CODES = [143, 2, 75, 4, 5, 6, 124, 1, 3]
HOSTS = ["web01.corp.example", "web02.corp.example"]
ONE_BY_ONE = ["--batch-size", "1", "--parallel", "1", "--settle-after", "0"]


def test_of_two_errors_the_first_of_the_order_wins() -> None:
    for pair in permutations(range(9), 2):
        # A code of its own (`status --exit-status`) says less than any error.
        errors = [ORDER[number] for number in pair]
        outcome = Outcome(errors=errors, partial=True, code=ExitCode.STILL_GOING)
        assert outcome.exit_code == CODES[min(pair)]


FAULTS = {
    4: [Fault(action="status", status=403, nth=2, **POST)],
    5: [Fault(action="reset", when="after", nth=1, **POST), UNLISTED],
    6: [Fault(action="status", headers={"Retry-After": "1"}, nth=range(2, 99), **POST)],
    3: [Fault(action="status", status=400, nth=1, **POST)],
}


@pytest.mark.parametrize(
    ("kinds", "closed", "statuses"),
    [
        ((4, 5), False, ["OutcomeUnknown", "NotSent"]),
        ((4, 3), False, ["Rejected", "NotSent"]),
        ((5, 6), False, ["OutcomeUnknown", "NotSent"]),
        ((6, 3), False, ["Rejected", "NotSent"]),
        ((6,), False, ["Queued", "NotSent"]),
        ((3,), True, ["Rejected", "Queued"]),
        ((141,), True, ["Queued", "Queued"]),
    ],
)
def test_scheduling(site: Site, kinds: tuple[int, ...], closed: bool, statuses: list[str]) -> None:
    site.faults.add(*(fault for kind in kinds for fault in FAULTS.get(kind, ())))
    if closed:
        site.prepare = lambda services: setattr(services, "stdout", ClosedAfter(0))
    ended = site.run("schedule", *HOSTS, *ONE_BY_ONE, "-o", "json").expect(kinds[0])
    if not closed:
        envelope = ended.json()
        assert envelope["exit_code"] == kinds[0]
        assert [row["status"] for row in envelope["hosts"]] == statuses


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("SBPAM_SERVER", "http://nps.example"), ("SBPAM_PROFILE", "nobody")),
        *(("SBPAM_STATE_HOME", "relative"), ("SBPAM_CONFIG_HOME", "relative")),
        *(("SBPAM_FINGERPRINT", "abc"), ("SBPAM_CA_BUNDLE", "/nonexistent.pem")),
        *(("SBPAM_PASSWORD_FILE", "/nonexistent"), ("SBPAM_TOTP_SECRET", "!!")),
        *(("SBPAM_CREDENTIAL", "../x"), ("SBPAM_CLIENT_CERT", "/nonexistent.pem")),
    ],
)
@pytest.mark.parametrize("command", ["schedule a.example", "whoami"])
def test_a_wrong_variable_is_told_in_json(site: Site, command: str, name: str, value: str) -> None:
    ended = site.run(*command.split(), "-o", "json", env={name: value, "SBPAM_PASSWORD": ""})
    assert ended.json()["exit_code"] == ended.code
    if ended.code:
        assert ended.code != 2 or site.requests() == []
        assert ended.json()["errors"][0]["message"] in ended.err.replace("\n  ", ": ")


def test_a_list_is_judged_before_the_server_is_missed(site: Site) -> None:
    site.environ["SBPAM_SERVER"] = ""
    site.run("schedule", "web01").expect(2, "short name")
    site.run("schedule", *HOSTS).expect(4, "sbpam login")
