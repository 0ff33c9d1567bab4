"""What lies on the paper, what the database says about it, and whether the two agree."""

from __future__ import annotations

import functools
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg

from services.simulator.printer.device import Device
from services.simulator.printer.paper import Label
from services.simulator.printer.thread import RunningPrinter

_TERMINAL = ("printed", "failed", "cancelled", "expired")
_NOBODY = "nobody knows"
_ROWS = """
select l.subject, l.seq, l.state, j.id, j.state::text, j.copies, j.labels,
  j.labels_out, j.extra_labels, j.reprint_of, j.reason, exists (
    select from public.print_job_events e
     where e.job_id = j.id and e.to_state in ('unknown', 'failed'))
from public.print_job_labels l join public.print_jobs j on j.id = l.job_id
where %s::text[] is null or l.subject = any (%s::text[]) order by j.id, l.seq
"""


@dataclass
class Sheet:
    """All pieces of paper with one serial on them."""

    whole: int = 0
    half: int = 0
    where: list[str] = field(default_factory=list)
    came_out: list[datetime] = field(default_factory=list)

    def whole_since(self, at: datetime) -> int:
        """Whole labels that came out from then on: those of one job, and not of the one before."""
        return sum(out >= at for out in self.came_out)


class PaperIndex:
    """Every label that came out, by serial. Reads only what is new."""

    def __init__(self, printers: dict[str, RunningPrinter]) -> None:
        self._printers = printers
        self._seen: dict[str, int] = defaultdict(int)
        self._sheets: dict[str, Sheet] = defaultdict(Sheet)
        self._lock = threading.Lock()
        self.other = 0  # paper without a serial: blank labels, text

    def read(self) -> dict[str, Sheet]:
        with self._lock:
            for code, printer in self._printers.items():
                for label in printer.do(functools.partial(_new, after=self._seen[code])):
                    self._seen[code] = label.n
                    self._add(code, label)
            return self._sheets

    def _add(self, code: str, label: Label) -> None:
        serials = {text for text in label.texts if text.startswith("SN")}
        if not serials:
            self.other += 1
        for serial in serials:
            sheet = self._sheets[serial]
            sheet.whole += not label.spoiled
            sheet.half += label.spoiled
            if not label.spoiled:
                sheet.came_out.append(label.at)
            sheet.where.append(f"{code}#{label.n}{'/half' if label.spoiled else ''}")


def _new(device: Device, after: int) -> list[Label]:
    device.mechanism.advance()
    return [label for label in device.paper.labels if label.n > after]


@dataclass
class Claimed:
    """What the database says about one serial: one label of one job after the other."""

    wanted: int = 0  # copies asked for at first
    approved: int = 0  # further copies that a person asked for
    recorded: int = 0  # copies that count as out
    extra: int = 0  # copies too many, with a notice
    is_over: bool = True  # all its jobs are terminal
    is_void: bool = False  # its first job was cancelled or has expired
    was_doubted: bool = False  # one of its jobs was unknown, or failed
    jobs: list[str] = field(default_factory=list)
    last_job: int = 0
    last_label: str = ""  # what became of it there: wanted, printed or void


def claims(db: psycopg.Connection, serials: Iterable[str] | None = None) -> dict[str, Claimed]:
    """By serial; of all of them without `serials`."""
    names = list(serials) if serials is not None else None
    found: dict[str, Claimed] = defaultdict(Claimed)
    for row in db.execute(_ROWS, (names, names)).fetchall():
        subject, seq, label, job, state, copies, labels, out, extra, reprint_of, reason, doubt = row
        claim = found[subject]
        claim.was_doubted = claim.was_doubted or doubt
        if reprint_of is None:
            claim.wanted += copies
            claim.is_void = state in ("cancelled", "expired")
        else:
            claim.approved += copies
        if label == "printed":
            claim.recorded += copies
        elif out:
            # A person counted; different labels come out in their order, each in all its copies.
            claim.recorded += min(max(out - (seq - 1) * copies, 0), copies)
        claim.extra += extra
        claim.is_over = claim.is_over and state in _TERMINAL
        claim.last_job, claim.last_label = job, label
        again = f" again: {reason}" if reprint_of else ""
        claim.jobs.append(f"{job}:{state}/{label} {copies}x (of {labels}){again}")
    return found


@dataclass
class Verdict:
    """Violations are sentences; figures are counts."""

    violations: list[str]
    figures: Counter[str]


def judge(sheets: dict[str, Sheet], said: dict[str, Claimed]) -> Verdict:
    """The promise, on the paper itself."""
    verdict = Verdict([], Counter())
    for serial, claim in sorted(said.items()):
        sheet = sheets.get(serial, Sheet())
        verdict.figures["serials"] += 1
        verdict.figures["whole labels"] += sheet.whole
        if sheet.half and claim.is_over:
            verdict.figures[f"half labels: {_told_by(claim)}"] += sheet.half
        for what in _wrong(claim, sheet):
            kind = what.split(":", maxsplit=1)[0]
            verdict.figures[f"violation {kind}"] += 1
            where, jobs = ", ".join(sheet.where) or "no paper", "; ".join(claim.jobs)
            verdict.violations.append(f"{serial} {what} [{where}] [{jobs}]")
    for serial in sorted(set(sheets) - set(said)):
        verdict.violations.append(f"{serial} from nowhere: printed, and nobody asked for it")
    return verdict


def _told_by(claim: Claimed) -> str:
    """How the record knows that paper of this serial was spoilt."""
    if claim.was_doubted:
        return "the job was unknown or failed"
    if claim.extra:
        return "told as a label too many"
    return "a person reported it" if claim.approved else _NOBODY


def _wrong(claim: Claimed, sheet: Sheet) -> list[str]:
    found = []
    if sheet.whole > claim.wanted + claim.approved + claim.extra:
        found.append(
            f"silent duplicate: {sheet.whole} on paper, {claim.wanted} asked for,"
            f" {claim.approved} more approved"
        )
    if sheet.whole > claim.recorded + claim.extra and claim.is_over:
        found.append(f"unrecorded: {sheet.whole} on paper, {claim.recorded} in the record")
    if sheet.whole + sheet.half < claim.recorded:
        found.append(
            f"silent loss: {claim.recorded} in the record, {sheet.whole} on paper,"
            f" {sheet.half} half"
        )
    if sheet.half and claim.is_over and _told_by(claim) == _NOBODY:
        found.append(f"silent half: {sheet.half} half labels, and the record knows nothing of it")
    if claim.is_over and not claim.is_void and sheet.whole < claim.wanted:
        found.append(f"silent loss: {claim.wanted} asked for, {sheet.whole} on paper")
    return found


def history_errors(db: psycopg.Connection) -> list[str]:
    """Steps outside the matrix, and jobs whose history does not end in their state."""
    outside = db.execute(
        "select e.job_id, e.from_state::text, e.to_state::text from public.print_job_events e"
        " where e.from_state is not null and e.from_state <> e.to_state and not exists ("
        "  select from private.print_transitions t"
        "   where t.from_state = e.from_state and t.to_state = e.to_state)"
    ).fetchall()
    ends = db.execute(
        "select j.id, j.state::text, e.to_state::text from public.print_jobs j cross join lateral ("
        "  select h.to_state from public.print_job_events h where h.job_id = j.id"
        "   order by h.id desc limit 1) e where e.to_state <> j.state"
    ).fetchall()
    return [f"job {job}: {one} -> {two} is no step" for job, one, two in outside] + [
        f"job {job} is {state}, its history ends with {end}" for job, state, end in ends
    ]


def states(db: psycopg.Connection) -> Counter[str]:
    """Jobs by state."""
    rows: list[tuple[Any, ...]] = db.execute(
        "select state::text, count(*) from public.print_jobs group by 1"
    ).fetchall()
    return Counter(dict(rows))
