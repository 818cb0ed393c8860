// Adds the price with tax and a label, leaves trial orders out, and refuses amounts that cannot be.
import { boolean, float, reject, text } from "./wasmill.js";

export default class Price {
  static reads = { currency: text(), amount: float(), coupon: text().optional() };
  static writes = { gross: float().unit("EUR"), label: text(), discounted: boolean() };

  constructor(config) {
    this.factor = 1 + config.tax;
  }

  transform({ currency, amount, coupon }) {
    if (amount < 0) reject("the amount is negative");
    if (currency === "TEST") return null;
    const label = coupon === null ? currency : `${currency}/${coupon}`;
    return { gross: amount * this.factor, label, discounted: coupon !== null };
  }
}
