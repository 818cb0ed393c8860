//! What a consumer hands over: one buffer and spans into it. The seam carries buffers, not messages, so that another fetcher
//! can fill it.

/// Where bytes lie in [`Records::buffer`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub start: u32,
    pub len: u32,
}

/// The span of what is absent: a null key, a tombstone's value, no headers.
pub const ABSENT: Span = Span { start: u32::MAX, len: 0 };

/// One Kafka record.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    pub offset: i64,
    /// Kafka's own timestamp, milliseconds; negative where the broker has none.
    pub timestamp_ms: i64,
    pub key: Span,
    /// [`ABSENT`] for a tombstone.
    pub value: Span,
    /// Encoded by [`push_headers`]; [`ABSENT`] for none.
    pub headers: Span,
}

/// Records of one partition, in the order of their offsets. `buffer` ends with at least
/// [`SLACK_BYTES`](crate::batch::SLACK_BYTES) bytes behind the last payload, and has 32 before the first.
#[derive(Clone, Debug, Default)]
pub struct Records {
    pub buffer: Vec<u8>,
    pub records: Vec<Record>,
}

impl Records {
    /// The bytes of `span`; `None` where it is absent.
    #[inline]
    pub fn bytes(&self, span: Span) -> Option<&[u8]> {
        if span == ABSENT {
            return None;
        }
        self.buffer.get(span.start as usize..(span.start + span.len) as usize)
    }

    /// The headers of `record`, in order; names may repeat, values may be null.
    pub fn headers<'a>(&'a self, record: &Record) -> Headers<'a> {
        Headers { rest: self.bytes(record.headers).unwrap_or_default() }
    }
}

/// Appends one header to a record's encoded headers: name length (u32), name, value length (i32, -1 = null), value;
/// little-endian.
pub fn push_headers(to: &mut Vec<u8>, name: &str, value: Option<&[u8]>) {
    to.extend_from_slice(&(name.len() as u32).to_le_bytes());
    to.extend_from_slice(name.as_bytes());
    match value {
        Some(value) => {
            to.extend_from_slice(&(value.len() as i32).to_le_bytes());
            to.extend_from_slice(value);
        }
        None => to.extend_from_slice(&(-1i32).to_le_bytes()),
    }
}

/// Walks what [`push_headers`] wrote.
pub struct Headers<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a str, Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        let (len, rest) = self.rest.split_first_chunk::<4>()?;
        let (name, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        let (len, rest) = rest.split_first_chunk::<4>()?;
        let len = i32::from_le_bytes(*len);
        let (value, rest) = if len < 0 {
            (None, rest)
        } else {
            let (value, rest) = rest.split_at_checked(len as usize)?;
            (Some(value), rest)
        };
        self.rest = rest;
        Some((std::str::from_utf8(name).ok()?, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_as_they_were_pushed() {
        let mut records = Records::default();
        push_headers(&mut records.buffer, "tenant", Some(b"acme"));
        push_headers(&mut records.buffer, "empty", Some(b""));
        push_headers(&mut records.buffer, "null", None);
        let headers = Span { start: 0, len: records.buffer.len() as u32 };
        let record = Record { offset: 0, timestamp_ms: 0, key: ABSENT, value: ABSENT, headers };
        let read: Vec<_> = records.headers(&record).collect();
        assert_eq!(read, [("tenant", Some(&b"acme"[..])), ("empty", Some(&b""[..])), ("null", None)]);
    }
}
