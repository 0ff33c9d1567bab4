"""`python -m print_agent`."""

from __future__ import annotations

from print_agent.cli import main

if __name__ == "__main__":
    main()
