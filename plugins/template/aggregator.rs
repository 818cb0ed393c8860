//! Orders, their sum and the greatest, for each key and window.

use wasmill_sdk::prelude::*;

/// What is read of an event. `Option` makes a field optional; an event without a required one never gets here.
#[derive(Event)]
pub struct Order {
    #[event(path = "data.amount")]
    amount: f64,
}

/// What is remembered of one key in one window.
#[derive(Default, Serialize, Deserialize, State)]
pub struct Orders {
    count: u64,
    total: f64,
    greatest: f64,
}

/// What is written when the window closes. `#[row(tag)]` makes a tag of a field.
#[derive(Row)]
pub struct OrdersRow {
    count: u64,
    #[row(unit = "EUR")]
    total: f64,
    greatest: f64,
}

impl Aggregator for Orders {
    type Config = ();
    type Event<'a> = Order;
    type Output<'a> = OrdersRow;

    /// The identity of `merge`.
    fn empty(_: &()) -> Self {
        Orders::default()
    }

    fn add(&mut self, order: Order, _: &()) -> Result<(), Reject> {
        if order.amount < 0.0 {
            return Err(format!("the amount {} is negative", order.amount).into());
        }
        self.count += 1;
        self.total += order.amount;
        self.greatest = self.greatest.max(order.amount);
        Ok(())
    }

    /// In any order, any number of times: windows share panes.
    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.total += other.total;
        self.greatest = self.greatest.max(other.greatest);
    }

    fn emit<'a>(&'a self, _: &Emission<'a>, _: &(), out: &mut Out<OrdersRow>) {
        out.push(OrdersRow { count: self.count, total: self.total, greatest: self.greatest });
    }
}

wasmill_sdk::aggregator!(Orders);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_add_up() {
        let mut test = testing::aggregator::<Orders>(json!({}));
        for amount in [3.0, 4.5, 1.0] {
            test.add(json!({"data": {"amount": amount}}));
        }
        assert_eq!(test.emit(), [json!({"count": 3, "total": 8.5, "greatest": 4.5})]);
        test.laws();
    }

    #[test]
    fn negative_amounts_go_to_the_dead_letters() {
        let mut test = testing::aggregator::<Orders>(json!({}));
        assert_eq!(test.try_add(json!({"data": {"amount": -1.0}})), Err("the amount -1 is negative".into()));
    }
}
