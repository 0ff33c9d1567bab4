"""GraphQL over the same RPCs, with the caller's own token: no rule lives here."""
