"""sql/ERRORS.md and the sources name the same codes, and a test names each."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
_RAISED = re.compile(
    r"(?:private\.fail|scan_refusal|person_refusal|pack_refusal|floor_refusal)\(\s*(\d{3}),\s*'([a-z_0-9.]+)'"
)
_ANY_RAISE = re.compile(r"private\.(?:fail|scan_refusal)\((?!\s*\d{3},\s*'[a-z_0-9.]+')(?!\s*p_)")
_LISTED = re.compile(r"^\| `([a-z_0-9.]+)` \| (\d{3}) \| (.+) \| (.+) \|$", re.M)
_IN_COMMENT = re.compile(r"\b([a-z_]+\.[a-z_0-9]+) \((\d{3})\)")


def sources() -> dict[Path, str]:
    return {file: file.read_text() for file in sorted((ROOT / "sql").glob("M*/*.sql"))}


def raised() -> dict[str, set[str]]:
    """Code → the statuses it is raised with."""
    codes: dict[str, set[str]] = defaultdict(set)
    for text in sources().values():
        for status, code in _RAISED.findall(text):
            codes[code].add(status)
    return codes


def listed() -> dict[str, str]:
    """Code → status in ERRORS.md."""
    return {code: status for code, status, _, _ in _LISTED.findall(_registry())}


def _registry() -> str:
    return (ROOT / "sql" / "ERRORS.md").read_text()


def test_every_raise_names_its_code_as_a_literal() -> None:
    loose = [
        f"{file.relative_to(ROOT)}: {found.group(0)}"
        for file, text in sources().items()
        for found in _ANY_RAISE.finditer(text)
    ]
    assert loose == []


def test_every_code_raised_is_listed_and_every_code_listed_is_raised() -> None:
    assert {code: {status} for code, status in listed().items()} == dict(raised())


def test_no_code_is_listed_twice() -> None:
    codes = [code for code, *_ in _LISTED.findall(_registry())]
    assert len(codes) == len(set(codes))


def test_comments_name_codes_that_exist_with_their_status() -> None:
    registry = listed()
    wrong = [
        f"{file.relative_to(ROOT)}: {code} ({status})"
        for file, text in sources().items()
        for code, status in _IN_COMMENT.findall(text)
        if registry.get(code) != status
    ]
    assert wrong == []


@pytest.mark.parametrize("code", sorted(listed()))
def test_a_test_names_the_code(code: str) -> None:
    tests = [f for f in (ROOT / "tests").rglob("*.py") if f != Path(__file__)]
    assert any(code in file.read_text() for file in tests), f"no test names {code}"
