//! Files that are valid and would keep the compiler busy: refused by what they hold, soon, before anything is compiled.

use std::time::{Duration, Instant};

use wasmill_wasm::{LoadError, MAX_CODE_BYTES, MAX_FUNCTION_BYTES, MAX_FUNCTIONS, Release};

use crate::guests::engine;

/// A transformer's core module in raw bytes: text of this size takes minutes to parse.
struct Module {
    parameters: u32,
    bodies: Vec<Vec<u8>>,
}

fn leb(mut value: u32) -> Vec<u8> {
    let mut bytes = vec![];
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn section(id: u8, items: &[u8]) -> Vec<u8> {
    [&[id][..], &leb(items.len() as u32), items].concat()
}

impl Module {
    fn of(body: Vec<u8>, functions: usize) -> Self {
        Module { parameters: 0, bodies: vec![body; functions] }
    }

    fn bytes(&self) -> Vec<u8> {
        let count = leb(self.bodies.len() as u32);
        let types = [&[1, 0x60][..], &leb(self.parameters), &vec![0x7f; self.parameters as usize], &[0]].concat();
        let functions = [count.clone(), vec![0; self.bodies.len()]].concat();
        let mut exports = vec![2];
        for name in ["configure", "transform"] {
            let name = format!("wasmill:plugin/transform@0.1.0#{name}");
            exports.extend(leb(name.len() as u32));
            exports.extend(name.as_bytes());
            exports.extend([0, 0]);
        }
        let mut code = count;
        for body in &self.bodies {
            code.extend(leb(body.len() as u32));
            code.extend(body);
        }
        let sections = [section(1, &types), section(3, &functions), section(7, &exports), section(10, &code)];
        [&b"\0asm\x01\0\0\0"[..], &sections.concat()].concat()
    }
}

/// A body of about so many bytes that does nothing.
fn idle(bytes: u64) -> Vec<u8> {
    [&[0][..], &vec![0x01; bytes as usize - 2], &[0x0b]].concat()
}

#[test]
fn what_would_take_the_compiler_too_long_is_refused_by_what_there_is_too_much_of() {
    let mut wide = Module::of(idle(2), 1);
    wide.parameters = 1_000;
    let locals = |count: u32| [&[1][..], &leb(count), &[0x7e, 0x0b]].concat();
    let files = [
        ("bytes of code, at most 33554432", Module::of(idle(1 << 19), (MAX_CODE_BYTES >> 19) as usize + 1)),
        ("bytes of code in one function, at most 786432", Module::of(idle(MAX_FUNCTION_BYTES + 1), 1)),
        ("functions, at most 100000", Module::of(idle(2), MAX_FUNCTIONS as usize + 1)),
        ("locals in one function, at most 4096", Module::of(locals(50_000), 1)),
        ("locals, at most 1048576", Module::of(locals(4_000), 300)),
        ("parameters and results of one function, at most 64", wide),
    ];
    for (rule, module) in files {
        let bytes = module.bytes();
        let start = Instant::now();
        let error = Release::compile(engine(), &bytes).expect_err(rule);
        let took = start.elapsed();
        println!("{rule}: {took:?}");
        assert!(matches!(error, LoadError::TooMuchCode { .. }), "{error}");
        assert!(error.to_string().contains(rule) && error.to_string().contains("make several plugins"), "{error}");
        assert!(took < Duration::from_secs(2), "{rule}: {took:?}");
    }
}
