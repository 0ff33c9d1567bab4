"""What a Zebra answers, byte for byte. Pure; the layout follows the vendor's programming guide."""

from __future__ import annotations

from services.simulator.printer.faults import Condition
from services.simulator.printer.mechanism import Mechanism

# In these five states the guide promises no answer to ~HS at all (the fifth, a full rewinder,
# this printer does not have).
SILENT_IN = {
    Condition.PAPER_OUT,
    Condition.RIBBON_OUT,
    Condition.HEAD_OPEN,
    Condition.OVER_TEMP,
}
_HQES_BITS = {
    Condition.PAPER_OUT: 0x1,
    Condition.RIBBON_OUT: 0x2,
    Condition.HEAD_OPEN: 0x4,
    Condition.OVER_TEMP: 0x10,
    Condition.PAUSED: 0x10000,
}
_MM_PER_INCH = 25.4


def frame(text: str) -> bytes:
    """STX text ETX CR LF."""
    return b"\x02" + text.encode("ascii") + b"\x03\r\n"


def host_status(mechanism: Mechanism, *, partial: bool, label_dots: int) -> bytes:
    """~HS: three frames of 12, 11 and 2 fields."""
    held = mechanism.conditions
    flags = {c: int(c in held) for c in Condition}
    first = (
        f"030,{flags[Condition.PAPER_OUT]},{flags[Condition.PAUSED]},{label_dots:04d},"
        f"{min(mechanism.formats, 999):03d},{int(not mechanism.has_room)},0,{int(partial)},000,0,0,"
        f"{flags[Condition.OVER_TEMP]}"
    )
    second = (
        f"001,0,{flags[Condition.HEAD_OPEN]},{flags[Condition.RIBBON_OUT]},1,2,4,0,"
        f"{mechanism.remaining:08d},1,000"
    )
    return frame(first) + frame(second) + frame("1234,0")


def host_identification(mechanism: Mechanism) -> bytes:
    """~HI: model, firmware, dots per mm, memory."""
    return frame(identification(mechanism))


def identification(mechanism: Mechanism) -> str:
    spec = mechanism.spec
    dots = spec.dpi if spec.hi_gives_dpi else spec.dots_per_mm
    return f"{spec.model},{spec.firmware},{'' if spec.dpi_unreadable else dots},8192KB"


def error_flags(held: set[Condition]) -> tuple[int, int]:
    """(flag, low group) of the errors that ~HQES tells of."""
    bits = sum(_HQES_BITS[condition] for condition in held)
    return int(bits != 0), bits


def host_query(mechanism: Mechanism, what: str) -> bytes | None:
    """~HQES, ~HQOD, ~HQSN; None for a query that this printer does not know."""
    if what == "ES":
        flag, bits = error_flags(mechanism.conditions)
        return _block(
            "PRINTER STATUS",
            f"ERRORS:         {flag} 00000000 {bits:08X}",
            "WARNINGS:       0 00000000 00000000",
        )
    if what == "OD":
        inches = print_inches(mechanism)
        names = ("TOTAL NONRESETTABLE:", "USER RESETTABLE CNTR1:", "USER RESETTABLE CNTR2:")
        return _block("PRINT METERS", *(f'{name:<22}{inches:>13} "' for name in names))
    if what == "SN":
        return _block("SERIAL NUMBER", mechanism.spec.serial)
    return None


def print_inches(mechanism: Mechanism) -> int:
    """Length of all labels in inches: what ~HQOD counts, and not labels."""
    return round(mechanism.odometer * mechanism.spec.height_mm / _MM_PER_INCH)


def memory_status() -> bytes:
    """~HM: total, maximum and available RAM in KB."""
    return frame("8192,4096,4096")


def configuration(mechanism: Mechanism, label_dots: int) -> bytes:
    """^HH: the configuration label as text."""
    spec = mechanism.spec
    width = spec.dots(spec.width_mm)
    rows = (
        ("+10.0", "DARKNESS"),
        ("6.0 IPS", "PRINT SPEED"),
        ("TEAR OFF", "PRINT MODE"),
        ("GAP/NOTCH", "MEDIA TYPE"),
        ("THERMAL-TRANS.", "PRINT METHOD"),
        (str(width), "PRINT WIDTH"),
        (f"{label_dots:04d}", "LABEL LENGTH"),
        ("ZPL II", "ZPL MODE"),
        ("<~>  7EH", "CONTROL PREFIX"),
        ("<^>  5EH", "FORMAT PREFIX"),
        ("<,>  2CH", "DELIMITER CHAR"),
        (f"{width} {spec.dots_per_mm}/MM FULL", "RESOLUTION"),
        (spec.firmware, "FIRMWARE"),
        (spec.serial, "SERIAL NUMBER"),
    )
    lines = "".join(f"  {value:<20}{name:<18}\r\n" for value, name in rows)
    return b"\x02" + lines.encode("ascii") + b"\x03\r\n"


def uptime(seconds: int) -> str:
    """In Zebra's words."""
    minutes, secs = divmod(seconds, 60)
    hours, mins = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days:02d} days {hours:02d} hours {mins:02d} mins {secs:02d} secs"


def _block(title: str, *lines: str) -> bytes:
    rows = "".join(f"   {line:<41}\r\n" for line in lines)
    return f"\x02\r\n\r\n  {title:<42}\r\n{rows}\x03".encode("ascii")
