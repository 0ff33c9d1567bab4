"""Where the embedded stack keeps its files, and how it writes them."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path


def project_root() -> Path:
    """The checkout: the folder that holds supabase/, web/ and node_modules/.

    `TAKT_HOME` wins when it is a checkout; a wheel in site-packages has no checkout around it.
    """
    home = os.environ.get("TAKT_HOME")
    if home and (Path(home) / "supabase" / "config.toml").is_file():
        return Path(home).resolve()
    return Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Paths:
    """`root` is the checkout; `home` is the folder whose `.takt/` holds all state."""

    root: Path
    home: Path

    @classmethod
    def find(cls) -> Paths:
        """Paths for this process: state goes to `TAKT_HOME`, otherwise to the checkout."""
        root = project_root()
        home = os.environ.get("TAKT_HOME")
        return cls(root=root, home=Path(home).resolve() if home else root)

    @property
    def state(self) -> Path:
        return self.home / ".takt"

    @property
    def pgdata(self) -> Path:
        return self.state / "pgdata"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def lite(self) -> Path:
        return self.state / "lite"

    @property
    def secrets_file(self) -> Path:
        return self.state / "secrets.json"

    @property
    def ports_file(self) -> Path:
        return self.state / "ports.json"

    @property
    def database_file(self) -> Path:
        return self.state / "database.json"

    @property
    def state_file(self) -> Path:
        return self.state / "state.json"

    @property
    def lock_file(self) -> Path:
        return self.state / "lock"

    @property
    def demo_file(self) -> Path:
        return self.state / "demo.json"

    @property
    def printers_file(self) -> Path:
        return self.state / "printers.json"

    @property
    def agent(self) -> Path:
        """Journal and files of the demo's print agent."""
        return self.state / "print-agent"

    @property
    def device_file(self) -> Path:
        return self.agent / "device.json"

    @property
    def farm(self) -> Path:
        """What the virtual 3D printers of the demo say about themselves."""
        return self.state / "bambu"

    @property
    def bridge(self) -> Path:
        """What the demo's bridge to them must not lose, and its sign-in."""
        return self.state / "bambu-bridge"

    @property
    def node_modules(self) -> Path:
        return self.root / "node_modules"

    @property
    def migrations(self) -> Path:
        return self.root / "supabase" / "migrations"

    def create(self) -> None:
        """Make the state folders. `.takt` is 0711: only Postgres' own user must pass through it."""
        self.state.mkdir(parents=True, exist_ok=True)
        self.state.chmod(0o711 if os.geteuid() == 0 else 0o700)
        for folder in (self.logs, self.lite):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o700)


def write_atomic(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace `path` in one step: a reader, or a crash, sees the old text or the new one."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
