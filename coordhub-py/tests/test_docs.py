"""The Python of the documents, run as it stands: the blocks of one file in their order, in one namespace."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

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


# The programs that talk to a hub over HTTP have no need of the package; `tests/it` runs those.
EXAMPLES = [
    path
    for path in sorted((ROOT / "examples/python").glob("*.py"))
    if "import coordhub" in path.read_text()
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_examples(example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(example), run_name="__main__")
