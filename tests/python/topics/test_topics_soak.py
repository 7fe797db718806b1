"""The short form of topics_soak.py: every fault once."""

from __future__ import annotations

import pytest
from topics_soak import run


@pytest.mark.timeout(240)
def test_every_message_once_and_in_order_or_a_reset() -> None:
    outcome = run(processes=2, clients=25, seconds=9, pause=0.05, longest=2)
    print(outcome)
    assert len(set(outcome.kinds)) >= 6
