"""What the tests share: hubs of every kind, and the proof that it is the wheel that is tested."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import coordhub

SOURCE = Path(__file__).resolve().parents[1]
# In a file, in memory, and over the network.
KINDS = ("file", "memory", "remote")


def pytest_report_header() -> str:
    return f"coordhub {coordhub.__version__} from {Path(coordhub.__file__).parent}"


def pytest_sessionstart() -> None:
    # A test of the source folder would say nothing about what is installed.
    assert SOURCE not in Path(coordhub.__file__).resolve().parents, "install the wheel first"


@contextmanager
def opened(kind: str, folder: Path) -> Iterator[coordhub.HubProtocol]:
    """A hub of one kind."""
    path = ":memory:" if kind == "memory" else folder / "hub.db"
    with coordhub.Hub(path) as local:
        if kind != "remote":
            yield local
            return
        with local.serve("127.0.0.1:0") as served, coordhub.connect(served.url) as remote:
            yield remote


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Of which kind the hub of a test is."""
    return str(request.param)


@pytest.fixture
def hub(kind: str, tmp_path: Path) -> Iterator[coordhub.HubProtocol]:
    with opened(kind, tmp_path) as one:
        yield one


@pytest.fixture
def people(hub: coordhub.HubProtocol) -> coordhub.HubProtocol:
    """A hub with two agents, a human and a service."""
    hub.register("ada", "claude_session", capabilities=["rust"])
    hub.register("gpt", "ai_agent")
    hub.register("maria", "human", name="Maria")
    hub.register("cron", "service")
    return hub
