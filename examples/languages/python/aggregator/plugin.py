"""Counts orders and adds them up, for each key and window."""

from wasmill import Aggregator, column, event, row


@event
class Priced:
    gross: float
    discounted: bool


@row
class OrdersRow:
    count: int
    discounted: int
    total: float = column(unit="EUR")
    greatest: float
    mean: float | None = column(doc="Of several orders alone.")


class Orders(Aggregator):
    reads = Priced
    writes = OrdersRow

    def __init__(self):
        self.count = self.discounted = 0
        self.total = self.greatest = 0.0

    def add(self, order):
        self.count += 1
        self.discounted += order.discounted
        self.total += order.gross
        self.greatest = max(self.greatest, order.gross)

    def merge(self, other):
        self.count += other.count
        self.discounted += other.discounted
        self.total += other.total
        self.greatest = max(self.greatest, other.greatest)

    def emit(self, at):
        mean = self.total / self.count if self.count > 1 else None
        return OrdersRow(self.count, self.discounted, self.total, self.greatest, mean)
