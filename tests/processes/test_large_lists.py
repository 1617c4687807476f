"""Long lists: they are scheduled once, and told in their order."""

import pytest
from support.oracle import check_exactly_once
from support.process import RealSite, host_names


@pytest.mark.slow
@pytest.mark.parametrize("hosts", [10_000, 100_000])
def test_long_list_is_scheduled_and_told(stage: RealSite, hosts: int) -> None:
    names = host_names(hosts)
    check_exactly_once(stage, names, stage.run("schedule", stage.write_list(names)))
    [run] = stage.run("runs").rows()
    for command in (("resume", run[0]), ("status", "--offline"), ("status",)):
        after = stage.run(*command).expect(0)
        assert [row[0] for row in after.rows()] == names
