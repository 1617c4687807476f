"""The page of a report in a real browser: seen, searched, sorted, printed, and attacked."""

import re
import subprocess
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from support.clock import MovedClock
from support.example_run import HOSTILE, record_example
from support.programs import find_program
from support.site import Program

from sbpam_cli.models import FailureReason, HostRow, ScanStatus
from sbpam_cli.output.escape import escape_controls

pytestmark = pytest.mark.slow

HOSTS = 251


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Chromium has no sandbox for root, as whom a container runs tests.
        started = playwright.chromium.launch(
            executable_path=find_program("chromium"), args=["--no-sandbox"]
        )
        yield started
        started.close()


@pytest.fixture(scope="module")
def write(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Makes the report of an example run and returns its address."""

    def make(count: int, **how: Any) -> str:
        folder = tmp_path_factory.mktemp("report")
        program = Program(folder, MovedClock())
        record_example(program, count, **how)
        page = folder / "report.html"
        page.write_text(program("report", "--offline").out, encoding="utf-8")
        return page.as_uri()

    return make


@pytest.fixture(scope="module")
def address(write: Callable[..., str]) -> str:
    """Of a report with everything in it: 251 hosts, two jobs, one batch in doubt."""
    return write(HOSTS - 1, size=100)


class Seen:
    """A page and what it did: complaints, dialogues, requests."""

    def __init__(self, browser: Browser, address: str, **options: Any) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.goto(address)

    def hosts(self) -> list[str]:
        """The names in the rows that are shown, in their order."""
        names = self.page.evaluate(
            "() => [...document.querySelectorAll('#hosts tbody tr:not([hidden]) th')]"
            ".map(cell => cell.textContent)"
        )
        assert isinstance(names, list)
        return names


@pytest.fixture
def see(browser: Browser) -> Iterator[Callable[..., Seen]]:
    opened: list[Seen] = []

    def look(address: str, **options: Any) -> Seen:
        opened.append(Seen(browser, address, **options))
        return opened[-1]

    yield look
    for seen in opened:
        seen.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_it_is_accessible_fits_and_fetches_nothing(
    see: Callable[..., Seen], address: str, width: int, scheme: str
) -> None:
    seen = see(address, viewport={"width": width, "height": 844}, color_scheme=scheme)
    axe = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")

    seen.page.evaluate(f"{axe}; 0")
    found = seen.page.evaluate("() => axe.run()")

    assert [
        (broken["id"], [node["html"] for node in broken["nodes"]]) for broken in found["violations"]
    ] == []
    assert {"color-contrast", "heading-order", "scope-attr-valid", "bypass"} <= {
        passed["id"] for passed in found["passes"]
    }
    assert seen.page.evaluate("document.documentElement.scrollWidth") == width
    seen.page.keyboard.press("Tab")
    expect(seen.page.locator(".skip")).to_be_focused()
    seen.page.keyboard.press("Enter")
    expect(seen.page.locator("#hosts-heading")).to_be_in_viewport()
    assert {url.partition("#")[0] for url in seen.requests} == {address}
    assert seen.complaints == []


def test_hostile_names_are_shown_and_do_nothing(
    see: Callable[..., Seen], write: Callable[..., str]
) -> None:
    hostile = [name for name in HOSTILE if "\ud800" not in name and "\n" not in name]
    failed = (ScanStatus.FAILED, None, FailureReason.UNKNOWN_ERROR)
    rows = [HostRow(f"h{n}.x.example", *failed, x, x, None, x) for n, x in enumerate(hostile)]

    seen = see(write(len(rows), rows=rows, invalid=hostile))

    shown = set(seen.hosts())
    assert {escape_controls(name) for name in hostile} <= shown
    troubles = " ".join(" ".join(seen.page.locator(".trouble").all_text_contents()).split())
    for name in hostile:
        assert " ".join(escape_controls(name).split()) in troubles
    assert seen.page.locator("img, script, a[href], [onerror], [onfocus], b b").count() == 2
    assert seen.complaints == []
    assert len(seen.requests) == 1


def test_it_filters_as_one_types(see: Callable[..., Seen], address: str) -> None:
    page_of = see(address)
    page, every = page_of.page, page_of.hosts()
    assert len(every) == HOSTS
    rows = page.locator("#hosts tbody tr")
    whole = [text.lower() for text in rows.all_inner_texts()]
    box = page.get_by_role("searchbox", name="Search")

    box.press_sequentially("FailedToConnect")
    tally = page.locator("#tally")
    others = page.locator("#hosts tbody tr:visible", has_not_text="FailedToConnect")
    expect(others).to_have_count(0)
    expect(tally).to_have_text(re.compile(r"^\d+ of 251 hosts$"))
    box.fill("DB00 complete")
    wanted = [row for row in whole if row.startswith("db00") and "complete" in row]
    expect(tally).to_have_text(f"{len(wanted)} of 251 hosts")
    assert len(wanted) > 2
    assert page_of.hosts() == [row.split()[0] for row in wanted]
    for typed, said in (("no such host anywhere", "0 of 251 hosts"), ("", "")):
        box.fill(typed)
        expect(page.get_by_text("No host matches.")).to_be_visible(visible=bool(typed))
        expect(tally).to_have_text(said)
    assert page_of.hosts() == every
    assert tally.get_attribute("aria-live") == "polite"


def test_it_shows_statuses_and_copies_their_names(see: Callable[..., Seen], address: str) -> None:
    seen = see(address, permissions=["clipboard-read", "clipboard-write"])
    page, every = seen.page, seen.hosts()
    tally, copied = page.locator("#tally"), "navigator.clipboard.readText()"

    rows = [row.split() for row in page.locator("#hosts tbody tr").all_inner_texts()]
    wanted: list[str] = []
    for status in ("Failed", "Running"):
        page.get_by_role("checkbox", name=status).check()
        wanted += [row[0] for row in rows if status in row]
        expect(tally).to_have_text(f"{len(wanted)} of 251 hosts")
    assert set(seen.hosts()) == set(wanted)
    page.get_by_role("button", name="Copy names").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate(copied) == "".join(f"{name}\n" for name in seen.hosts())
    for status in ("Failed", "Running"):
        page.get_by_role("checkbox", name=status).uncheck()
    expect(tally).to_have_text("")
    assert seen.hosts() == every
    trouble = page.locator(".trouble", has_text="AccessDenied")
    trouble.locator("summary").click()
    trouble.get_by_role("button", name="Copy").click()
    expect(trouble.get_by_role("button", name="Copied")).to_be_visible()
    named = trouble.locator("pre").inner_text().splitlines()
    assert page.evaluate(copied) == "".join(f"{name}\n" for name in named)
    assert len(named) > 1
    assert seen.complaints == []


def test_it_sorts_by_the_keyboard(see: Callable[..., Seen], address: str) -> None:
    seen = see(address)
    as_asked = seen.hosts()
    head = seen.page.get_by_role("columnheader", name="Host", exact=True)
    button = head.get_by_role("button")

    button.focus()
    orders = []
    for key in ("Enter", "Space", "Enter"):
        seen.page.keyboard.press(key)
        orders.append((head.get_attribute("aria-sort"), seen.hosts()))
        expect(button).to_be_focused()

    up = sorted(as_asked)
    assert orders == [("ascending", up), ("descending", up[::-1]), (None, as_asked)]
    took = seen.page.get_by_role("columnheader", name="Scan took")
    took.get_by_role("button").press("Enter")
    times = seen.page.locator("#hosts tbody td:nth-child(6)").all_inner_texts()
    known = [text for text in times if text.strip()]
    assert known == sorted(known)
    assert len(known) > 20
    assert not any(text.strip() for text in times[len(known) :]), "what is not known is last"


def test_it_prints_and_works_without_scripts(
    see: Callable[..., Seen], address: str, tmp_path: Path
) -> None:
    seen = see(address, java_script_enabled=False, color_scheme="dark")
    pdf = tmp_path / "report.pdf"
    expect(seen.page.locator("#search")).to_be_hidden()
    assert seen.page.locator("#hosts button").count() == 0
    bar = seen.page.locator("svg.bar rect").first.bounding_box()
    assert bar is not None
    assert bar["width"] > 100

    seen.page.pdf(path=pdf)

    text = subprocess.run(
        [find_program("pdftotext"), pdf, "-"], capture_output=True, encoding="utf-8", check=True
    ).stdout
    names = seen.page.locator("#hosts tbody th").all_inner_texts()
    assert len(names) == HOSTS
    assert [name for name in names if name not in text] == []
    assert "What to do" in text
    assert "Search" not in text
    assert 2 <= text.count("\f") <= 16
