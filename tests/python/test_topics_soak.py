"""The short form of topics_soak.py: every fault once."""

from __future__ import annotations

import pytest
from topics_soak import run


@pytest.mark.timeout(180)
def test_every_message_once_and_in_order_or_a_reset() -> None:
    print(run(processes=2, clients=20, seconds=20))
