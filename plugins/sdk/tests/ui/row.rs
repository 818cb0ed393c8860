use std::time::Duration;

use wasmill_sdk::prelude::*;

#[derive(Row)]
pub struct Nested {
    pub fine: u64,
    pub took: Duration, //~ `Duration` cannot be a field of a row
}

#[derive(Row)]
pub struct Misspelt {
    #[row(units = "ms")] //~ known here: `tag`, `time`
    pub took: f64,
}

#[derive(Row)]
pub struct Both {
    #[row(tag, time)] //~ a field is a tag or the time, not both
    pub at: Timestamp,
}

#[derive(Row)]
pub enum Outputs<'a> {
    Named { page: &'a str }, //~ an output wraps one struct that derives `Row`
}
