//! Revenue of the shop: how many orders, what they were worth, and what an order is worth on the average. The route's key is the
//! currency, so amounts of two currencies never meet.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

use wasmill_sdk::prelude::*;

#[derive(Event)]
pub struct Purchase {
    #[event(path = "data.amount")]
    amount: f64,
}

#[derive(Default, Serialize, Deserialize, State)]
pub struct Revenue {
    orders: u64,
    total: f64,
}

#[derive(Row)]
pub struct RevenueRow {
    orders: u64,
    /// In the currency of the key.
    total: f64,
    /// Of one order.
    mean: f64,
}

impl Aggregator for Revenue {
    type Config = ();
    type Event<'a> = Purchase;
    type Output<'a> = RevenueRow;

    fn empty(_: &()) -> Self {
        Revenue::default()
    }

    fn add(&mut self, purchase: Purchase, _: &()) -> Result<(), Reject> {
        if purchase.amount < 0.0 {
            return Err(format!("an order of {} is no revenue", purchase.amount).into());
        }
        self.orders += 1;
        self.total += purchase.amount;
        Ok(())
    }

    fn merge(&mut self, other: &Self) {
        self.orders += other.orders;
        self.total += other.total;
    }

    fn emit<'a>(&'a self, _: &Emission<'a>, _: &(), out: &mut Out<RevenueRow>) {
        if self.orders > 0 {
            out.push(RevenueRow { orders: self.orders, total: self.total, mean: self.total / self.orders as f64 });
        }
    }
}

wasmill_sdk::aggregator!(Revenue);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_add_up() {
        let mut test = testing::aggregator::<Revenue>(json!({}));
        for amount in [3.0, 4.5, 0.0] {
            test.add(json!({"data": {"currency": "EUR", "amount": amount}}));
        }
        assert_eq!(test.emit(), [json!({"orders": 3, "total": 7.5, "mean": 2.5})]);
        test.laws();
    }

    #[test]
    fn a_negative_amount_and_an_event_without_one_are_refused() {
        let mut test = testing::aggregator::<Revenue>(json!({}));
        assert_eq!(test.try_add(json!({"data": {"amount": -2.5}})), Err("an order of -2.5 is no revenue".into()));
        assert_eq!(test.try_add(json!({"data": {}})), Err("missing: data.amount is required".into()));
        assert_eq!(test.emit(), Vec::<serde_json::Value>::new(), "without orders there is no point");
    }
}
