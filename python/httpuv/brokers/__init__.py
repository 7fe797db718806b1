"""Brokers: what lets several servers, processes or machines share topics.

:class:`Memory` for the servers of one process, :class:`Redis` for machines. Others can be written:
:class:`httpuv.Broker` says what one has to do.
"""

from .memory import Memory
from .protocol import Broker, Delivery, Health, Keep, Published, Standing, Unavailable
from .redis import Redis

__all__ = [
    "Broker",
    "Delivery",
    "Health",
    "Keep",
    "Memory",
    "Published",
    "Redis",
    "Standing",
    "Unavailable",
]
