// Adds the amount with tax, and refuses amounts that cannot be.
import { boolean, float, reject, text } from "./wasmill.js";

export default class AddTax {
  // What is read of an event. `optional()` may be missing; an event without a required field never gets here.
  static reads = { amount: float("data.amount"), coupon: text("data.coupon").optional() };
  // What is added to it. Later steps, keys and sinks see these fields beside the event's own.
  static writes = { gross: float().unit("EUR").doc("What the customer pays."), discounted: boolean() };

  constructor(config) {
    if (!(config.tax >= 0 && config.tax <= 1)) throw new Error(`config.tax: ${config.tax} is not from 0 to 1`);
    this.tax = config.tax;
  }

  transform(order) {
    if (order.amount < 0) reject(`the amount ${order.amount} is negative`);
    return { gross: order.amount * (1 + this.tax), discounted: order.coupon !== null };
  }
}
