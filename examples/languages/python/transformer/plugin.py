"""Adds the price with tax and a label, leaves trial orders out, and refuses amounts that cannot be."""

from wasmill import Reject, Transformer, column, event, row


@event
class Order:
    currency: str
    amount: float
    coupon: str | None


@row
class Priced:
    gross: float = column(unit="EUR")
    label: str
    discounted: bool


class Price(Transformer):
    reads = Order
    writes = Priced

    def __init__(self, config):
        self.factor = 1 + config["tax"]

    def transform(self, order):
        if order.amount < 0:
            raise Reject("the amount is negative")
        if order.currency == "TEST":
            return None
        label = order.currency if order.coupon is None else f"{order.currency}/{order.coupon}"
        return Priced(order.amount * self.factor, label, order.coupon is not None)
