//! Randomness: numbers that look random and are the same in every instance of a release, so that a replay repeats what hung on
//! them (the seeds of hash tables, which runtimes draw at start). With the grant `random`, those of the operating system.

use wasmtime::component::LinkerInstance;
use wasmtime::{Result, StoreContextMut};

use super::Denied;
use crate::guest::Guest;

/// Bytes that one call may draw.
const MAX_BYTES: u64 = 64 << 10;

/// SplitMix64.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Generator(u64);

impl Generator {
    /// From the release's sha256, in hex.
    pub(crate) fn of(release: &str) -> Self {
        let digits = release.get(..16).unwrap_or(release);
        Generator(u64::from_str_radix(digits, 16).unwrap_or_default())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

pub(super) fn define(link: &mut LinkerInstance<'_, Guest>, function: &str) -> Result<bool> {
    match function {
        "get-random-bytes" => {
            link.func_wrap(function, |mut store, (len,): (u64,)| Ok((draw(&mut store, len, true)?,)))?
        }
        "get-random-u64" => link.func_wrap(function, |mut store, (): ()| Ok((number(&mut store, true)?,)))?,
        "get-insecure-random-bytes" => {
            link.func_wrap(function, |mut store, (len,): (u64,)| Ok((draw(&mut store, len, false)?,)))?;
        }
        "get-insecure-random-u64" => link.func_wrap(function, |mut store, (): ()| Ok((number(&mut store, false)?,)))?,
        "insecure-seed" | "get-insecure-seed" => link
            .func_wrap(function, |mut store, (): ()| Ok(((number(&mut store, false)?, number(&mut store, false)?),)))?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// `secure`: the guest asked for what cannot be foretold, which it gets if it may.
fn draw(store: &mut StoreContextMut<'_, Guest>, len: u64, secure: bool) -> Result<Vec<u8>> {
    if len > MAX_BYTES {
        return Err(Denied(format!("it drew {len} random bytes at once, at most {MAX_BYTES} are given")).into());
    }
    let mut bytes = vec![0; len as usize];
    let guest = store.data_mut();
    if secure && guest.identity.limits.grants.random {
        getrandom::fill(&mut bytes)
            .map_err(|error| Denied(format!("the operating system has no randomness: {error}")))?;
    } else {
        guest.random.fill(&mut bytes);
    }
    Ok(bytes)
}

fn number(store: &mut StoreContextMut<'_, Guest>, secure: bool) -> Result<u64> {
    let bytes = draw(store, 8, secure)?;
    Ok(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}
