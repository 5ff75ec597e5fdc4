"""What the server answers, as frozen dataclasses, a module for each noun. No HTTP."""
