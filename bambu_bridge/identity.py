"""Which job a printer talks about, and by which names its file may be known. No I/O.

No single field is a key: X1 and H2 call every file `plate_N.gcode`, LAN jobs have the id "0", and
the ids of a reprint may be those of the first print.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import asdict, dataclass, fields, replace
from enum import Enum
from typing import Any, Self

_EXTENSIONS = re.compile(r"(?:\.gcode\.3mf|\.3mf|\.gcode)$", re.I)
_MOST_PLATES = 999
_GENERIC_FILE = re.compile(r"plate_(\d{1,3})\.gcode$", re.I)
_PLATE_TAIL = re.compile(r"_plate_(\d{1,3})$", re.I)
_PLATE_PARAM = re.compile(r"plate_(\d{1,3})\.gcode", re.I)
_SYSTEM_FOLDER = "/usr/etc/print/"
# 2^31-1: firmware that cannot hold a long id gives this one to every job.
_NO_ID = ("", "0", "-1", "2147483647", "null", "none")


class Match(Enum):
    """Are two identities those of one job?"""

    SAME = "same"
    DIFFERENT = "different"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Identity:
    """What a printer says of its job. Ids are None where it has none; `stem` is the bare name."""

    job_id: str | None = None
    task_id: str | None = None
    lan_task_id: str | None = None
    subtask_id: str | None = None
    gcode_start_time: str | None = None
    stem: str | None = None
    plate: int | None = None
    total_layers: int | None = None
    gcode_file: str = ""
    subtask_name: str = ""
    project_id: str | None = None

    @classmethod
    def of(cls, said: dict[str, Any]) -> Self:
        """From the fields of a report; strings as they came, numbers already read."""
        file, name = said.get("gcode_file", ""), said.get("subtask_name", "")
        stem = _best_stem(file, name)
        return cls(
            job_id=_id(said.get("job_id")),
            task_id=_id(said.get("task_id")),
            lan_task_id=_id(said.get("lan_task_id")),
            subtask_id=_id(said.get("subtask_id")),
            gcode_start_time=_id(said.get("gcode_start_time")),
            stem=stem,
            plate=_plate(said, file, stem),
            total_layers=said.get("total_layer_num") or None,
            gcode_file=file,
            subtask_name=name,
            project_id=_id(said.get("project_id")),
        )

    @property
    def ids(self) -> dict[str, str]:
        """The ids that can tell two jobs apart, the best one first."""
        names = ("job_id", "task_id", "lan_task_id", "subtask_id", "gcode_start_time")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    @property
    def is_empty(self) -> bool:
        return self.stem is None and not self.ids

    @property
    def is_system(self) -> bool:
        """A calibration or another job of the printer itself."""
        inner = self.gcode_file.startswith(_SYSTEM_FOLDER)
        return inner or (self.stem or "").casefold().startswith("auto_cali")

    @property
    def filename(self) -> str | None:
        """The file as people know it; None when the job has no name."""
        file = _basename(self.gcode_file)
        if file and (not _GENERIC_FILE.match(file) or self.gcode_file.startswith(_SYSTEM_FOLDER)):
            return file
        return self.subtask_name.strip() or None

    def compare(self, other: Identity) -> Match:
        """By ids where both have one, otherwise by name and plate."""
        mine, theirs = self.ids, other.ids
        shared = [mine[name] == theirs[name] for name in mine if name in theirs]
        if shared:
            return Match.SAME if all(shared) else Match.DIFFERENT
        if self.stem is None or other.stem is None:
            return Match.UNKNOWN
        plates = {self.plate, other.plate} - {None}
        same = self.stem.casefold() == other.stem.casefold() and len(plates) < 2
        return Match.SAME if same else Match.DIFFERENT

    def filled_from(self, other: Identity) -> Identity:
        """Only what is missing here."""
        missing = {
            f.name: getattr(other, f.name) for f in fields(self) if not getattr(self, f.name)
        }
        return replace(self, **missing)

    def candidates(self) -> list[str]:
        """The names a mapping may use, the most exact first."""
        stem, plate = self.stem or "", self.plate
        file = _basename(self.gcode_file)
        names = ["" if _GENERIC_FILE.match(file) else file, self.subtask_name]
        if stem:
            names += [f"{stem}.3mf", f"{stem}.gcode.3mf", f"{stem}.gcode", stem]
        if stem and plate is not None:
            plated = f"{_PLATE_TAIL.sub('', stem)}_plate_{plate}"
            names += [f"{plated}.3mf", plated]
        return list(dict.fromkeys(name for name in names if name.strip()))

    def stored(self) -> dict[str, Any]:
        """Only what is known, for the disk and for the database."""
        return {name: value for name, value in asdict(self).items() if value not in (None, "")}

    @classmethod
    def restored(cls, stored: dict[str, Any]) -> Self:
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in stored.items() if name in known})


def stem_of(name: str) -> str | None:
    """NFC, without folders and without (repeated) extensions; None when nothing is left."""
    text = unicodedata.normalize("NFC", name).strip()
    # A title may hold a slash ("Lid 1/2"); only what looks like a path loses its folders.
    if text.startswith("/") or _EXTENSIONS.search(text):
        text = _basename(text)
    while (shorter := _EXTENSIONS.sub("", text).strip()) != text:
        text = shorter
    return text or None


def plate_of(param: str) -> int | None:
    """The plate in e.g. "Metadata/plate_2.gcode"."""
    found = _PLATE_PARAM.search(param)
    return int(found.group(1)) if found else None


def _best_stem(file: str, name: str) -> str | None:
    base = _basename(file)
    own = None if _GENERIC_FILE.match(base) else stem_of(base)
    if file.startswith(_SYSTEM_FOLDER):  # the name may still be that of the job before
        return stem_of(base)
    return stem_of(name) or own


def _plate(said: dict[str, Any], file: str, stem: str | None) -> int | None:
    for field in ("plate_idx", "plate_id"):
        if isinstance(number := said.get(field), int) and 0 < number <= _MOST_PLATES:
            return number
    if _GENERIC_FILE.match(_basename(file)):
        return plate_of(file)
    tail = _PLATE_TAIL.search(stem or "")
    return int(tail.group(1)) if tail else None


def _basename(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2].strip()


def _id(value: Any) -> str | None:
    text = str(value).strip() if value is not None else ""
    return None if text.lower() in _NO_ID else text
