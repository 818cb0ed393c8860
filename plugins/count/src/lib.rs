//! Counts rows. Reads no field, so no column crosses to it.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

use wasmill_sdk::prelude::*;

#[derive(Default, Serialize, Deserialize, State)]
pub struct Count(u64);

#[derive(Row)]
pub struct Counted {
    /// Rows in the window.
    count: u64,
}

impl Aggregator for Count {
    type Config = ();
    type Event<'a> = ();
    type Output<'a> = Counted;

    fn empty(_: &()) -> Self {
        Count::default()
    }

    #[inline(always)]
    fn add(&mut self, _: (), _: &()) -> Result<(), Reject> {
        self.0 += 1;
        Ok(())
    }

    fn merge(&mut self, other: &Self) {
        self.0 += other.0;
    }

    fn emit<'a>(&'a self, _: &Emission<'a>, _: &(), out: &mut Out<Counted>) {
        out.push(Counted { count: self.0 });
    }
}

wasmill_sdk::aggregator!(Count);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_counts_once() {
        let mut test = testing::aggregator::<Count>(json!({}));
        test.add(json!({"any": "event"})).add(json!({}));
        assert_eq!(test.emit(), [json!({"count": 2})]);
        test.laws();
    }

    #[test]
    fn a_configuration_is_refused_by_its_key() {
        let error = testing::configure_aggregator::<Count>(json!({"field": "x"})).unwrap_err();
        assert_eq!(error, "config: unknown field `field`, the plugin takes no configuration");
    }
}
