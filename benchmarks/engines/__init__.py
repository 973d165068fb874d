"""`make bench-engines`: the embedded engine, OPA over REST and OPA's Go SDK on the same policies and documents."""
