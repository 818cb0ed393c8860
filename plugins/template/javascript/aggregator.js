// Orders, their sum and the greatest, for each key and window.
import { float, integer, reject } from "./wasmill.js";

export default class Orders {
  // What is read of an event. `optional()` may be missing; an event without a required field never gets here.
  static reads = { amount: float("data.amount") };
  // What is written when the window closes. `tag()` makes a tag of a field.
  static writes = { count: integer(), total: float().unit("EUR"), greatest: float() };

  // The empty state, the identity of `merge`. All properties are stored.
  constructor() {
    this.count = 0;
    this.total = 0;
    this.greatest = 0;
  }

  add(order) {
    if (order.amount < 0) reject(`the amount ${order.amount} is negative`);
    this.count += 1;
    this.total += order.amount;
    this.greatest = Math.max(this.greatest, order.amount);
  }

  // In any order, any number of times: windows share panes.
  merge(other) {
    this.count += other.count;
    this.total += other.total;
    this.greatest = Math.max(this.greatest, other.greatest);
  }

  emit() {
    return { count: this.count, total: this.total, greatest: this.greatest };
  }
}
