"""What the tests share: a hub in a file and one in memory, and the proof that it is the wheel that is tested."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import coordhub

SOURCE = Path(__file__).resolve().parents[1]


def pytest_report_header() -> str:
    return f"coordhub {coordhub.__version__} from {Path(coordhub.__file__).parent}"


def pytest_sessionstart() -> None:
    # A test of the source folder would say nothing about what is installed.
    assert SOURCE not in Path(coordhub.__file__).resolve().parents, "install the wheel first"


@pytest.fixture(params=["file", "memory"])
def hub(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[coordhub.Hub]:
    path = tmp_path / "hub.db" if request.param == "file" else ":memory:"
    with coordhub.Hub(path) as opened:
        yield opened


@pytest.fixture
def people(hub: coordhub.Hub) -> coordhub.Hub:
    """A hub with two agents, a human and a service."""
    hub.register("ada", "claude_session", capabilities=["rust"])
    hub.register("gpt", "ai_agent")
    hub.register("maria", "human", name="Maria")
    hub.register("cron", "service")
    return hub
