//! How much code a file may have, so that compiling it takes bounded time and memory: a compiler cannot be interrupted half-way.
//!
//! Measured for the bounds: a Python component (componentize-py) has 6.3 MiB of code in 13,400 functions, the largest of 417 KiB; a
//! JavaScript one (SpiderMonkey) 10.2 MiB in 19,900. Both have at most 18 parameters, 500 locals a function and 113,000 in all.

use wasmparser::{BinaryReaderError, FunctionBody, Parser, Payload, TypeRef};

use crate::error::LoadError;

/// Bytes of all functions.
pub const MAX_CODE_BYTES: u64 = 32 << 20;
/// Bytes of one function: the compiler's time and memory grow faster than a function does.
pub const MAX_FUNCTION_BYTES: u64 = 768 << 10;
pub const MAX_FUNCTIONS: u64 = 100_000;
/// Parameters and results of one function: a call of two bytes carries them all.
const MAX_SIGNATURE: u64 = 64;
/// Locals take five bytes to declare, however many they are.
const MAX_FUNCTION_LOCALS: u64 = 4_096;
const MAX_LOCALS: u64 = 1 << 20;
/// Modules and components inside a component.
const MAX_MODULES: u64 = 128;
/// Types, imports, exports, globals, tables, memories, segments, instances and aliases, all together.
const MAX_ITEMS: u64 = 250_000;

/// Counts what a file holds, without validating it.
pub(crate) fn check(bytes: &[u8]) -> Result<(), LoadError> {
    let malformed = |error: BinaryReaderError| LoadError::Malformed(error.to_string());
    let mut spent = Spent::default();
    for payload in Parser::new(0).parse_all(bytes) {
        spent.add(payload.map_err(malformed)?).map_err(malformed)?;
        spent.within()?;
    }
    Ok(())
}

#[derive(Default)]
struct Spent {
    code_bytes: u64,
    function_bytes: u64,
    functions: u64,
    signature: u64,
    function_locals: u64,
    locals: u64,
    modules: u64,
    items: u64,
}

impl Spent {
    fn within(&self) -> Result<(), LoadError> {
        let bounds = [
            (self.code_bytes, MAX_CODE_BYTES, "bytes of code"),
            (self.function_bytes, MAX_FUNCTION_BYTES, "bytes of code in one function"),
            (self.functions, MAX_FUNCTIONS, "functions"),
            (self.signature, MAX_SIGNATURE, "parameters and results of one function"),
            (self.function_locals, MAX_FUNCTION_LOCALS, "locals in one function"),
            (self.locals, MAX_LOCALS, "locals"),
            (self.modules, MAX_MODULES, "modules and components inside it"),
            (self.items, MAX_ITEMS, "types, imports, exports and other declarations"),
        ];
        match bounds.into_iter().find(|(found, limit, _)| found > limit) {
            Some((found, limit, what)) => Err(LoadError::TooMuchCode { what, found, limit }),
            None => Ok(()),
        }
    }

    fn add(&mut self, payload: Payload<'_>) -> Result<(), BinaryReaderError> {
        let items = match payload {
            Payload::CodeSectionStart { count, size, .. } => {
                self.functions += u64::from(count);
                self.code_bytes += u64::from(size);
                0
            }
            Payload::CodeSectionEntry(body) => return self.add_body(&body),
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                self.modules += 1;
                0
            }
            Payload::TypeSection(section) => {
                self.items += u64::from(section.count());
                return self.add_types(section);
            }
            Payload::ImportSection(section) => {
                let mut count = 0;
                for import in section.into_imports() {
                    count += 1;
                    if count > MAX_ITEMS {
                        break;
                    }
                    // An imported function costs an adapter.
                    self.functions += u64::from(matches!(import?.ty, TypeRef::Func(_)));
                }
                count
            }
            Payload::GlobalSection(section) => u64::from(section.count()),
            Payload::TableSection(section) => u64::from(section.count()),
            Payload::MemorySection(section) => u64::from(section.count()),
            Payload::ExportSection(section) => u64::from(section.count()),
            Payload::ElementSection(section) => u64::from(section.count()),
            Payload::DataSection(section) => u64::from(section.count()),
            Payload::InstanceSection(section) => u64::from(section.count()),
            Payload::CoreTypeSection(section) => u64::from(section.count()),
            Payload::ComponentInstanceSection(section) => u64::from(section.count()),
            Payload::ComponentAliasSection(section) => u64::from(section.count()),
            Payload::ComponentTypeSection(section) => u64::from(section.count()),
            Payload::ComponentCanonicalSection(section) => u64::from(section.count()),
            Payload::ComponentImportSection(section) => u64::from(section.count()),
            Payload::ComponentExportSection(section) => u64::from(section.count()),
            _ => 0,
        };
        self.items += items;
        Ok(())
    }

    fn add_body(&mut self, body: &FunctionBody<'_>) -> Result<(), BinaryReaderError> {
        self.function_bytes = self.function_bytes.max(body.range().len() as u64);
        let mut locals = 0;
        for group in body.get_locals_reader()? {
            locals += u64::from(group?.0);
        }
        self.function_locals = self.function_locals.max(locals);
        self.locals += locals;
        Ok(())
    }

    fn add_types(&mut self, section: wasmparser::TypeSectionReader<'_>) -> Result<(), BinaryReaderError> {
        for group in section {
            for kind in group?.types() {
                if let wasmparser::CompositeInnerType::Func(function) = &kind.composite_type.inner {
                    let values = function.params().len() + function.results().len();
                    self.signature = self.signature.max(values as u64);
                }
            }
        }
        Ok(())
    }
}
