"""What must be so whatever the machine: modules loaded, requests sent."""

from benchmarks.figures import PARALLEL
from benchmarks.model_server import LIST_JOB
from benchmarks.stage import Stage

_MODULES = """
import sys
from sbpam_cli.main import main
code = main(sys.argv[1:])
sys.stdout.flush()
print(code, *sys.modules, file=sys.stderr)
sys.exit(code)
"""
_NEVER = ("click", "pydantic", "asyncio", "rich", "pygments")
_VERSION = "GET /api/v1/Version"
_POST = "POST /api/v1/HostScanJob/OuMapping/{}"
_JOB = "GET /api/v1/HostScanJob/{}"


def check_structure(stage: Stage) -> list[str]:
    """What is wrong, a line each."""
    some = min(stage.sizes.hosts, 10_000)
    send = ["--batch-size", "1000", "--parallel", str(PARALLEL)]
    return [
        *_check_modules(stage, _NEVER, "schedule", str(stage.lists / "all-1")),
        *_check_modules(stage, (*_NEVER, "typer", "httpx", "ssl"), "--version"),
        *_check_requests(stage, {_VERSION: 1, _POST: 1}, "schedule", str(stage.lists / "all-1")),
        *_check_requests(
            stage, {_VERSION: 1, _POST: 10}, "schedule", *send, str(stage.lists / f"all-{some}")
        ),
        *_check_requests(stage, {_JOB: 1}, "status", LIST_JOB),
        *_check_requests(stage, {}, "status", "--offline"),
    ]


def _check_modules(stage: Stage, never: tuple[str, ...], *arguments: str) -> list[str]:
    program = stage.folder / "modules.py"
    program.write_text(_MODULES)
    words = ["/bin/sh", "-c", '"$@" 2>&1 >/dev/null | tail -n 1', "sh", stage.python, program]
    code, *modules = stage.run(*words, *arguments).split()
    if code != "0":
        return [f"sbpam {arguments[0]} ended with {code}"]
    return [f"sbpam {arguments[0]} loads {name}" for name in never if name in modules]


def _check_requests(stage: Stage, expected: dict[str, int], *arguments: str) -> list[str]:
    stage.ask("/model/requests")
    stage.run(stage.sbpam, *arguments)
    asked = stage.ask("/model/requests")
    if asked == expected:
        return []
    return [f"sbpam {arguments[0]} asks {asked}, expected is {expected}"]
