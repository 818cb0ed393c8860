use wasmill_sdk::prelude::*;

#[derive(Event)]
pub struct Unsigned {
    pub fine: i64,
    pub count: u64, //~ `u64` cannot be a field of an event
}

#[derive(Event)]
pub struct Misspelt {
    #[event(pth = "data.amount")] //~ only `path = ".."` is known here
    pub amount: f64,
}

#[derive(Event)]
pub struct EmptyPath {
    #[event(path = "")] //~ a path names at least one key
    pub amount: f64,
}

#[derive(Event)]
pub struct Unnamed(f64); //~ `Event` needs fields with names

#[derive(Event)]
pub struct TwoBatches<'a, 'b> { //~ only one lifetime
    pub one: &'a str,
    pub other: &'b str,
}

#[derive(Event)]
pub enum Either { //~ `Event` is derived for structs
    One,
}
