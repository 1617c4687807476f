"""Fixtures of the sign-in's tests."""

import pytest
from support.person import Person
from support.site import Site


@pytest.fixture
def person(site: Site) -> Person:
    return Person(site)
