// Counts orders and adds them up, for each key and window.
import { boolean, float, integer } from "./wasmill.js";

export default class Orders {
  static reads = { gross: float(), discounted: boolean() };
  static writes = {
    count: integer(),
    discounted: integer(),
    total: float().unit("EUR"),
    greatest: float(),
    mean: float().optional().doc("Of several orders alone."),
  };

  constructor() {
    this.count = 0;
    this.discounted = 0;
    this.total = 0;
    this.greatest = 0;
  }

  add(order) {
    this.count += 1;
    this.discounted += order.discounted ? 1 : 0;
    this.total += order.gross;
    this.greatest = Math.max(this.greatest, order.gross);
  }

  merge(other) {
    this.count += other.count;
    this.discounted += other.discounted;
    this.total += other.total;
    this.greatest = Math.max(this.greatest, other.greatest);
  }

  emit() {
    return { ...this, mean: this.count > 1 ? this.total / this.count : null };
  }
}
