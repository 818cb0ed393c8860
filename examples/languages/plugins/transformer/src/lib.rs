//! Adds the price with tax and a label, leaves trial orders out, and refuses amounts that cannot be.

use wasmill_sdk::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    tax: f64,
}

#[derive(Event)]
pub struct Order<'a> {
    currency: &'a str,
    amount: f64,
    coupon: Option<&'a str>,
}

#[derive(Row)]
pub struct Priced {
    #[row(unit = "EUR")]
    gross: f64,
    label: String,
    discounted: bool,
}

pub struct Price(Config);

impl Transformer for Price {
    type Config = Config;
    type Event<'a> = Order<'a>;
    type Output<'a> = Priced;

    fn new(config: Config) -> Result<Self, String> {
        Ok(Price(config))
    }

    fn transform<'a>(&self, order: Order<'a>, out: &mut Out<Priced>) -> Result<(), Reject> {
        if order.amount < 0.0 {
            return Err("the amount is negative".into());
        }
        if order.currency == "TEST" {
            return Ok(());
        }
        let label =
            order.coupon.map_or_else(|| order.currency.to_owned(), |coupon| format!("{}/{coupon}", order.currency));
        out.push(Priced { gross: order.amount * (1.0 + self.0.tax), label, discounted: order.coupon.is_some() });
        Ok(())
    }
}

wasmill_sdk::transformer!(Price);
