"""The one door of the embedded stack: what api.<project>.supabase.co is on hosted."""
