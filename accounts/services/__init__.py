"""Every write of the accounts: one module per noun. Doors translate; nothing here knows HTTP or a project."""
