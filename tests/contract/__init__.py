"""Clients, emulator and the vendors' documents, checked against each other."""

import pytest

pytest.register_assert_rewrite(
    "tests.contract.case",
    "tests.contract.file_batch_suite",
    "tests.contract.kits",
    "tests.contract.parts",
)
