"""Adds the amount with tax, and refuses amounts that cannot be."""

from wasmill import Reject, Transformer, column, event, path, row


@event
class Order:
    """What is read of an event. `| None` makes a field optional; an event without a required one never gets here."""

    amount: float = path("data.amount")
    coupon: str | None = path("data.coupon")


@row
class Taxed:
    """What is added to it. Later steps, keys and sinks see these fields beside the event's own."""

    gross: float = column(unit="EUR", doc="What the customer pays.")
    discounted: bool


class AddTax(Transformer):
    reads = Order
    writes = Taxed

    def __init__(self, config):
        self.tax = config["tax"]
        if not 0 <= self.tax <= 1:
            raise ValueError(f"config.tax: {self.tax} is not from 0 to 1")

    def transform(self, order):
        if order.amount < 0:
            raise Reject(f"the amount {order.amount:g} is negative")
        return Taxed(order.amount * (1 + self.tax), order.coupon is not None)
