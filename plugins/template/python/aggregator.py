"""Orders, their sum and the greatest, for each key and window."""

from wasmill import Aggregator, Reject, column, event, path, row


@event
class Order:
    """What is read of an event. `| None` makes a field optional; an event without a required one never gets here."""

    amount: float = path("data.amount")


@row
class OrdersRow:
    """What is written when the window closes. `tag()` makes a tag of a field."""

    count: int
    total: float = column(unit="EUR")
    greatest: float


class Orders(Aggregator):
    reads = Order
    writes = OrdersRow

    def __init__(self):
        # The identity of `merge`. All attributes are the state.
        self.count = 0
        self.total = 0.0
        self.greatest = 0.0

    def add(self, order):
        if order.amount < 0:
            raise Reject(f"the amount {order.amount:g} is negative")
        self.count += 1
        self.total += order.amount
        self.greatest = max(self.greatest, order.amount)

    def merge(self, other):
        # In any order, any number of times: windows share panes.
        self.count += other.count
        self.total += other.total
        self.greatest = max(self.greatest, other.greatest)

    def emit(self, at):
        return OrdersRow(self.count, self.total, self.greatest)
