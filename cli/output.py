"""What commands print and how they end: data on stdout, words for people on stderr."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from takt.errors import UNREACHABLE, RpcError
from takt.settings import ConfigError

JSON_VERSION = 1

Json = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]


class Exit(IntEnum):
    """Exit codes of every command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CONFIG_MISSING = 3
    UNREACHABLE = 4
    NOT_ALLOWED = 5
    DRIFT = 6
    PARTIAL = 7
    TEMPORARY = 75


class Failure(Exception):
    """A command cannot go on; the message says what to do."""

    def __init__(self, message: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.code = code


class Group(TyperGroup):
    """A command group that turns every known error into a sentence and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        as_json = "--json" in ctx.args  # what is left for the command that is invoked now
        try:
            return super().invoke(ctx)
        except RpcError as error:
            said = error.message + _facts(error) + _remedy(error)
            _end(said, exit_code(error), as_json, error.code)
        except ConfigError as error:
            _end(str(error), Exit.CONFIG_MISSING, as_json)
        except Failure as error:
            _end(str(error), error.code, as_json)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # whoever read our output has gone; Typer ends quietly
            refused = isinstance(error, PermissionError)
            _end(sentence(error), Exit.NOT_ALLOWED if refused else Exit.FAILED, as_json)


def sentence(error: OSError) -> str:
    """What went wrong with a file, for a person."""
    where = f": {error.filename}" if error.filename else ""
    if isinstance(error, PermissionError):
        return f"No permission{where}. Use another place, or another user."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full{where}. Free some space and try again."
    return f"{error.strerror or error}{where}."


def group(help_text: str) -> typer.Typer:
    """A command group as every module of the command line makes it."""
    return typer.Typer(cls=Group, help=help_text, no_args_is_help=True)


def exit_code(error: RpcError) -> Exit:
    """The exit code for an error of an RPC."""
    if error.sqlstate == UNREACHABLE:
        return Exit.UNREACHABLE
    if error.temporary:
        return Exit.TEMPORARY
    return Exit.NOT_ALLOWED if error.status in (401, 403) else Exit.FAILED


def say(text: str) -> None:
    """A sentence for the person at the terminal."""
    typer.echo(text, err=True)


def fail(message: str, code: Exit = Exit.FAILED) -> NoReturn:
    """End the command with a sentence and an exit code."""
    say(message)
    raise typer.Exit(code)


def prompts() -> contextlib.AbstractContextManager[Any]:
    """Around a question: Typer writes the last letter of each to stdout."""
    return contextlib.redirect_stdout(sys.stderr)


def data(facts: Any) -> None:
    """Print one JSON document as it is."""
    typer.echo(json.dumps(facts, ensure_ascii=False, indent=2))


def show(facts: Any, as_json: bool, columns: Iterable[str] | None = None) -> None:
    """Print rows or one record. JSON is `{"version": 1, "data": …}`."""
    if as_json:
        typer.echo(json.dumps({"version": JSON_VERSION, "data": facts}, ensure_ascii=False))
    elif isinstance(facts, Mapping):
        width = max((len(key) for key in facts), default=0)
        for key, value in facts.items():
            typer.echo(f"{key:<{width}}  {_cell(value)}")
    else:
        _table(list(facts), list(columns or ()))


def report(
    results: Sequence[Mapping[str, Any]], as_json: bool, columns: Iterable[str], applied: bool
) -> None:
    """Print the outcome of each row; exit 1 when all failed, 7 when some did."""
    show(results, as_json, columns)
    failed = sum(not result["ok"] for result in results)
    say(f"{len(results) - failed} fine, {failed} with errors.")
    if not applied:
        say("Dry run: nothing was changed. Repeat with --apply.")
    if failed:
        raise typer.Exit(Exit.FAILED if failed == len(results) else Exit.PARTIAL)


def _table(rows: list[Mapping[str, Any]], columns: list[str]) -> None:
    if not rows:
        say("Nothing.")
        return
    names = columns or list(rows[0])
    cells = [names, *([_cell(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(line[n]) for line in cells) for n in range(len(names))]
    for line in cells:
        padded = (f"{text:<{width}}" for text, width in zip(line, widths, strict=True))
        typer.echo("  ".join(padded).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _end(message: str, code: Exit, as_json: bool, reason: str = "") -> NoReturn:
    """The sentence on stderr and, with --json, the error on stdout; `reason`: an RPC's code."""
    say(message)
    if as_json:
        error = {"message": message, "code": reason or code.name.lower()}
        typer.echo(json.dumps({"version": JSON_VERSION, "error": error}, ensure_ascii=False))
    raise typer.Exit(code)


def _remedy(error: RpcError) -> str:
    """What to do about silence: is it the stack of this computer, or one elsewhere?"""
    if error.status != 0 or error.sqlstate != UNREACHABLE:
        return ""
    elsewhere = os.environ.get("SUPABASE_URL")
    return f" Is {elsewhere} right (SUPABASE_URL)?" if elsewhere else " `takt up` starts it."


def _facts(error: RpcError) -> str:
    shown = f" [{error.code}]" if error.code else ""
    if isinstance(error.detail, Mapping) and error.detail:
        shown += f" {json.dumps(error.detail, ensure_ascii=False)}"
    return shown
