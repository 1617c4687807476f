"""The world behind the server: seeded, a function of its clock, quick."""

import json
import re

import pyotp
from hypothesis import given
from hypothesis import strategies as st

from sbpam_cli.models import FINISHED, ScanStatus
from sbpam_cli.sandbox.http import Request
from sbpam_cli.sandbox.people import (
    EXAMPLE_CREDENTIAL_ID,
    default_units,
    sample_hosts,
    split_dn,
)
from sbpam_cli.sandbox.routes import App
from sbpam_cli.sandbox.tokens import read_token, sign_token, totp_code
from sbpam_cli.sandbox.world import World

SCHEDULE = f"/api/v1/HostScanJob/OuMapping/{EXAMPLE_CREDENTIAL_ID}"


class Clock:
    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


def schedule(world: World, names: list[str]) -> bytes:
    token, _ = world.issue_token(world.users[1])
    headers = (("Authorization", f"Bearer {token}"), ("Content-Type", "application/json"))
    reply = App(world).handle(Request("POST", SCHEDULE, headers, json.dumps(names).encode()))
    assert reply.status == 200
    return reply.body


def test_the_same_seed_gives_the_same_bytes() -> None:
    first, again, other = (
        schedule(World(seed=seed, now=Clock()), sample_hosts()) for seed in (1, 1, 2)
    )
    assert first == again != other


def test_the_samples_are_fqdns_that_the_world_knows() -> None:
    names = sample_hosts()
    assert len(names) == len(set(names)) == 24
    assert len({name.partition(".")[2] for name in names}) == 4
    assert all(World(now=Clock()).knows_host(name) for name in names)
    assert all(re.fullmatch(r"([a-z0-9-]+\.){2,}[a-z]+", name) for name in names)
    assert {host for hosts in default_units().values() for host in hosts} > set(names)


def test_shares_are_about_what_they_are_set_to() -> None:
    world = World(now=Clock(), failing_share=0.25, unknown_share=0.5)
    names = [f"host{number}.example" for number in range(4000)]
    unknown = sum(not world.knows_host(name) for name in names)
    failing = sum(world.machine(name).reason is not None for name in names)
    assert 1800 < unknown < 2200
    assert 850 < failing < 1150


def test_ids_of_a_large_job_are_unique_and_canonical() -> None:
    names = [f"host{number}.example" for number in range(2000)]
    hosts = json.loads(schedule(World(now=Clock()), names))["hostScanHostStatus"]
    ids = [host[key] for host in hosts for key in ("hostScanHostId", "hostId")]
    assert len(set(ids)) == 4000
    assert all(re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", one) for one in ids)


@given(
    moments=st.lists(st.floats(0, 100), min_size=2, max_size=30).map(sorted),
    duration_s=st.floats(0, 80),
    spread=st.floats(0, 1),
    cancelled_after_s=st.none() | st.floats(0, 80),
)
def test_a_scan_only_goes_forward(
    moments: list[float], duration_s: float, spread: float, cancelled_after_s: float | None
) -> None:
    clock = Clock()
    world = World(now=clock, scan_duration_s=duration_s, spread=spread, failing_share=0.5)
    job = world.add_job(sample_hosts())
    order = {ScanStatus.QUEUED: 0, ScanStatus.RUNNING: 1}
    start = clock.time
    for name in job.names:
        machine, previous = world.machine(name), -1
        ended = None
        job.cancelled_at = None
        for moment in moments:
            if cancelled_after_s is not None and moment >= cancelled_after_s:
                job.cancelled_at = start + cancelled_after_s
            scan = world.scan(job, machine, start + moment)
            rank = order.get(scan.status, 2)
            assert rank >= previous
            assert ended in (None, scan.status)
            assert (scan.status in FINISHED) == (scan.finished_at is not None)
            ended = scan.status if scan.status in FINISHED else None
            previous = rank
        assert world.scan(job, machine, start + 101).status in FINISHED


@given(step=st.integers(0, 2**40))
def test_codes_are_those_of_rfc_6238(step: int) -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    assert totp_code(secret, step) == pyotp.TOTP(secret).generate_otp(step)


@given(claims=st.dictionaries(st.text(), st.text()), key=st.binary(), junk=st.text())
def test_tokens_read_back_and_nothing_else_does(
    claims: dict[str, str], key: bytes, junk: str
) -> None:
    token = sign_token(claims, key)
    assert read_token(token, key) == claims
    assert read_token(token, key + b"x") is None
    assert read_token(junk, key) is None


@given(
    method=st.sampled_from(["GET", "POST", "DELETE"]),
    target=st.sampled_from(["/signinBody", "/signin2fa", SCHEDULE, "/api/v1/HostScanJob/"])
    | st.text(),
    body=st.binary()
    | st.recursive(st.none() | st.text(), st.lists).map(json.dumps).map(str.encode),
)
def test_no_request_upsets_the_app(method: str, target: str, body: bytes) -> None:
    world = World(now=Clock())
    token, _ = world.issue_token(world.users[1])
    headers = (("Authorization", f"Bearer {token}"), ("Content-Type", "application/json"))
    reply = App(world).handle(Request(method, target, headers, body))
    assert 200 <= reply.status < 500
    assert len(world.log) == 1


def test_a_distinguished_name_is_split_at_plain_commas_only() -> None:
    assert split_dn('OU=A\\, "B" , dc = X') == ('ou=a\\, "b"', "dc=x")
