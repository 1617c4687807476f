"""`sbpam credentials`: every page, every form, and no more of it than what is listed."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.faults import Fault
from support.site import Site

from sbpam_cli.errors import ServerError
from sbpam_cli.models import ServiceAccount
from sbpam_cli.nps.client import ACCOUNTS_A_PAGE as PAGE
from sbpam_cli.nps.client import MOST_PAGES, each_page

COLUMNS = [
    *("credential_id", "user_name", "domain", "display_name", "resource", "platform"),
    "managed_type",
]


def furnish(site: Site, count: int) -> list[dict[str, Any]]:
    """`count` service accounts (and one of another type) in the sandbox."""
    site.world.add_accounts(max(count - 11, 0))
    del site.world.credentials[count + 1 :]
    return [row for row in site.world.credentials if row["credentialType"] == "Configuration"]


def edit(site: Site, change: Callable[[Any], Any]) -> None:
    site.faults.add(Fault(action="edit", path="Credential/Search", edit=change))


def queries(site: Site) -> list[dict[str, str]]:
    found = [urlsplit(target).query for _, target in site.requests("Credential/Search")]
    return [
        {name: value for name, [value] in parse_qs(query, keep_blank_values=True).items()}
        for query in found
    ]


def test_2500_accounts_are_found_by_50_a_page(site: Site) -> None:
    accounts = furnish(site, 2500)
    ended = site.run("credentials").expect(0)
    assert [row[0] or None for row in ended.rows()] == [a["credentialId"] for a in accounts]
    constant = {"filterText": "", "credentialType": "Configuration", "take": "50"}
    # The last one is empty: a total may be wrong, and a full page may not be the last.
    wanted = [constant | {"skip": str(skip)} for skip in range(0, 2501, 50)]
    assert queries(site) == wanted


def test_rows_are_the_same_in_json_and_tsv(site: Site) -> None:
    note = "1 account without an id: not managed"
    rows = site.run("credentials", "-o", "json").expect(0, note).json()["credentials"]
    assert [list(row) for row in rows] == [COLUMNS] * 11
    texts = [[row[name] or "" for name in COLUMNS] for row in rows]
    assert site.run("credentials").expect(0, note).rows() == texts


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("SCAN", ["CORP\\svc-scan", "EMEA\\svc-scan"]),
        ("emea\\svc", ["EMEA\\svc-scan"]),
        ("CORP\\svc-00", [f"CORP\\svc-{n:05d}" for n in range(6, 13)]),
        ("helpdesk", []),
        ("a&b=c+d #é%25\\\t/?", []),
    ],
)
def test_a_text_is_searched_for(site: Site, text: str, found: list[str]) -> None:
    ended = site.run("credentials", text).expect(0)
    assert [f"{row[2]}\\{row[1]}" for row in ended.rows()] == found
    assert {query["filterText"] for query in queries(site)} == {text.rpartition("\\")[2]}
    assert ("no user name contains" in ended.err) == (not found)


def test_an_argument_that_is_not_text(site: Site) -> None:
    """Half of a surrogate pair: a byte of the command line that is no UTF-8."""
    site.run("credentials", "b\udcfcro").expect(2, "not text")
    assert queries(site) == []


@pytest.mark.parametrize("total", [None, 0, 1, 50, 100, 128, 130, 10**9, -1, "129", "many", []])
def test_a_wrong_total_hides_nothing(site: Site, total: object) -> None:
    furnish(site, 129)
    edit(site, lambda reply: reply | {"recordsTotal": total})
    ended = site.run("credentials").expect(0)
    assert len(ended.rows()) == 129
    assert len(queries(site)) <= 4


def test_pages_that_repeat_themselves_end(site: Site) -> None:
    accounts = furnish(site, 129)
    edit(site, lambda reply: reply | {"data": accounts[:50]})
    ended = site.run("credentials", "-o", "json").expect(6)
    assert len(ended.json()["credentials"]) == 50
    assert "after 50 of 129 its pages bring nothing new" in ended.err
    assert len(queries(site)) == 2


@pytest.mark.parametrize("data", [None, "x", {"a": 1}, 7])
def test_a_page_that_is_none_is_an_error(site: Site, data: object) -> None:
    edit(site, lambda reply: reply | {"data": data})
    site.run("credentials").expect(6, "could not be understood", out="")


def test_fields_may_be_absent_null_or_of_other_types(site: Site) -> None:
    odd = [
        *(None, {}, 7, {"id": "x"}),
        {"userName": "a", "managedType": 3},
        {"userName": None, "credentialId": "{9c711ab3-8fc1-4d66-88d4-08f85117f32e}"},
        {"userName": "b", "credentialId": "00000000-0000-0000-0000-000000000000"},
        {"userName": ["c"], "displayName": "C", "password": "planted"},
    ]
    edit(site, lambda _: {"data": odd, "recordsTotal": len(odd)})
    ended = site.run("credentials").expect(0)
    assert ended.rows() == [
        ["", "a", "", "", "", "", "3"],
        ["", "b", "", "", "", "", ""],
        ["", "", "", "C", "", "", ""],
    ]


class Pages:
    """A server that returns `cap` rows a page, and a total of its own."""

    def __init__(self, count: int, cap: int, total: Callable[[int, int], int | None]) -> None:
        self.rows = [
            ServiceAccount(None, f"u{n}", None, None, None, None, None) for n in range(count)
        ]
        self.cap = cap
        self.total = total
        self.asked = 0

    def read(self, skip: int) -> tuple[list[ServiceAccount], int | None]:
        self.asked += 1
        page = self.rows[skip : skip + self.cap]
        return page, self.total(len(self.rows), len(page))

    def walk(self) -> list[ServiceAccount]:
        return [row for page in each_page(self.read, PAGE, "the list") for row in page]


@given(st.integers(0, 260), st.integers(1, 120), st.sampled_from([(1, 0), (1, 7), (3, 0)]))
def test_every_row_comes_whatever_the_pages(count: int, cap: int, wrong: tuple[int, int]) -> None:
    server = Pages(count, cap, lambda count, _: count * wrong[0] + wrong[1])
    assert server.walk() == server.rows
    assert server.asked <= count // cap + 2


@given(st.integers(0, 260), st.sampled_from([50, 500]), st.sampled_from([None, 0, 1, 50, 51]))
def test_every_row_comes_without_a_total_to_help(count: int, cap: int, total: int | None) -> None:
    server = Pages(count, cap, lambda _, page: page if total == 51 else total)
    assert server.walk() == server.rows


def test_a_list_without_end_ends() -> None:
    server = Pages(MOST_PAGES * PAGE + 1, PAGE, lambda *_: None)
    with pytest.raises(ServerError, match="does not end"):
        server.walk()
    assert server.asked == MOST_PAGES
