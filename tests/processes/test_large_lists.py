"""Long lists: they are scheduled once, and told in their order."""

from pathlib import Path

import pytest
from support.oracle import check_exactly_once
from support.process import host_names, staged


@pytest.mark.slow
@pytest.mark.parametrize("hosts", [10_000, 100_000])
def test_long_list_is_scheduled_and_told(tmp_path: Path, hosts: int) -> None:
    names = host_names(hosts)
    with staged(tmp_path / "stage") as stage:
        check_exactly_once(stage, names, stage.run("schedule", stage.write_list(names)))
        [run] = stage.run("runs").rows()
        for command in (("resume", run[0]), ("status", "--offline"), ("status",)):
            after = stage.run(*command).expect(0)
            assert [row[0] for row in after.rows()] == names
