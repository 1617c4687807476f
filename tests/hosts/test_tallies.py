"""Every record of a list is accounted for, in every form and encoding."""

import ast
import inspect
import random
from itertools import product
from types import CodeType, FunctionType, ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.host_lists import (
    ENCODINGS,
    FORMS,
    LINE_ENDS,
    Trickle,
    check_list,
    draw_records,
    encode,
    read_list,
    write_list,
)

from sbpam_cli.hosts import headers, json_lists, ldif, lists, recognise, tables


@pytest.mark.parametrize("form", FORMS)
@given(data=st.data())
def test_the_tally_adds_up(form: str, data: st.DataObject) -> None:
    check_drawn(form, data)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=10_000)
@given(data=st.data())
def test_the_tally_adds_up_ten_thousand_times(form: str, data: st.DataObject) -> None:
    check_drawn(form, data)


def check_drawn(form: str, data: st.DataObject) -> None:
    numbers = data.draw(st.lists(st.integers(0, 10_000), max_size=30))
    encoding = data.draw(st.sampled_from(sorted(ENCODINGS)))
    line_end = data.draw(st.sampled_from(LINE_ENDS))
    most = data.draw(st.sampled_from([1, 7, 50, 100_000]))
    records = draw_records(form, numbers)
    raw = encode(write_list(form, records), encoding, line_end)
    check_list(form, records, read_list(Trickle(raw, most), FORMS[form].column))


@pytest.mark.parametrize("form", FORMS)
def test_a_long_list_is_read_block_by_block(form: str) -> None:
    seed = random.Random(form)
    records = draw_records(form, [seed.randrange(10_000) for _ in range(6_000)])
    hosts = read_list(write_list(form, records), FORMS[form].column)
    check_list(form, records, hosts)


def expression(text: str) -> ast.expr:
    """The tree of an expression, which may be `(yield ...)`."""
    return ast.parse(text, mode="eval").body


class Breaking(ast.NodeTransformer):
    """Breaks the `target`-th place of a module; `places` are all that it could break.

    Either a part of a list loses a row on its way, or a record is not counted.
    """

    def __init__(self, target: int = -1) -> None:
        self.target = target
        self.places: list[str] = []

    def _is_target(self, node: ast.AST) -> bool:
        self.places.append(ast.unparse(node))
        return len(self.places) == self.target + 1

    def visit_Yield(self, node: ast.Yield) -> ast.AST:
        passed = ast.unparse(node).removeprefix("(yield ").removesuffix(")")
        if passed.startswith("(numbers, ") and self._is_target(node):
            return expression(f"(yield [part[1:] for part in {passed}])")
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if ast.unparse(node) == "self._add(names)" and self._is_target(node):
            return expression("self._add(names[1:])")
        return self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        if "tally." in ast.unparse(node.target) and self._is_target(node):
            return ast.Pass()
        return self.generic_visit(node)


def broken_codes(module: ModuleType, target: int) -> tuple[dict[str, CodeType], list[str]]:
    """The functions' code by name, one place of the module broken; all places that could be."""
    breaking = Breaking(target)
    tree = breaking.visit(ast.parse(inspect.getsource(module)))
    whole = compile(ast.fix_missing_locations(tree), "broken", "exec")
    codes, ahead = dict[str, CodeType](), [whole]
    while ahead:
        code = ahead.pop()
        codes[code.co_qualname] = code
        ahead += [const for const in code.co_consts if isinstance(const, CodeType)]
    return codes, breaking.places


def functions_of(module: ModuleType) -> list[FunctionType]:
    places = [module, *(kind for kind in vars(module).values() if kind.__class__ is type)]
    found = [one for place in places for one in vars(place).values()]
    return [f for f in found if isinstance(f, FunctionType) and f.__module__ == module.__name__]


def is_noticed() -> bool:
    """Whether in some form a list does not come out as it was written."""
    for form, clean in product(FORMS, (False, True)):
        seed = random.Random(60)
        records = draw_records(form, [seed.randrange(10_000) for _ in range(60)])
        if clean:
            records = [record for record in records if record.kind != "invalid"]
        try:
            check_list(form, records, read_list(write_list(form, records), FORMS[form].column))
        except AssertionError:
            return True
    return False


@pytest.mark.parametrize("module", [lists, recognise, headers, tables, json_lists, ldif])
def test_a_reader_that_drops_a_row_or_does_not_count_one_is_found_out(module: ModuleType) -> None:
    assert not is_noticed()
    whole = {function: function.__code__ for function in functions_of(module)}
    for target, place in enumerate(broken_codes(module, -1)[1]):
        codes = broken_codes(module, target)[0]
        try:
            for function in whole:
                function.__code__ = codes[function.__qualname__]
            assert is_noticed(), f"nothing notices {place} broken"
        finally:
            for function, code in whole.items():
                function.__code__ = code
