"""Wasmill plugins in Python.

    from wasmill import Aggregator, Reject, event, path, row

    @event
    class Order:
        amount: float = path("data.amount")
        coupon: str | None = path("data.coupon")

    @row
    class Orders:
        count: int
        total: float

A file has one `Transformer` or one `Aggregator`. What is printed goes to Wasmill's log.
"""

from .schema import Event, Json, Row, Timestamp, column, event, path, row, tag, time
from .plugin import Aggregator, Emission, Reject, Transformer

__all__ = [
    "Aggregator", "Emission", "Event", "Json", "Reject", "Row", "Timestamp", "Transformer",
    "column", "event", "path", "row", "tag", "time",
]
