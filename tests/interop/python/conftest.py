"""The gateway under test: its URL comes from TIDEGATE_URL, set by tests/interop/run.mjs."""

import os
import re

import pytest


@pytest.fixture(scope="session")
def base_url() -> str:
    return os.environ["TIDEGATE_URL"]


@pytest.fixture(scope="session")
def model() -> str:
    return os.environ.get("TIDEGATE_MODEL", "tide-nano")


@pytest.fixture(scope="session")
def weights_directory() -> str:
    return os.environ["TIDEGATE_TRAINED"]


def last_integer(text: str) -> int | None:
    found = re.findall(r"\d+", text)
    return int(found[-1]) if found else None
