"""Brokers share topics between servers, processes or machines.

:class:`Memory` is for the servers of one process, :class:`Redis` for several machines. The protocol
:class:`httpuv.Broker` describes how to write another one.
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
