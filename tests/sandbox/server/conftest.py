"""A sandbox of its own for each test."""

import pytest
from sandbox_api import Api


@pytest.fixture
def api() -> Api:
    return Api()
