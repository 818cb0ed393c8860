//! What an aggregator remembers of a key in a window, and how it travels.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A state that can be stored and read back, also by a later version of the plugin. Derive it; the bytes are postcard.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a state",
    note = "an aggregator derives `Serialize, Deserialize, State`"
)]
pub trait State: Sized + 'static {
    /// What [`encode`](State::encode) writes.
    const VERSION: u32;

    /// What [`decode`](State::decode) reads, `VERSION` among them.
    fn restores() -> Vec<u32>;

    fn encode(&self, to: Vec<u8>) -> Result<Vec<u8>, String>;

    fn decode(version: u32, bytes: &[u8]) -> Result<Self, String>;
}

/// Appends the postcard of `state` to `to`.
pub fn encode<S: Serialize>(state: &S, to: Vec<u8>) -> Result<Vec<u8>, String> {
    postcard::to_extend(state, to).map_err(|error| format!("a state cannot be stored: {error}"))
}

/// Reads the postcard of a state; all the bytes must belong to it.
pub fn decode<S: DeserializeOwned>(version: u32, bytes: &[u8]) -> Result<S, String> {
    match postcard::take_from_bytes(bytes) {
        Ok((state, [])) => Ok(state),
        Ok((_, rest)) => Err(format!("a state of version {version} has {} bytes too many", rest.len())),
        Err(error) => Err(format!("a state of version {version} cannot be read: {error}")),
    }
}
