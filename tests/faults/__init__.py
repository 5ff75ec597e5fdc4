"""Faults, with real processes. What these two assert is told as fully as what tests do."""

import pytest

pytest.register_assert_rewrite("tests.faults.clients", "tests.faults.invariants")
