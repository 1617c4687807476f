"""What tests are tried with: tables of cases for `parametrize`, any JSON for Hypothesis."""

from collections.abc import Iterable
from itertools import product
from typing import Any

import pytest
from hypothesis import strategies as st

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def slow(*values: object) -> list[Any]:
    """What is of the kind of other values beside it, and tried with `-m slow`."""
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]


def crossed(*columns: Iterable[object]) -> list[Any]:
    """Each value with each of the other columns; ordinarily those of the shorter take turns.

    The rest of the combinations comes with `-m slow`.
    """
    listed = [[*column] for column in columns]
    longest, rows = max(listed, key=len), []
    for numbers in product(*(range(len(column)) for column in listed)):
        turn = numbers[listed.index(longest)]
        often = all(n == turn % len(column) for n, column in zip(numbers, listed, strict=True))
        row = [column[n] for n, column in zip(numbers, listed, strict=True)]
        rows.append(pytest.param(*row, marks=() if often else pytest.mark.slow))
    return rows
