//! Guests written as text: each export does what it is told, well by default.

use std::collections::BTreeMap;

use crate::image::{self, Image, Span};

/// Arguments of calls are placed here, and forgotten at the next one.
const HEAP: u32 = 4 << 20;
/// 16 MiB: below any limit used here.
const PAGES: u32 = 256;
/// 2 MiB of zeros.
pub const ZEROS: u32 = 2 << 20;

/// Exports of each world with their parameters and results, as the canonical ABI has them.
const TRANSFORM: &[(&str, &str, usize, bool)] =
    &[("transform", "configure", 2, true), ("transform", "transform", 3, true)];
const AGGREGATE: &[(&str, &str, usize, bool)] = &[
    ("aggregate", "configure", 2, true),
    ("aggregate", "accumulate", 7, true),
    ("aggregate", "merge", 4, true),
    ("aggregate", "emit", 7, true),
    ("state", "versions", 0, true),
    ("state", "snapshot", 2, true),
    ("state", "restore", 7, true),
    ("state", "forget", 2, false),
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum World {
    Transformer,
    Aggregator,
}

pub struct Guest {
    world: World,
    pub image: Image,
    /// Instructions by export; `start` and `cabi_realloc` too.
    pub bodies: BTreeMap<&'static str, String>,
    /// Imports.
    pub imports: String,
}

/// An answer that lies at an address.
fn answer(at: u32) -> String {
    format!("(i32.const {})", at as i32)
}

impl Guest {
    /// Keeps every row as it is. Reads `amount`, if asked to, or `@time`.
    pub fn transformer(reads: &[(&str, u8)]) -> Self {
        let mut image = Image::default();
        let fields: Vec<_> = reads.iter().map(|&(name, kind)| image::field(&mut image, name, kind)).collect();
        let out = image::output(&mut image, "out", &[], true);
        let name = image.text("hostile");
        let configure = image::described(&mut image, name, &fields, &[out]);
        let one = image.put(&image::emitted(0, (0, 0), (0, 0)));
        let results = image.put(&image::ok(&[image::span((one, 1)), image::span((0, 0))].concat()));
        let transform = format!("(i32.store (i32.const {one}) (local.get 0)) {}", answer(results));
        let bodies = BTreeMap::from([("configure", answer(configure)), ("transform", transform)]);
        Guest { world: World::Transformer, image, bodies, imports: String::new() }
    }

    /// Writes one integer a slot, which is 0, and states that are empty.
    pub fn aggregator() -> Self {
        let mut image = Image::default();
        let amount = image::field(&mut image, "amount", 1);
        let n = image::output_field(&mut image, "n", 1);
        let out = image::output(&mut image, "out", &[n], false);
        let name = image.text("hostile");
        let configure = image::described(&mut image, name, &[amount], &[out]);
        let column = image.put(&image::integers((ZEROS, 0)));
        let one = image.put(&image::emitted(0, (0, 0), (column, 1)));
        let results = image.put(&image::ok(&[image::span((one, 1)), image::span((0, 0))].concat()));
        let nothing = image.put(&image::ok(&[0; 16]));
        let restores = image.numbers(&[1]);
        let versions = image.put(&[image::words(&[1]), image::span(restores)].concat());
        let states = image.put(&image::ok(&[image::span((ZEROS, 0)), image::span((0, 0))].concat()));
        let emit = format!(
            "(i32.store (i32.const {one}) (local.get 1)) (i32.store (i32.const {}) (local.get 1)) {}",
            column + 8,
            answer(results)
        );
        let snapshot = format!("(i32.store (i32.const {}) (local.get 1)) {}", states + 8, answer(states));
        let bodies = BTreeMap::from([
            ("configure", answer(configure)),
            ("accumulate", answer(nothing)),
            ("merge", answer(nothing)),
            ("emit", emit),
            ("versions", answer(versions)),
            ("snapshot", snapshot),
            ("restore", answer(nothing)),
            ("forget", String::new()),
        ]);
        Guest { world: World::Aggregator, image, bodies, imports: String::new() }
    }

    pub fn of(world: World) -> Self {
        match world {
            World::Transformer => Guest::transformer(&[("amount", 1)]),
            World::Aggregator => Guest::aggregator(),
        }
    }

    /// What `export` does from now on.
    pub fn does(mut self, export: &'static str, instructions: impl Into<String>) -> Self {
        self.bodies.insert(export, instructions.into());
        self
    }

    /// `export` answers with these bytes.
    pub fn answers(mut self, export: &'static str, bytes: &[u8]) -> Self {
        let at = self.image.put(bytes);
        self.does(export, answer(at))
    }

    /// `transform` or `emit` answers with one output and these rejects.
    pub fn emits(mut self, count: u32, origins: Span, columns: &[Vec<u8>], rejects: &[Vec<u8>]) -> Self {
        let columns = self.image.records(columns);
        let one = self.image.records(&[image::emitted(count, origins, columns)]);
        let rejects = self.image.records(rejects);
        let export = if self.world == World::Transformer { "transform" } else { "emit" };
        self.answers(export, &image::ok(&[image::span(one), image::span(rejects)].concat()))
    }

    /// The file: a core module that describes its types as `wit-bindgen` does.
    pub fn wasm(&self) -> Vec<u8> {
        let world = if self.world == World::Transformer { "transformer" } else { "aggregator" };
        wasmill_wasm::describe(&wat::parse_str(self.text()).unwrap(), world).unwrap()
    }

    fn text(&self) -> String {
        let exports = if self.world == World::Transformer { TRANSFORM } else { AGGREGATE };
        let functions: String = exports
            .iter()
            .map(|(interface, name, parameters, returns)| {
                format!(
                    "(func ${name} (export \"wasmill:plugin/{interface}@0.1.0#{name}\") {} {} \
                     (local $row i32) (local $value i64) (global.set $heap (i32.const {HEAP})) {})",
                    "(param i32)".repeat(*parameters),
                    if *returns { "(result i32)" } else { "" },
                    self.bodies[name]
                )
            })
            .collect();
        let start =
            self.bodies.get("start").map_or(String::new(), |body| format!("(func $begin {body}) (start $begin)"));
        let allocate = "(local.set 4 (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
             (global.set $heap (i32.add (local.get 4) (local.get 3))) (local.get 4)";
        let realloc = self.bodies.get("cabi_realloc").map_or(allocate, String::as_str);
        format!(
            "(module {imports} (memory (export \"memory\") {PAGES}) (global $heap (mut i32) (i32.const {HEAP}))
             (func $recurse (param i64) (result i64)
                 (i64.add (call $recurse (i64.add (local.get 0) (i64.const 1))) (local.get 0)))
             (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (local i32) {realloc})
             {functions} {start} (data (i32.const {base}) \"{data}\"))",
            imports = self.imports,
            base = image::BASE,
            data = self.image.escaped(),
        )
    }
}
