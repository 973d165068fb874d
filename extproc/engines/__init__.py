"""Policy engines: OPA in this process (embedded) or over its REST API (opa), and where policies come from."""
