//! Guests written to do harm, in the real engine: whatever they do, the process lives, their limits hold, and the
//! error says which plugin, release and function it was.
//!
//! What a host cannot see is not here: an aggregator whose `merge` does not commute answers wrongly and within all limits. The law
//! tests of the SDK (`wasmill_sdk::testing`) are for its author.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod answers;
mod guest;
mod harm;
mod image;
mod provoke;
