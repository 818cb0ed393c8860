//! Looking at 32 bytes at once: by AVX2 where the CPU has it, else in words of 64 bits.

use crate::syntax;

/// Bytes looked at together.
pub(crate) const WIDE_BYTES: usize = 32;

/// One bit for each of [`WIDE_BYTES`] bytes, the first in the lowest bit.
pub(crate) type Mask = u32;

/// Questions about the 32 bytes at `at`.
///
/// # Safety
/// For every function: 32 bytes from `at` on are readable, and the CPU has the features that the implementation names.
pub(crate) trait Wide {
    /// Which bytes equal those of `literal`.
    unsafe fn equal(at: *const u8, literal: &[u8; WIDE_BYTES]) -> Mask;
    /// Which bytes end a plain run of text (quote, backslash, control character), and which are not ASCII.
    unsafe fn stops(at: *const u8) -> (Mask, Mask);
    /// Which bytes are no digits.
    unsafe fn not_digits(at: *const u8) -> Mask;
}

/// For every CPU.
pub(crate) struct Portable;

/// The high bits of eight bytes, gathered in the lowest byte.
#[inline(always)]
fn gather(word: u64) -> Mask {
    ((word >> 7 & 0x0101_0101_0101_0101).wrapping_mul(0x0102_0408_1020_4080) >> 56) as Mask
}

/// Asks `question`, which answers by high bits, of each word of the 32 bytes at `at`.
///
/// # Safety
/// 32 bytes from `at` on are readable.
#[inline(always)]
unsafe fn by_words(at: *const u8, question: impl Fn(usize, u64) -> u64) -> Mask {
    (0..4).fold(0, |mask, n| {
        // SAFETY: n * 8 + 8 <= 32, and the caller promises 32 readable bytes; arrays of bytes need no alignment.
        let bytes = unsafe { at.add(n * 8).cast::<[u8; 8]>().read() };
        mask | gather(question(n, u64::from_le_bytes(bytes))) << (n * 8)
    })
}

impl Wide for Portable {
    #[inline(always)]
    unsafe fn equal(at: *const u8, literal: &[u8; WIDE_BYTES]) -> Mask {
        let word = |n: usize| {
            let bytes = literal.get(n * 8..).and_then(|rest| rest.first_chunk::<8>());
            bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
        };
        // SAFETY: the caller promises 32 readable bytes.
        unsafe { by_words(at, |n, bytes| syntax::zero_bytes(bytes ^ word(n))) }
    }

    #[inline(always)]
    unsafe fn stops(at: *const u8) -> (Mask, Mask) {
        // SAFETY: the caller promises 32 readable bytes.
        unsafe { (by_words(at, |_, bytes| syntax::stops(bytes)), by_words(at, |_, bytes| bytes)) }
    }

    #[inline(always)]
    unsafe fn not_digits(at: *const u8) -> Mask {
        const ZEROS: u64 = 0x3030_3030_3030_3030;
        const SIXES: u64 = 0x0606_0606_0606_0606;
        const UPPER: u64 = 0xf0f0_f0f0_f0f0_f0f0;
        // A digit has 3 as its upper half, and still has when 6 is added (0x39 + 6 = 0x3f); bytes from 0xfa on would carry, so
        // their upper half is looked at before.
        let digits = |_, bytes: u64| {
            let upper = bytes & UPPER ^ ZEROS;
            syntax::zero_bytes(upper) & syntax::zero_bytes(((bytes & 0x7f7f_7f7f_7f7f_7f7f) + SIXES) & UPPER ^ ZEROS)
        };
        // SAFETY: the caller promises 32 readable bytes.
        !unsafe { by_words(at, digits) }
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::{Mask, WIDE_BYTES, Wide};

    /// For CPUs with AVX2.
    pub(crate) struct Avx2;

    /// # Safety
    /// AVX2, and 32 readable bytes at `at`.
    #[inline(always)]
    unsafe fn load(at: *const u8) -> __m256i {
        // SAFETY: the caller promises 32 readable bytes; the load needs no alignment.
        unsafe { _mm256_loadu_si256(at.cast()) }
    }

    impl Wide for Avx2 {
        #[inline(always)]
        unsafe fn equal(at: *const u8, literal: &[u8; WIDE_BYTES]) -> Mask {
            // SAFETY: the caller promises 32 readable bytes and AVX2; the literal has 32.
            unsafe { _mm256_movemask_epi8(_mm256_cmpeq_epi8(load(at), load(literal.as_ptr()))) as Mask }
        }

        #[inline(always)]
        unsafe fn stops(at: *const u8) -> (Mask, Mask) {
            // SAFETY: the caller promises 32 readable bytes and AVX2.
            unsafe {
                let bytes = load(at);
                let quotes = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'"' as i8));
                let backslashes = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'\\' as i8));
                // There is no unsigned comparison: a byte is at most 0x1f if it is the smaller of the two.
                let controls = _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, _mm256_set1_epi8(0x1f)), bytes);
                let stops = _mm256_or_si256(_mm256_or_si256(quotes, backslashes), controls);
                (_mm256_movemask_epi8(stops) as Mask, _mm256_movemask_epi8(bytes) as Mask)
            }
        }

        #[inline(always)]
        unsafe fn not_digits(at: *const u8) -> Mask {
            // SAFETY: the caller promises 32 readable bytes and AVX2.
            unsafe {
                let values = _mm256_sub_epi8(load(at), _mm256_set1_epi8(b'0' as i8));
                let digits = _mm256_cmpeq_epi8(_mm256_min_epu8(values, _mm256_set1_epi8(9)), values);
                !(_mm256_movemask_epi8(digits) as Mask)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What both must answer, said plainly.
    fn expected(bytes: &[u8; 32], literal: &[u8; 32]) -> (Mask, (Mask, Mask), Mask) {
        let mask = |of: &dyn Fn(usize) -> bool| (0..32).fold(0, |mask, at| mask | u32::from(of(at)) << at);
        (
            mask(&|at| bytes[at] == literal[at]),
            (mask(&|at| matches!(bytes[at], b'"' | b'\\' | ..0x20)), mask(&|at| bytes[at] >= 0x80)),
            mask(&|at| !bytes[at].is_ascii_digit()),
        )
    }

    fn answers<W: Wide>(bytes: &[u8; 32], literal: &[u8; 32]) -> (Mask, (Mask, Mask), Mask) {
        // SAFETY: arrays of 32 bytes; AVX2 was asked for by the caller.
        unsafe { (W::equal(bytes.as_ptr(), literal), W::stops(bytes.as_ptr()), W::not_digits(bytes.as_ptr())) }
    }

    #[test]
    fn every_byte_is_seen_for_what_it_is_beside_every_other() {
        for byte in 0..=255u8 {
            for neighbour in [0, 1, 0x1f, b' ', b'"', b'#', b'/', b'0', b'5', b'9', b':', b'\\', 0x7f, 0x80, 0xfa, 0xff]
            {
                for at in [0, 1, 7, 8, 30, 31] {
                    let mut bytes = [neighbour; 32];
                    bytes[at] = byte;
                    let literal = [byte; 32];
                    let expected = expected(&bytes, &literal);
                    assert_eq!(answers::<Portable>(&bytes, &literal), expected, "{bytes:?}");
                    #[cfg(target_arch = "x86_64")]
                    if is_x86_feature_detected!("avx2") {
                        assert_eq!(answers::<Avx2>(&bytes, &literal), expected, "{bytes:?}");
                    }
                }
            }
        }
    }
}
