"""`takt db`: the schema, from the living files in sql/ to the history in supabase/migrations/."""
