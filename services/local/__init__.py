"""The embedded stack: a whole Supabase on this computer, without Docker."""

from services.local.prepare import clone_database, prepare_database

__all__ = ["clone_database", "prepare_database"]
