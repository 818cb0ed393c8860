//! Nanoseconds an event of the decoder alone, from memory: `cargo run --release -p wasmill-decode --example decode_speed`.
#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::time::Instant;

use wasmill_core::batch::SLACK_BYTES;
use wasmill_core::decode_spec::{DecodeField, DecodeKind, Format, TimeFormat};
use wasmill_core::records::{ABSENT, Record, Records, Span};
use wasmill_core::schema::Kind;
use wasmill_decode::{Decoded, Decoder};

const EVENTS: usize = 40_960;
const BATCH: usize = 4_096;
const ROUNDS: usize = 15;

/// The same numbers on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
    fn uuid(&mut self) -> String {
        format!("{:08x}-0000-4000-8000-{:012x}", self.below(1 << 32), self.below(1 << 48))
    }
}

/// An ad event of about 210 bytes, always of one shape.
fn ad_event(random: &mut Random) -> String {
    format!(
        r#"{{"user_id":"{}","page_id":"{}","ad_id":"ad-{}","ad_type":"{}","event_type":"{}","event_time":{},"ip":"10.0.{}.{}"}}"#,
        random.uuid(),
        random.uuid(),
        random.below(1000),
        ["banner", "modal", "sponsored-search", "mail", "mobile"][random.below(5) as usize],
        ["view", "click", "purchase"][random.below(3) as usize],
        1_700_000_000_000 + random.below(100_000_000),
        random.below(256),
        random.below(256),
    )
}

/// A shop event: ten types, of which some lack members that others have, with a nested object and a decimal amount.
fn shop_event(random: &mut Random) -> String {
    let kind = [
        "page_view",
        "button_click",
        "form_submit",
        "purchase",
        "add_to_cart",
        "remove_from_cart",
        "search",
        "login",
        "logout",
        "signup",
    ][random.below(10) as usize];
    let goods = match kind {
        "purchase" | "add_to_cart" => format!(
            r#""product_id":"p-{}","amount":{}.{:02},"currency":"{}","#,
            random.below(5000),
            random.below(500),
            random.below(100),
            ["USD", "EUR", "GBP"][random.below(3) as usize]
        ),
        "remove_from_cart" => format!(r#""product_id":"p-{}","#, random.below(5000)),
        _ => String::new(),
    };
    format!(
        r#"{{"timestamp":"2026-11-{:02}T{:02}:{:02}:{:02}.{:03}Z","event_type":"{kind}","user_id":"user-{}","version":"1.0","data":{{{goods}"session_id":"{}","device":"{}","browser":"firefox"}}}}"#,
        1 + random.below(28),
        random.below(24),
        random.below(60),
        random.below(60),
        random.below(1000),
        random.below(100_000),
        random.uuid(),
        ["mobile", "desktop", "tablet"][random.below(3) as usize],
    )
}

fn records(event: impl Fn(&mut Random) -> String) -> Records {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut records = Records { buffer: vec![0; 32], records: Vec::new() };
    for offset in 0..EVENTS {
        let payload = event(&mut random);
        let value = Span { start: records.buffer.len() as u32, len: payload.len() as u32 };
        records.buffer.extend_from_slice(payload.as_bytes());
        records.records.push(Record { offset: offset as i64, timestamp_ms: 0, key: ABSENT, value, headers: ABSENT });
    }
    records.buffer.extend([0; SLACK_BYTES]);
    records
}

fn measure(name: &str, records: &Records, fields: &[(&str, DecodeKind)], portable: bool) {
    let fields: Vec<_> =
        fields.iter().map(|(path, kind)| DecodeField { path: (*path).to_owned(), kind: *kind }).collect();
    let mut decoder = Decoder::new(&Format::Json, &fields, &TimeFormat::Auto).unwrap();
    if portable {
        decoder = decoder.portable();
    }
    let mut out = Decoded::default();
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            for batch in (0..EVENTS).step_by(BATCH) {
                decoder.decode(black_box(records), batch..batch + BATCH, "topic", 0, &mut out);
                black_box(&out);
            }
            start.elapsed().as_nanos() as f64 / EVENTS as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let bytes = records.buffer.len() / EVENTS;
    let vector = if portable { "portable" } else { "detected" };
    println!(
        "{name:34} {bytes} bytes {vector}: median {:6.1} ns, best {:6.1} ns an event; {:?}",
        times[ROUNDS / 2],
        times[0],
        decoder.tiers()
    );
}

fn main() {
    let text = DecodeKind::Kind(Kind::Text);
    let ads = records(ad_event);
    let shop = records(shop_event);
    for portable in [false, true] {
        measure(
            "ad event, 2 texts and a time",
            &ads,
            &[("ad_id", text), ("event_type", text), ("event_time", DecodeKind::Kind(Kind::Timestamp))],
            portable,
        );
        measure("ad event, 1 scalar", &ads, &[("ad_id", DecodeKind::Scalar)], portable);
        measure("ad event, nothing (validation)", &ads, &[], portable);
        measure(
            "shop event, 6 fields, 3 nested",
            &shop,
            &[
                ("timestamp", DecodeKind::Kind(Kind::Timestamp)),
                ("event_type", text),
                ("user_id", DecodeKind::Scalar),
                ("data.currency", text),
                ("data.amount", DecodeKind::Kind(Kind::Float)),
                ("data.device", text),
            ],
            portable,
        );
    }
}
