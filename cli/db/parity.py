"""Are two databases the same? Catalog facts first, the Supabase CLI's own diff second."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import psycopg

from cli.output import Failure
from services.local import migrations

_SHOWN = 300


@dataclass(frozen=True)
class Difference:
    """A fact that two builds do not share; the side without it is None."""

    kind: str
    name: str
    left: str | None
    right: str | None

    def sentence(self, left: str, right: str) -> str:
        """One or more lines; `left` and `right` say what the sides are called."""
        if self.left is None or self.right is None:
            where = left if self.right is None else right
            fact = self.left if self.right is None else self.right
            return f"{self.kind} {self.name}: only in {where}: {_short(fact)}"
        return (
            f"{self.kind} {self.name}:\n  {left}: {_short(self.left, self.right)}\n"
            f"  {right}: {_short(self.right, self.left)}"
        )


def facts(url: str, root: Path) -> dict[tuple[str, str], list[str]]:
    """(kind, name) → facts of one database, by sql/checks/catalog_facts.sql."""
    query = (root / "sql" / "checks" / "catalog_facts.sql").read_bytes()
    found: dict[tuple[str, str], list[str]] = {}
    with psycopg.connect(url, options="-c search_path=") as connection:
        for kind, name, fact in connection.execute(query):
            found.setdefault((kind, name), []).append(fact or "")
    return found


def differences(left_url: str, right_url: str, root: Path) -> list[Difference]:
    """What the catalogs and seed rows of two databases do not share; empty when equal."""
    left, right = facts(left_url, root), facts(right_url, root)
    found: list[Difference] = []
    for kind, name in sorted(left.keys() | right.keys()):
        here, there = left.get((kind, name), []), right.get((kind, name), [])
        only_here = [fact for fact in here if fact not in there]
        only_there = [fact for fact in there if fact not in here]
        for number in range(max(len(only_here), len(only_there))):
            one = only_here[number] if number < len(only_here) else None
            other = only_there[number] if number < len(only_there) else None
            found.append(Difference(kind, name, one, other))
        if not only_here and not only_there and len(here) != len(there):
            found.append(Difference(kind, name, f"{len(here)} times", f"{len(there)} times"))
    return found


def cli_diff(from_url: str, to_url: str) -> str:
    """What `supabase db diff --from --to` would run to turn one database into the other; empty
    when they are equal. Errors: Failure.
    """
    with tempfile.TemporaryDirectory(prefix="takt-diff-") as folder:
        # The notices of the CLI share its stdout; a file holds the statements alone.
        file = Path(folder) / "diff.sql"
        try:
            migrations.run_cli(
                "db", "diff", "--from", from_url, "--to", to_url, "--output", str(file)
            )
        except migrations.MigrationError as error:
            raise Failure(str(error)) from error
        return file.read_text(encoding="utf-8").strip() if file.is_file() else ""


def _short(fact: str | None, other: str = "") -> str:
    """A fact on one line, cut to the part that matters when `other` is given."""
    line, beside = " ".join((fact or "").split()), " ".join(other.split())
    start = 0
    if beside:
        same = next(
            (n for n, (a, b) in enumerate(zip(line, beside, strict=False)) if a != b),
            min(len(line), len(beside)),
        )
        start = max(0, same - 60)
    cut = line[start : start + _SHOWN]
    return ("…" if start else "") + cut + ("…" if start + _SHOWN < len(line) else "")
