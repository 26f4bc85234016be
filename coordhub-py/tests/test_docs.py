"""The Python of the documents, run as it stands: the blocks of one file in their order, in one namespace."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support import server

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("name", ["docs/python.md", "coordhub-py/README.md"])
def test_documents(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = (ROOT / name).read_text()
    # Files that a block makes belong in no repository.
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__documentation__"}
    blocks = list(BLOCK.finditer(document))
    assert blocks
    for block in blocks:
        line = document.count("\n", 0, block.start(1))
        # Blank lines before it make line numbers in a traceback those of the document.
        exec(compile("\n" * line + block.group(1), name, "exec"), names)


def test_what_the_document_shows_is_typed(tmp_path: Path) -> None:
    document = (ROOT / "docs/python.md").read_text()
    program = tmp_path / "shown.py"
    program.write_text("\n".join(block.group(1) for block in BLOCK.finditer(document)))
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), str(program)]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


EXAMPLES = sorted(path.name for path in (ROOT / "examples/python").glob("*.py"))


@pytest.mark.parametrize("over", ["here", "network"])
@pytest.mark.parametrize("example", [name for name in EXAMPLES if name != "hub.py"])
def test_examples(example: str, over: str, tmp_path: Path) -> None:
    if (example, over) == ("over_http.py", "here"):
        return  # It does without the package, and so without a hub in its process.
    program = ROOT / "examples/python" / example
    with server(tmp_path / "hub.db") as served:
        where = {"COORDHUB_URL": served.url} if over == "network" else {}
        ran = subprocess.run(
            [sys.executable, "-W", "error", str(program)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **where},
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert ran.returncode == 0 and ran.stdout and not ran.stderr, ran.stdout + ran.stderr
