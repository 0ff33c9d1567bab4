"""What counts as a backup: the record, files made elsewhere, and what a backup may overwrite."""

from __future__ import annotations

import datetime
import gzip
import json
from pathlib import Path

import pytest

from cli.db import archive, records
from services.local.paths import Paths
from tests.cli_db.conftest import Takt
from tests.support.databases import Clone

_SOON = datetime.timedelta(minutes=5)


def test_the_record_knows_age_loss_and_change(takt: Takt, clone: Clone) -> None:
    url = clone.url()
    none = takt("db", "gate", "--env", "staging", "--dry-run", "--json", "--db-url", url)
    assert none.code == 6
    assert "No backup" in none.data["steps"][0]["reason"]

    made = takt("db", "backup", "--format", "takt", "--json", "--db-url", url)
    gate = ("db", "gate", "--env", "staging", "--dry-run", "--json", "--db-url", url)
    assert takt(*gate).code == 0
    assert "old" in takt(*gate, "--max-age", "0").data["steps"][0]["reason"]

    file = Path(made.data["file"])
    file.write_bytes(file.read_bytes() + b"x")
    assert "changed" in takt(*gate).data["steps"][0]["reason"]
    file.unlink()
    assert "gone" in takt(*gate).data["steps"][0]["reason"]


def dumped(file: Path, when: datetime.datetime, version: int = 16) -> None:
    """The head of a `pg_dump -Fc` made at `when` (local time): all that tells its age."""

    def integer(value: int) -> bytes:
        return bytes([value < 0]) + abs(value).to_bytes(4, "little")

    compression = b"\x01" if version >= 15 else integer(-1)
    moment = (when.second, when.minute, when.hour, when.day, when.month - 1, when.year - 1900, 0)
    texts = (b"postgres", b"15.18", b"15.18")
    file.write_bytes(
        b"PGDMP"
        + bytes([1, version, 0, 4, 8, 1])
        + compression
        + b"".join(integer(n) for n in moment)
        + b"".join(integer(len(text)) + text for text in texts)
        + integer(1)
        + b"the table of contents"
    )


@pytest.mark.parametrize("version", [14, 16])
def test_a_dump_made_elsewhere_counts_by_the_time_in_it(tmp_path: Path, version: int) -> None:
    file, now = tmp_path / "hosted.dump", datetime.datetime.now(datetime.UTC)
    for hours in (0, 25):
        made = now.astimezone() - datetime.timedelta(hours=hours)
        dumped(file, made, version)
        assert abs(records.made_at(file) - made) < _SOON
    clone = "127.0.0.1:1/x"
    problem = records.problem(clone, Paths.find(), file, 24, now)
    assert problem is not None
    assert "25.0 h old" in problem
    assert records.problem(clone, Paths.find(), file, 26, now) is None


def test_only_a_backup_counts_as_one(takt: Takt, clone: Clone, tmp_path: Path) -> None:
    url, now = clone.url(), datetime.datetime.now(datetime.UTC)
    gate = ("db", "gate", "--env", "staging", "--dry-run", "--json", "--db-url", url, "--backup")
    whole, head = tmp_path / "kept.tar.gz", tmp_path / "head.dump"
    archive.write(url, whole, now.isoformat(), lambda _: None)
    dumped(head, now.astimezone())
    assert takt(*gate, str(whole)).code == 0
    assert takt(*gate, str(head)).code == 0

    old, ahead = tmp_path / "old.tar.gz", tmp_path / "ahead.dump"
    archive.write(url, old, (now - datetime.timedelta(hours=25)).isoformat(), lambda _: None)
    dumped(ahead, now.astimezone() + datetime.timedelta(hours=30))
    assert "25.0 h old" in takt(*gate, str(old)).data["steps"][0]["reason"]
    assert "future" in takt(*gate, str(ahead)).data["steps"][0]["reason"]

    notes, bare = tmp_path / "notes.txt", tmp_path / "bare.dump"
    cut, cut_dump, zipped = (tmp_path / n for n in ("cut.tar.gz", "cut.dump", "x.gz"))
    notes.write_text("our backup is elsewhere")
    bare.write_bytes(b"PGDMP")
    cut.write_bytes(whole.read_bytes()[:-2000])
    cut_dump.write_bytes(head.read_bytes()[:40])
    zipped.write_bytes(gzip.compress(b"x"))
    for wrong in (notes, bare, cut, cut_dump, zipped, tmp_path / "none", tmp_path):
        ran = takt(*gate, str(wrong))
        assert ran.code == 6, wrong
        assert str(wrong) in ran.data["steps"][0]["reason"]


def test_a_backup_goes_nowhere_without_a_word(takt: Takt, clone: Clone, tmp_path: Path) -> None:
    """Not over an existing file, and not with a traceback."""
    file = tmp_path / "kept"
    file.write_text("precious")
    command = ("db", "backup", "--format", "takt", "--db-url", clone.url(), "--json", "-f")
    refused = takt(*command, str(file))
    assert (refused.code, file.read_text()) == (1, "precious")
    assert "--force" in json.loads(refused.out)["error"]["message"]
    below = takt(*command, str(file / "below"))
    assert below.code == 1
    assert str(file) in below.err
    assert json.loads(below.out)["error"]["code"] == "failed"
    assert takt(*command, str(file), "--force").code == 0
    assert records.made_at(file) > datetime.datetime.now(datetime.UTC) - _SOON
