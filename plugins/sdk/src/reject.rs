//! What a call gives back.

use crate::row::Emitted;

/// A row that the plugin refuses, with the reason that its dead letter carries. Any text or error makes one: `Err("negative
/// amount".into())`, `text.parse::<f64>()?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject(pub String);

// `Reject` has no `Display` of its own: with one, this would clash with the conversion of a type into itself.
impl<T: std::fmt::Display> From<T> for Reject {
    fn from(reason: T) -> Self {
        Reject(reason.to_string())
    }
}

/// Which row was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    pub row: u32,
    pub reason: String,
}

/// `outputs` in the descriptor's order.
#[derive(Clone, Debug, PartialEq)]
pub struct Results {
    pub outputs: Vec<Emitted>,
    pub rejects: Vec<Rejected>,
}
