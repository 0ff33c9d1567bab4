from __future__ import annotations

from pathlib import Path

import pytest

from cli.order import read_rows
from cli.output import Failure


def write(tmp_path: Path, name: str, content: bytes) -> Path:
    file = tmp_path / name
    file.write_bytes(content)
    return file


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_as_spreadsheets_write_it(tmp_path: Path, mark: bytes, delimiter: str) -> None:
    lines = [
        ["external_order_id", "description", "note"],
        ["1", '"Cake ""Zoë"" \n🎂"', ""],
        ["", "", ""],
        [" 2 ", '"a,b;c"', "x"],
    ]
    text = "\r\n".join(delimiter.join(line) for line in lines)
    rows = read_rows(write(tmp_path, "orders.csv", mark + text.encode()))
    assert rows == [
        {"external_order_id": "1", "description": 'Cake "Zoë" \n🎂', "note": None},
        {"external_order_id": "2", "description": "a,b;c", "note": "x"},
    ]


@pytest.mark.parametrize("text", ['[{"id": 1}]', '{"orders": [{"id": 1}]}', '{"id": 1}'])
def test_json_shapes(tmp_path: Path, text: str) -> None:
    assert read_rows(write(tmp_path, "orders.json", text.encode())) == [{"id": 1}]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b"[1]"),
        ("a.json", b"{"),
        ("a.csv", b"a,b\n1,2,3\n"),
        ("a.csv", b"a,b\n"),
        ("a.csv", b"\xff\xfe\x00"),
    ],
)
def test_a_bad_file_is_a_usage_error(tmp_path: Path, name: str, content: bytes) -> None:
    with pytest.raises(Failure) as caught:
        read_rows(write(tmp_path, name, content))
    assert caught.value.code == 2
    assert name in str(caught.value)
