"""What belongs to one printer: its way in, its looks, and the two memories of its jobs."""

from __future__ import annotations

from dataclasses import dataclass

from print_agent.desk import Desk, PrinterConfig
from print_agent.drivers.base import Driver
from print_agent.journal import Journal
from print_agent.sight import Sight


@dataclass(frozen=True)
class Post:
    """Handed to everything that works on this printer; only one of them at a time."""

    config: PrinterConfig
    desk: Desk
    driver: Driver
    sight: Sight
    journal: Journal
