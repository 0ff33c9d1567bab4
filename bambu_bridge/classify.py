"""What a printer's error codes mean. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# The code that says "a person stopped it", as print_error or fail_reason and, on some models,
# only its lower half as mc_print_error_code.
_CANCELLED = frozenset({0x0300400C, 0x0500400E})
_CANCELLED_LOW = frozenset({0x400C})
# Shown while a print goes on well: no reason for anything.
_NOISE = frozenset({0x05008030, 0x03008012, 0x0500C011})
_MEANING = {
    0x0300400C: "The print was cancelled.",
    0x0500400E: "The print was cancelled.",
    0x03008000: "Paused for an unknown reason.",
    0x03008001: "Paused by the user.",
    0x03008003: "Spaghetti was seen.",
    0x03008004: "Filament ran out.",
    0x05004004: "The printer was busy with another job.",
    0x05004038: "The nozzle does not fit the file.",
    0x0500803C: "The nozzle does not fit the file.",
    0x0500C010: "The storage could not be read.",
    0x07008011: "Filament ran out.",
}
_SERIOUS = 2  # HMS severity: 1 fatal, 2 serious, 3 common, 4 information


def is_cancel(field: str, value: int) -> bool:
    """Does this value of print_error, fail_reason or mc_print_error_code say "cancelled"?"""
    return value in (_CANCELLED_LOW if field == "mc_print_error_code" else _CANCELLED)


def is_error(value: int) -> bool:
    """A code that can be the reason of a failure."""
    return value != 0 and value not in _NOISE and value not in _CANCELLED | _CANCELLED_LOW


def show(code: int) -> str:
    """The way people find it in the vendor's list: "0300-400C"."""
    return f"{code >> 16 & 0xFFFF:04X}-{code & 0xFFFF:04X}"


def explain(code: int) -> str:
    """A sentence, or "" for a code that is not known here."""
    return _MEANING.get(code, "")


def best_code(codes: Mapping[str, int]) -> int:
    """The code that says most of a failure; 0 when none does."""
    for field in ("print_error", "fail_reason", "mc_print_error_code"):
        if is_error(codes.get(field, 0)):
            return codes[field]
    return 0


def serious(hms: Iterable[str]) -> list[str]:
    """Health messages ("AAAA-AAAA-SSSS-CCCC") that are fatal or serious."""
    return [code for code in hms if 0 < int(code[10:14], 16) <= _SERIOUS]
