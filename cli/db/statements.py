"""What a migration file may not hold, seen in its text: the CLI runs a file as one transaction."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""
    (?P<skip> --[^\n]* | [eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*"
            | \$(?P<tag>(?:[A-Za-z_]\w*)?)\$.*?\$(?P=tag)\$ )
    | (?P<comment> /\* ) | (?P<word> \w[\w$]* ) | (?P<mark> [;()] )
    """,
    re.X | re.S,
)
_COMMENT = re.compile(r"/\*|\*/")
_CONTROL = ("begin", "commit", "end", "abort", "rollback", "savepoint", "release")


@dataclass
class Statement:
    """`words`: its words in lower case, without what is quoted; `line` is that of the first."""

    line: int
    words: list[str] = field(default_factory=list)

    @property
    def ends_transaction(self) -> bool:
        """Does it begin or end a transaction, or a part of one?"""
        pair = self.words[:2]
        return self.words[0] in _CONTROL or pair in (
            ["start", "transaction"],
            ["prepare", "transaction"],
        )

    @property
    def stands_alone(self) -> bool:
        """Does Postgres refuse it in a transaction, so that the CLI runs its file without one?"""
        first = self.words[0]
        if first == "vacuum":
            return True
        if first in ("create", "drop") and "index" in self.words[1:3]:
            return "concurrently" in self.words[2:4]
        return first in ("reindex", "alter") and "concurrently" in self.words


def split(text: str) -> list[Statement]:
    """The statements of a file."""
    found: list[Statement] = []
    current: Statement | None = None
    inside = 0  # parentheses and blocks: a semicolon in them ends nothing
    for kind, piece, line in _tokens(text):
        if kind == "word":
            if current is None:
                current = Statement(line)
                found.append(current)
            current.words.append(piece)
            inside += _block(current.words, inside)
        elif piece == ";" and inside == 0:
            current = None
        elif piece in "()":
            inside += 1 if piece == "(" else -1
    return found


def problems(file: str, text: str) -> list[str]:
    """Why this file must not be pushed, each as a sentence that begins with file and line."""
    statements = split(text)
    found = [
        f"{file}:{s.line}: {s.words[0].upper()} does not belong here: the file runs in one "
        "transaction, and this would keep the half of it when the rest fails. Take it out."
        for s in statements
        if s.ends_transaction
    ]
    if len(statements) > 1:
        found += [
            f"{file}:{s.line}: {' '.join(s.words[:3]).upper()} … cannot run in a transaction, so "
            "the other statements of the file would not be taken back when one fails. Move it to "
            "a file of its own."
            for s in statements
            if s.stands_alone
        ]
    return found


def is_transaction(text: str) -> bool:
    """Does the CLI keep all of this file, or nothing?"""
    return not any(s.stands_alone or s.ends_transaction for s in split(text))


def _block(words: list[str], inside: int) -> int:
    """What the last word does to the depth of a `begin atomic … end` body."""
    if words[0] != "create":
        return 0
    if words[-2:] == ["begin", "atomic"]:
        return 1
    if inside and "atomic" in words:
        return {"case": 1, "end": -1}.get(words[-1], 0)
    return 0


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    """(kind, text, line) of each word and mark outside quotes and comments."""
    position, line, counted = 0, 1, 0
    while found := _TOKEN.search(text, position):
        position = found.end()
        if found["comment"]:
            position = _after_comment(text, position)
        elif found["word"] or found["mark"]:
            line += text.count("\n", counted, found.start())
            counted = found.start()
            kind = "word" if found["word"] else "mark"
            yield kind, found.group().lower(), line


def _after_comment(text: str, position: int) -> int:
    """Where a comment that opened before `position` ends; comments nest."""
    depth = 1
    while depth and (found := _COMMENT.search(text, position)):
        depth += 1 if found.group() == "/*" else -1
        position = found.end()
    return position if depth == 0 else len(text)
