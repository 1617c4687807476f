"""Every record of a list is accounted for, in every form and encoding."""

import ast
import importlib
import importlib.abc
import random
import sys
from importlib.machinery import ModuleSpec
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.host_lists import (
    ENCODINGS,
    FORMS,
    LINE_ENDS,
    Heard,
    Trickle,
    check_list,
    draw_records,
    encode,
    read_list,
    write_list,
)

import sbpam_cli.hosts


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
    heard = Heard()
    hosts = read_list(write_list(form, records), FORMS[form].column, heard)
    check_list(form, records, hosts)


ROOM = Path(sbpam_cli.hosts.__file__).parent
READERS = ("lists", "headers", "tables", "json_lists", "ldif")


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


def broken(module: str, target: int = -1) -> tuple[ast.Module, list[str]]:
    """The module with one place broken, and all places that could be."""
    breaking = Breaking(target)
    tree = breaking.visit(ast.parse((ROOM / f"{module}.py").read_text("utf-8")))
    return ast.fix_missing_locations(tree), breaking.places


class MutantRoom(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """The room `hosts` as a package of another name, one place of one module broken."""

    def __init__(self, module: str, target: int) -> None:
        self._mutant = module, target

    def __enter__(self) -> Any:
        sys.meta_path.insert(0, self)
        return importlib.import_module("mutant_hosts.lists")

    def __exit__(self, *_: object) -> None:
        sys.meta_path.remove(self)
        for name in [name for name in sys.modules if name.startswith("mutant_hosts")]:
            del sys.modules[name]

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        if fullname.partition(".")[0] != "mutant_hosts":
            return None
        return ModuleSpec(fullname, self, is_package=fullname == "mutant_hosts")

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__.partition(".")[2] or "__init__"
        tree, _ = broken(name, self._mutant[1] if name == self._mutant[0] else -1)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                node.module = node.module.replace("sbpam_cli.hosts", "mutant_hosts")
        exec(compile(tree, f"{name}.py", "exec"), module.__dict__)


def forms_gone_wrong(reader: Any) -> set[str]:
    """The forms in which some list does not come out as it was written."""
    wrong = set()
    for form, size, clean in product(FORMS, (60,), (False, True)):
        seed = random.Random(size)
        records = draw_records(form, [seed.randrange(10_000) for _ in range(size)])
        if clean:
            records = [record for record in records if record.kind != "invalid"]
        try:
            hosts = read_list(write_list(form, records), FORMS[form].column, reader=reader)
            check_list(form, records, hosts)
        except AssertionError:
            wrong.add(form)
    return wrong


def test_a_reader_that_drops_a_row_or_does_not_count_one_is_found_out() -> None:
    by_dropping: set[str] = set()
    for module in READERS:
        for target, place in enumerate(broken(module)[1]):
            with MutantRoom(module, target) as reader:
                wrong = forms_gone_wrong(reader)
            assert wrong, f"nothing notices {place} broken in {module}"
            by_dropping |= wrong if "=" not in place else set()
    assert by_dropping == set(FORMS)
    with MutantRoom("lists", -1) as reader:
        assert forms_gone_wrong(reader) == set()
