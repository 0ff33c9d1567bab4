"""`takt db`: the schema, from the living files in sql/ to the history in supabase/migrations/."""

from __future__ import annotations

from cli.db import backup, gate, lint, reset, schema
from cli.output import group

app = group("The database: migrations, their proof, backups, the gate before a release.")

for _command in (
    *(schema.build, schema.push, schema.status, schema.check, schema.diff),
    *(lint.lint, reset.reset, backup.backup, backup.restore, gate.gate),
):
    app.command()(_command)
