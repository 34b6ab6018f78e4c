"""These tests run in copies, beside the package that they test (test_contracts.py)."""

from __future__ import annotations

collect_ignore_glob = ["*.py"]
