"""Supabase Realtime for the embedded stack: broadcast and presence over Phoenix channels."""
