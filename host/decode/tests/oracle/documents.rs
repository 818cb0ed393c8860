//! Random documents: shapes, instances of them, and damage.

/// Xorshift: the same documents on every run of a seed.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % limit as u64) as usize
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

const KEYS: &[&str] = &[
    "a",
    "b",
    "data",
    "items",
    "id",
    "x.y",
    "ü",
    "amount",
    "time",
    "a key that is longer than thirty-two bytes, of which",
];

const TEXTS: &[&str] = &[
    "",
    "view",
    "click",
    "purchase",
    "ü日本",
    "e\u{7f}",
    "0123456789012345678901234567890",
    "01234567890123456789012345678901",
    "abcdefghijklmnopqrstuvwxyz0123456789-abcdefghijklmnopqrstuvwxyz0123456789",
    "9f8e7d6c-0000-4000-8000-aabbccddeeff",
    "}",
    "{\\\"a\\\":1}",
    "a\\n",
    "\\u00e9x",
    "\\ud83d\\ude00",
    "\\ud800",
    "\\udc00\\ud800",
    "x\\\"y",
    "\\\\",
    "\\/",
    "1700000000",
    "12.5",
    "2023-11-14T22:13:20Z",
    "2023-11-14T22:13:20.123456789Z",
    "2024-02-30T22:13:20Z",
    "😀😀😀😀😀😀😀😀😀",
];

const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-5",
    "12.5",
    "1e3",
    "3.0",
    "1E+2",
    "-0",
    "-0.0",
    "1e999",
    "1e-999",
    "99999999999999999",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "1234567890123456789",
    "12345678901234567890",
    "123456789012345678901234567890",
    "0.1",
    "0.30000000000000004",
    "1700000000",
    "1700000000.123456789",
    "1700000000000",
    "1700000000000000",
    "1700000000000000000",
    "-1.0000000000001",
    "1e-10",
    "100e-2",
    "2.2250738585072014e-308",
    "9007199254740993",
    "1.7976931348623157e308",
    "1.7976931348623159e308",
    "0.000000000000000000000000000000000000000000001",
];

/// What is no JSON, or only nearly.
const WRONG: &[&str] = &[
    "01",
    "1.",
    ".5",
    "-",
    "+1",
    "1e",
    "1e+",
    "tru",
    "nul",
    "True",
    "NaN",
    "Infinity",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\t\"",
    "'a'",
    "{,}",
    "[1,]",
    "{\"a\":}",
    "[",
    "{",
    "\"",
    "",
];

/// The form that documents of one kind share.
pub enum Shape {
    Object(Vec<(&'static str, Shape)>),
    Array(Box<Shape>),
    Text,
    Number,
    Digits,
    Boolean,
    Anything,
}

pub fn shape(random: &mut Random, depth: usize) -> Shape {
    match random.below(if depth == 0 {
        3
    } else if depth > 3 {
        16
    } else {
        20
    }) {
        0..3 if depth == 0 => object(random, depth),
        0..5 => Shape::Text,
        5..8 => Shape::Digits,
        8..11 => Shape::Number,
        11..13 => Shape::Boolean,
        13..16 => Shape::Anything,
        16..18 => object(random, depth),
        _ => Shape::Array(Box::new(shape(random, depth + 1))),
    }
}

fn object(random: &mut Random, depth: usize) -> Shape {
    let mut keys = KEYS.to_vec();
    let count = random.below(if depth == 0 { KEYS.len() } else { 4 });
    let members = (0..count).map(|_| (keys.swap_remove(random.below(keys.len())), shape(random, depth + 1)));
    Shape::Object(members.collect())
}

/// Writes documents of a shape.
pub struct Writer<'a> {
    pub random: &'a mut Random,
    pub out: String,
    /// White space between tokens: none, always the same, or random.
    pub spacing: usize,
    /// One value or member in so many is not as the shape says.
    pub odd: usize,
}

impl Writer<'_> {
    fn space(&mut self) {
        let space = match self.spacing {
            0 => "",
            1 => " ",
            _ => self.random.pick(&["", " ", "\n\t", "  \r"]),
        };
        self.out.push_str(space);
    }

    pub fn write(&mut self, shape: &Shape) {
        if self.random.one_in(self.odd) {
            return self.anything(2);
        }
        match shape {
            Shape::Object(members) => self.object(members),
            Shape::Array(element) => {
                self.out.push('[');
                for number in 0..self.random.below(4) {
                    self.comma(number);
                    self.write(element);
                    self.space();
                }
                self.out.push(']');
            }
            Shape::Text => self.text(),
            Shape::Number => self.out.push_str(self.random.pick(NUMBERS)),
            Shape::Digits => {
                let number = 1_700_000_000_000u64 >> self.random.below(44);
                self.out.push_str(&number.to_string());
            }
            Shape::Boolean => self.out.push_str(self.random.pick(&["true", "false", "true", "false", "null"])),
            Shape::Anything => self.anything(2),
        }
    }

    fn comma(&mut self, number: usize) {
        if number > 0 {
            self.out.push(',');
        }
        self.space();
    }

    fn text(&mut self) {
        self.out.push('"');
        self.out.push_str(self.random.pick(TEXTS));
        self.out.push('"');
    }

    fn object(&mut self, members: &[(&'static str, Shape)]) {
        self.out.push('{');
        let mut number = 0;
        for (key, shape) in members {
            if self.random.one_in(self.odd) {
                continue;
            }
            let repeats = 1 + usize::from(self.random.one_in(2 * self.odd));
            for _ in 0..repeats {
                self.comma(number);
                self.key(key);
                self.space();
                self.out.push(':');
                self.space();
                self.write(shape);
                self.space();
                number += 1;
            }
        }
        self.space();
        self.out.push('}');
    }

    fn key(&mut self, key: &str) {
        let odd = self.random.one_in(2 * self.odd);
        let written = match (odd, key) {
            (true, "a") => "\\u0061",
            (true, "data") => "d\\u0061ta",
            (true, "b") => "\\ud800",
            (true, _) => self.random.pick(KEYS),
            _ => key,
        };
        self.out.push_str(&format!("\"{written}\""));
    }

    fn anything(&mut self, depth: usize) {
        match self.random.below(if depth == 0 { 5 } else { 9 }) {
            0 | 1 => self.text(),
            2 | 3 => self.out.push_str(self.random.pick(NUMBERS)),
            4 => self.out.push_str(self.random.pick(&["true", "false", "null"])),
            5 => self.out.push_str(self.random.pick(&["{}", "[]", "[[[]],{\"a\":[]}]", "{ }", "[ ]"])),
            6 => {
                self.out.push('[');
                for number in 0..self.random.below(3) {
                    self.comma(number);
                    self.anything(depth - 1);
                }
                self.out.push(']');
            }
            7 if self.random.one_in(8) => {
                let deep = 100 + self.random.below(40);
                self.out.push_str(&"[".repeat(deep));
                self.out.push_str(&"]".repeat(deep));
            }
            _ => {
                self.out.push('{');
                for number in 0..self.random.below(3) {
                    self.comma(number);
                    let key = self.random.pick(KEYS);
                    self.key(key);
                    self.out.push(':');
                    self.anything(depth - 1);
                }
                self.out.push('}');
            }
        }
    }
}

/// Flips, drops, inserts, cuts, swaps.
pub fn damage(random: &mut Random, document: &mut Vec<u8>) {
    for _ in 0..1 + random.below(2) {
        if document.is_empty() {
            return;
        }
        let at = random.below(document.len());
        match random.below(8) {
            0 => document[at] = random.below(256) as u8,
            1 => {
                document.remove(at);
            }
            2 => document.truncate(at),
            3 => document.insert(at, b"\"\\{}[],:0-e.1 \n\x01\xff\xc3\x80\x7f"[random.below(20)]),
            4 => document[at] ^= 1 << random.below(8),
            5 => {
                let other = random.below(document.len());
                document.swap(at, other);
            }
            6 => {
                let wrong = random.pick(WRONG);
                document.splice(at..at, wrong.bytes());
            }
            _ => document.extend_from_slice(random.pick(&["}", " ", "\n", "x", "{}", ",", "\0"]).as_bytes()),
        }
    }
}
