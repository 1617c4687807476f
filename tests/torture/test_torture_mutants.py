"""A protocol that lacks one of its rules is found out."""

import pytest
from torture.mutants import MUTANTS, Mutant, find


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_is_found(mutant: Mutant) -> None:
    assert find(mutant) is not None
