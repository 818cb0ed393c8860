//! Adds the amount with tax, and refuses amounts that cannot be.

use wasmill_sdk::prelude::*;

/// What `config = { .. }` of the pipeline may hold.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// 0.19 for 19 %.
    tax: f64,
}

/// What is read of an event. `Option` makes a field optional; an event without a required one never gets here.
#[derive(Event)]
pub struct Order<'a> {
    #[event(path = "data.amount")]
    amount: f64,
    #[event(path = "data.coupon")]
    coupon: Option<&'a str>,
}

/// What is added to it. Later steps, keys and sinks see these fields beside the event's own.
#[derive(Row)]
pub struct Taxed {
    /// What the customer pays.
    #[row(unit = "EUR")]
    gross: f64,
    discounted: bool,
}

pub struct AddTax {
    config: Config,
}

impl Transformer for AddTax {
    type Config = Config;
    type Event<'a> = Order<'a>;
    type Output<'a> = Taxed;

    fn new(config: Config) -> Result<Self, String> {
        match config.tax {
            0.0..=1.0 => Ok(AddTax { config }),
            tax => Err(format!("config.tax: {tax} is not from 0 to 1")),
        }
    }

    fn transform<'a>(&self, order: Order<'a>, out: &mut Out<Taxed>) -> Result<(), Reject> {
        if order.amount < 0.0 {
            return Err(format!("the amount {} is negative", order.amount).into());
        }
        out.push(Taxed { gross: order.amount * (1.0 + self.config.tax), discounted: order.coupon.is_some() });
        Ok(())
    }
}

wasmill_sdk::transformer!(AddTax);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tax_is_added_beside_the_event() {
        let rows = testing::transformer::<AddTax>(json!({"tax": 0.25})).run(json!({"data": {"amount": 8.0}}));
        assert_eq!(rows, Ok(vec![json!({"data": {"amount": 8.0}, "gross": 10.0, "discounted": false})]));
    }

    #[test]
    fn negative_amounts_go_to_the_dead_letters() {
        let rows = testing::transformer::<AddTax>(json!({"tax": 0.25})).run(json!({"data": {"amount": -1.0}}));
        assert_eq!(rows, Err("the amount -1 is negative".into()));
    }
}
