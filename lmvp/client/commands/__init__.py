"""The commands of `lmvp`, a module for each noun; `lmvp.client.cli` runs them."""
