"""Codes from a secret, and the memory of the steps that were used."""

import base64
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.site import bare_services

from sbpam_cli.errors import SignInError
from sbpam_cli.signin.totp import UsedSteps, code_maker

RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()
ORIGIN = "https://nps:6500"


@pytest.mark.parametrize(
    ("moment", "code"),
    [(59, "287082"), (1111111109, "081804"), (2000000000, "279037"), (20000000000, "353130")],
)
def test_codes_are_those_of_rfc_6238(moment: int, code: str) -> None:
    assert code_maker(RFC_SECRET)(moment // 30) == code


def test_the_spelling_of_a_secret_does_not_matter() -> None:
    secret = "JBSWY3DPEHPK3PXP"
    spellings = [secret, "jbsw y3dp ehpk 3pxp", "JBSWY3DP-EHPK3PXP\n", f"{secret}======"]
    assert len({code_maker(text)(1) for text in spellings}) == 1


@pytest.mark.parametrize("secret", ["geheim-0189", "", "   ", "A", "ÄÖÜ", "JBSW=3DP"])
def test_a_secret_that_is_none_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(SignInError) as caught:
        code_maker(secret)
    shown = f"{caught.value.message}{caught.value.reason}{caught.value.hint}"
    assert not secret.strip() or secret not in shown.replace("A-Z", "").replace("A", "")
    assert caught.value.__cause__ is None


def _steps(state: Path, username: str = "CORP\\joe", origin: str = ORIGIN) -> UsedSteps:
    return UsedSteps(bare_services({"SBPAM_STATE_HOME": str(state)}), origin, username)


def test_a_step_is_fresh_once_for_each_user_and_server(tmp_path: Path) -> None:
    assert _steps(tmp_path / "s").claim(100)
    assert not _steps(tmp_path / "s").claim(100)
    assert not _steps(tmp_path / "s", "corp\\JOE").claim(100)
    assert _steps(tmp_path / "s").claim(101)
    assert _steps(tmp_path / "s", "CORP\\ann").claim(100)
    assert _steps(tmp_path / "s", origin="https://other").claim(100)


def test_of_many_at_once_one_has_the_fresh_step(tmp_path: Path) -> None:
    start = threading.Barrier(8)

    def claim(_: int) -> bool:
        start.wait()
        return _steps(tmp_path).claim(7)

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(claim, range(8))) == [False] * 7 + [True]


def test_what_is_kept_says_nothing_and_does_not_grow(tmp_path: Path) -> None:
    for step in range(100, 200):
        _steps(tmp_path).claim(step)
    kept = list(tmp_path.iterdir())
    assert len(kept) <= 12
    assert all(path.stat().st_size == 0 and "joe" not in path.name.lower() for path in kept)


def test_without_a_folder_to_write_to_every_step_is_fresh(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert _steps(tmp_path / "file").claim(1)
    assert _steps(tmp_path / "file").claim(1)
    assert os.listdir(tmp_path) == ["file"]
