"""`python -m bambu_bridge`."""

from __future__ import annotations

from bambu_bridge.cli import main

if __name__ == "__main__":
    main()
