"""Serving, and who may come."""

from __future__ import annotations

import asyncio
import gc
import signal
import subprocess
import sys
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

import coordhub
import coordhub.aio

from support import program


def test_a_hub_is_served_with_its_page(tmp_path: Path) -> None:
    with coordhub.Hub(tmp_path / "hub.db") as hub:
        with hub.serve("127.0.0.1:0") as served:
            assert served.url == f"http://{served.addresses[0]}" and served.url in repr(served)
            with urlopen(served.url) as page:
                assert b"<title>" in page.read()
            with coordhub.connect(served.url) as remote:
                remote.send("from elsewhere", from_entity="ada")
                assert remote.url == served.url and remote.url in repr(remote)
                hub.send("from here", from_entity="ada")
                both = ["from elsewhere", "from here"]
                assert [message.content for message in hub.recent()] == both
                assert [message.content for message in remote.recent()] == both
        served.stop()
        with coordhub.connect(served.url, timeout=1) as remote, pytest.raises(coordhub.Unavailable):
            remote.health()
        assert len(hub.recent()) == 2, "the hub itself is open"
        with pytest.raises(coordhub.Invalid):
            hub.serve("nowhere")


def test_tokens_and_invites(tmp_path: Path) -> None:
    with coordhub.Hub(tmp_path / "hub.db") as hub:
        # Whoever opened the hub is its admin.
        invite = hub.create_invite("agents", ["ai_agent"], uses=1)
        assert invite.secret is not None
        assert [one.invite_id for one in hub.invites()] == [invite.invite_id]
        with hub.serve("127.0.0.1:0", auth="token") as served:
            with coordhub.connect(served.url) as nobody, pytest.raises(coordhub.Unauthorized):
                nobody.recent()
            with coordhub.connect(served.url, token=invite.secret) as guest:
                with guest.entity("gpt") as gpt:
                    token = gpt.token
                    assert gpt.send("I am in").from_entity == "gpt"
            assert token is not None
            with coordhub.connect(served.url, token=token, entity="gpt") as known:
                assert known.session().entity_id == "gpt"
                assert known.send("I am back").from_entity == "gpt"
                with pytest.raises(coordhub.Forbidden):
                    known.send("I am another", from_entity="ada")
                with pytest.raises(coordhub.Forbidden):
                    known.tokens()
                [mine] = [one for one in hub.tokens() if one.entity_id == "gpt"]
                hub.revoke_token(mine.token_id)
                with pytest.raises(coordhub.Unauthorized):
                    known.recent()
        assert "token_revoked" in [entry.kind for entry in hub.audit()]
        assert hub.refusals()
        assert hub.prune("messages", older_than_days=30).kind == "messages"


def test_a_guest_is_let_go_with_its_hub(tmp_path: Path) -> None:
    async def awaited(url: str, secret: str) -> None:
        async with coordhub.aio.connect(url, token=secret) as remote:
            guest = await remote.entity("second")
        with pytest.raises(coordhub.Unavailable, match="closed"):
            await guest.send("Still in?")

    with coordhub.Hub(tmp_path / "hub.db") as hub:
        secret = hub.create_invite("agents", ["ai_agent"], uses=2).secret
        assert secret is not None
        with hub.serve("127.0.0.1:0", auth="token") as served:
            with coordhub.connect(served.url, token=secret) as remote:
                guest = remote.entity("first")
            with pytest.raises(coordhub.Unavailable, match="closed"):
                guest.send("Still in?")
            asyncio.run(awaited(served.url, secret))


def test_too_fast(tmp_path: Path) -> None:
    with coordhub.Hub(tmp_path / "hub.db") as hub:
        with hub.serve("127.0.0.1:0", address_changes_per_second=1) as served:
            with coordhub.connect(served.url, timeout=0.2) as remote:
                with pytest.raises((coordhub.RateLimited, coordhub.TimedOut)) as slowed:
                    for _ in range(1_000):
                        remote.send("x", from_entity="ada")
                if isinstance(slowed.value, coordhub.RateLimited):
                    assert slowed.value.retry_after > 0


def test_the_command_is_installed() -> None:
    command = Path(sys.executable).with_name("coordhub")
    for words in ([str(command)], [sys.executable, "-m", "coordhub"]):
        told = subprocess.run([*words, "--version"], capture_output=True, text=True, timeout=60)
        assert told.stdout.strip() == f"coordhub {coordhub.__version__}", told
        wrong = subprocess.run([*words, "no-such"], capture_output=True, text=True, timeout=60)
        assert wrong.returncode == 2 and "no-such" in wrong.stderr


SERVES = "import sys; from coordhub._cli import main; sys.argv[0] = 'coordhub'; main()"


def test_the_command_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    words = ["serve", "--bind", "127.0.0.1:0", "--db", str(tmp_path / "hub.db")]
    with program(SERVES, *words) as server:
        assert server.stderr is not None
        url = server.stderr.readline().split()[-1]
        with coordhub.connect(url) as hub:
            assert hub.health().status == "active"
        server.send_signal(signal.SIGINT)
        output, errors = server.communicate(timeout=30)
    assert server.returncode == 0, output + errors


def test_a_service_whose_handle_nobody_kept_ends_with_its_hub() -> None:
    hub = coordhub.Hub(":memory:")
    url = hub.serve("127.0.0.1:0").url
    gc.collect()
    with urlopen(f"{url}/health") as health:
        assert health.status == 200
    hub.close()
    with pytest.raises(URLError):
        urlopen(f"{url}/health", timeout=10)
    with pytest.raises(coordhub.Unavailable):
        hub.serve("127.0.0.1:0")


def test_a_hub_in_memory_has_its_token_in_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with coordhub.Hub(":memory:") as hub:
        with hub.serve("127.0.0.1:0", auth="token") as served:
            file = served.admin_token
            assert file is not None and file.stat().st_mode & 0o077 == 0
            assert file.parent.stat().st_mode & 0o077 == 0
            with coordhub.connect(served.url, token_file=file) as admin:
                assert admin.tokens()
        with hub.serve("127.0.0.1:0", auth="token") as served:
            assert served.admin_token is None and file.exists()
    assert not file.parent.exists()
    assert list(tmp_path.iterdir()) == []


STOPS = """
import os, signal, socket, sys, threading, time, coordhub
hub = coordhub.Hub(":memory:")
served = hub.serve("127.0.0.1:0")
host, port = served.addresses[0].rsplit(":", 1)
# A request whose end never comes: the drain waits for it.
one = socket.create_connection((host, int(port)))
one.sendall(b"POST /messages/send HTTP/1.1\\r\\nHost: localhost\\r\\nContent-Length: 9\\r\\n\\r\\n{")
with coordhub.connect(served.url) as other:
    other.health()
begun = time.monotonic()
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    eval(sys.argv[1])()
except KeyboardInterrupt:
    hub.close()
    print("interrupted", hub.closed, time.monotonic() - begun)
else:
    print("not interrupted", time.monotonic() - begun)
"""


@pytest.mark.parametrize("stop", ["served.stop", "hub.close"])
def test_a_stop_ends_on_ctrl_c(stop: str) -> None:
    said, errors = program(STOPS, stop).communicate(timeout=60)
    assert said.startswith("interrupted True"), said + errors
