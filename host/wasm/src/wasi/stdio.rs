//! Streams: what a guest prints goes to its log line by line, what it reads is at its end, and nothing ever waits.

use wasmtime::component::{ComponentType, Lift, LinkerInstance, Lower};
use wasmtime::{Result, StoreContextMut};

use super::{Absent, Handle, handle};
use crate::guest::Guest;
use crate::log::{Level, MAX_LINE_BYTES};

pub(super) struct InputStream;
pub(super) struct OutputStream;
pub(super) struct IoError;
pub(super) struct Pollable;

/// Never made with an error: printing does not fail.
#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    LastOperationFailed(Handle<IoError>),
    #[component(name = "closed")]
    Closed,
}

const STDOUT: u32 = 1;
const STDERR: u32 = 2;
/// Bytes that a stream says it would take at once.
const WRITABLE_BYTES: u64 = 64 << 10;

/// The line that a guest has begun on one of its streams.
#[derive(Debug, Default)]
pub(crate) struct Lines(Vec<u8>);

impl Lines {
    /// Complete lines in `bytes` and what stood before them; a line that grows too long is one, too.
    fn push(&mut self, mut bytes: &[u8], mut line: impl FnMut(&str)) {
        while let Some(end) = bytes.iter().position(|&b| b == b'\n') {
            self.append(&bytes[..end], &mut line);
            line(&String::from_utf8_lossy(&std::mem::take(&mut self.0)));
            bytes = &bytes[end + 1..];
        }
        self.append(bytes, &mut line);
    }

    fn append(&mut self, mut bytes: &[u8], line: &mut impl FnMut(&str)) {
        while self.0.len() + bytes.len() > MAX_LINE_BYTES {
            let (head, rest) = bytes.split_at(MAX_LINE_BYTES - self.0.len());
            self.0.extend_from_slice(head);
            line(&String::from_utf8_lossy(&std::mem::take(&mut self.0)));
            bytes = rest;
        }
        self.0.extend_from_slice(bytes);
    }

    fn flush(&mut self, line: impl FnOnce(&str)) {
        if !self.0.is_empty() {
            line(&String::from_utf8_lossy(&std::mem::take(&mut self.0)));
        }
    }
}

impl Guest {
    /// Lines without an end are lines when their call is over.
    pub(crate) fn flush(&mut self) {
        let (mut stdout, mut stderr) = (std::mem::take(&mut self.stdout), std::mem::take(&mut self.stderr));
        stdout.flush(|line| self.printed(STDOUT, line));
        stderr.flush(|line| self.printed(STDERR, line));
    }

    fn print(&mut self, stream: u32, bytes: &[u8]) {
        let lines = if stream == STDERR { &mut self.stderr } else { &mut self.stdout };
        let mut lines = std::mem::take(lines);
        lines.push(bytes, |line| self.printed(stream, line));
        *(if stream == STDERR { &mut self.stderr } else { &mut self.stdout }) = lines;
    }

    fn printed(&mut self, stream: u32, line: &str) {
        if line.trim().is_empty() {
            return;
        }
        if stream == STDERR {
            // Go says why first and then where; Python and Rust say why at the end, but for Rust's advice on backtraces.
            let said = |line: &str| ["panic: ", "fatal error: "].iter().any(|word| line.starts_with(word));
            if !line.starts_with("note: ") && !self.last_error.as_deref().is_some_and(said) {
                self.remember(line);
            }
            return self.say(Level::Warn, line);
        }
        self.say(Level::Info, line);
    }
}

pub(super) fn define(link: &mut LinkerInstance<'_, Guest>, function: &str) -> Result<bool> {
    match function {
        "get-stdin" => link.func_wrap(function, |mut store, (): ()| Ok((handle::<InputStream>(&mut store, 0)?,)))?,
        "get-stdout" => {
            link.func_wrap(function, |mut store, (): ()| Ok((handle::<OutputStream>(&mut store, STDOUT)?,)))?;
        }
        "get-stderr" => {
            link.func_wrap(function, |mut store, (): ()| Ok((handle::<OutputStream>(&mut store, STDERR)?,)))?;
        }
        "get-terminal-stdin" | "get-terminal-stdout" | "get-terminal-stderr" => {
            link.func_wrap(function, |_, (): ()| Ok((None::<Handle<Absent>>,)))?;
        }
        "poll" => link.func_wrap(function, |_, (all,): (Vec<Handle<Pollable>>,)| {
            // All that can be polled is ready.
            Ok(((0..all.len() as u32).collect::<Vec<u32>>(),))
        })?,
        "[method]pollable.ready" => link.func_wrap(function, |_, (_,): (Handle<Pollable>,)| Ok((true,)))?,
        "[method]pollable.block" => link.func_wrap(function, |_, (_,): (Handle<Pollable>,)| Ok(()))?,
        _ => return streams(link, function),
    }
    Ok(true)
}

fn streams(link: &mut LinkerInstance<'_, Guest>, function: &str) -> Result<bool> {
    match function {
        "[method]input-stream.read" | "[method]input-stream.blocking-read" => {
            link.func_wrap(function, |_, (_, _): (Handle<InputStream>, u64)| {
                Ok((Err::<Vec<u8>, StreamError>(StreamError::Closed),))
            })?;
        }
        "[method]input-stream.subscribe" => {
            link.func_wrap(function, |mut store, (_,): (Handle<InputStream>,)| {
                Ok((handle::<Pollable>(&mut store, 0)?,))
            })?;
        }
        "[method]output-stream.subscribe" => {
            link.func_wrap(function, |mut store, (_,): (Handle<OutputStream>,)| {
                Ok((handle::<Pollable>(&mut store, 0)?,))
            })?;
        }
        "[method]output-stream.check-write" => {
            link.func_wrap(function, |_, (_,): (Handle<OutputStream>,)| Ok((Ok::<u64, StreamError>(WRITABLE_BYTES),)))?
        }
        "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush" => {
            link.func_wrap(
                function,
                |mut store: StoreContextMut<'_, Guest>, (to, bytes): (Handle<OutputStream>, Vec<u8>)| {
                    store.data_mut().print(to.rep(), &bytes);
                    Ok((Ok::<(), StreamError>(()),))
                },
            )?;
        }
        "[method]output-stream.flush" | "[method]output-stream.blocking-flush" => {
            link.func_wrap(function, |_, (_,): (Handle<OutputStream>,)| Ok((Ok::<(), StreamError>(()),)))?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_lines_however_they_are_cut_and_none_is_too_long() {
        let mut lines = Lines::default();
        let mut got = Vec::new();
        for part in ["one\ntw", "o\n", "", "thr"] {
            lines.push(part.as_bytes(), |line| got.push(line.to_owned()));
        }
        lines.flush(|line| got.push(line.to_owned()));
        assert_eq!(got, ["one", "two", "thr"]);
        let mut lengths = Vec::new();
        lines.push(&[b'x'; 3 * MAX_LINE_BYTES + 1], |line| lengths.push(line.len()));
        assert_eq!(lengths, [MAX_LINE_BYTES; 3]);
        assert_eq!(lines.0.len(), 1);
    }
}
