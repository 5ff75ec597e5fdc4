"""Every write of the registry, and every permission check: one function per write, the acting user first."""
