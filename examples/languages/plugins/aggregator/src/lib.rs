//! Counts orders and adds them up, for each key and window.

use wasmill_sdk::prelude::*;

#[derive(Event)]
pub struct Priced {
    gross: f64,
    discounted: bool,
}

#[derive(Default, Serialize, Deserialize, State)]
pub struct Orders {
    count: i64,
    discounted: i64,
    total: f64,
    greatest: f64,
}

#[derive(Row)]
pub struct OrdersRow {
    count: i64,
    discounted: i64,
    #[row(unit = "EUR")]
    total: f64,
    greatest: f64,
    /// Of several orders alone.
    mean: Option<f64>,
}

impl Aggregator for Orders {
    type Config = ();
    type Event<'a> = Priced;
    type Output<'a> = OrdersRow;

    fn empty(_: &()) -> Self {
        Orders::default()
    }

    fn add(&mut self, order: Priced, _: &()) -> Result<(), Reject> {
        self.count += 1;
        self.discounted += i64::from(order.discounted);
        self.total += order.gross;
        self.greatest = self.greatest.max(order.gross);
        Ok(())
    }

    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.discounted += other.discounted;
        self.total += other.total;
        self.greatest = self.greatest.max(other.greatest);
    }

    fn emit<'a>(&'a self, _: &Emission<'a>, _: &(), out: &mut Out<OrdersRow>) {
        let Orders { count, discounted, total, greatest } = *self;
        let mean = (count > 1).then(|| total / count as f64);
        out.push(OrdersRow { count, discounted, total, greatest, mean });
    }
}

wasmill_sdk::aggregator!(Orders);
