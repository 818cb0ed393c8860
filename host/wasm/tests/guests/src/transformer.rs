//! Echoes its text as a row with a column of each layout, or answers with one mistake.

wit_bindgen::generate!({ world: "transformer", path: "../../../../wit/v0.1" });

use exports::wasmill::plugin::transform::Guest;
use wasmill::plugin::log::{Level, log};
use wasmill::plugin::metrics;
use wasmill::plugin::types::*;

use crate::{harm, mode, set_mode};

struct Echo;
export!(Echo);

impl Guest for Echo {
    fn configure(config: String) -> Result<Descriptor, String> {
        set_mode(&config);
        match mode() {
            "configure-trap" => harm::explode(),
            "configure-loop" => harm::spin(),
            "configure-refuse" => return Err("`field` is missing\nand so is \u{1b}[31mhope".to_owned()),
            "flood" => (0..5000).for_each(|i| log(Level::Info, &format!("line {i}\n\u{7}"))),
            "metrics" => {
                metrics::count("rows_seen", 3);
                metrics::gauge("Not A Name\n", 1.0);
            }
            "panic-hook" => std::panic::set_hook(Box::new(|info| log(Level::Error, &info.to_string()))),
            _ => {}
        }
        Ok(descriptor())
    }

    fn transform(input: Batch) -> Result<Results, String> {
        if mode() == "filter" {
            return Ok(views(&input));
        }
        let rows = input.rows as usize;
        #[cfg_attr(not(feature = "wasi"), expect(unused_mut))]
        let mut texts = texts_of(&input.columns[0]);
        #[cfg(feature = "wasi")]
        for text in &mut texts {
            if let Some(answer) = crate::wasi::answer(text) {
                *text = answer;
            }
        }
        for text in &texts {
            harm::done_by(text);
        }
        if texts.iter().any(|text| text == "refuse") {
            return Err("I will not\ndo that".to_owned());
        }
        let mut results = echo(rows, &texts);
        // A text `spoil-MODE` asks for one spoiled answer, whatever the mode.
        let spoiled = texts.iter().find_map(|text| text.strip_prefix("spoil-"));
        spoil(&mut results, rows as u32, spoiled.unwrap_or(mode()));
        Ok(results)
    }
}

/// Keeps the rows that say "view", without a copy: what a good filter costs.
fn views(input: &Batch) -> Results {
    let Values::Texts(texts) = &input.columns[0].values else { panic!("the text is no text") };
    let mut origins = Vec::with_capacity(texts.ends.len());
    let mut start = 0;
    for (row, &end) in texts.ends.iter().enumerate() {
        if &texts.data[start..end as usize] == b"view" {
            origins.push(row as u32);
        }
        start = end as usize;
    }
    Results { outputs: vec![Emitted { count: origins.len() as u32, origins, columns: vec![] }], rejects: vec![] }
}

fn descriptor() -> Descriptor {
    let field = |name: &str, kind, optional, repeated, role| OutputField {
        name: name.to_owned(),
        kind,
        optional,
        repeated,
        role,
        unit: String::new(),
        doc: String::new(),
    };
    let reads = |name: &str, dictionary| Field {
        name: name.to_owned(),
        path: name.to_owned(),
        kind: Kind::Text,
        optional: false,
        repeated: false,
        dictionary,
    };
    let mut fields = vec![
        field("label", Kind::Text, true, false, Role::Tag),
        field("size", Kind::Integer, false, false, Role::Field),
        field("even", Kind::Boolean, true, false, Role::Field),
        field("tags", Kind::Text, false, true, Role::Field),
        field("doc", Kind::Json, true, false, Role::Field),
    ];
    let mut options = vec![("deterministic".to_owned(), "true".to_owned())];
    let mut read = vec![reads("text", mode() == "dictionary")];
    let mut name = "echo".to_owned();
    match mode() {
        "filter" => fields.clear(),
        "descriptor-newline" => name.push_str("\nlevel=error msg=forged"),
        "descriptor-field-name" => fields[0].name = "label,host=evil 1".to_owned(),
        "descriptor-empty-name" => fields[0].name.clear(),
        "descriptor-duplicate" => fields[1].name = "label".to_owned(),
        "descriptor-option" => options.push(("turbo".to_owned(), "on".to_owned())),
        "descriptor-reads-twice" => read.push(reads("text", false)),
        "descriptor-many" => read = (0..1001).map(|i| reads(&format!("f{i}"), false)).collect(),
        "descriptor-time" => {
            fields.push(field("at", Kind::Timestamp, false, false, Role::Time));
            fields.push(field("then", Kind::Timestamp, false, false, Role::Time));
        }
        "descriptor-time-kind" => fields[1].role = Role::Time,
        _ => {}
    }
    let outputs = match mode() {
        "descriptor-no-output" => vec![],
        _ => vec![Output { name: "out".to_owned(), fields, extends: true }],
    };
    Descriptor { name, version: "1.0.0".to_owned(), doc: String::new(), reads: read, outputs, options }
}

fn texts_of(column: &Column) -> Vec<String> {
    let split = |strings: &Strings| {
        let starts = std::iter::once(0).chain(strings.ends.iter().copied());
        let spans = starts.zip(strings.ends.iter().copied());
        let texts =
            spans.map(|(start, end)| String::from_utf8_lossy(&strings.data[start as usize..end as usize]).into_owned());
        texts.collect::<Vec<String>>()
    };
    match &column.values {
        Values::Texts(texts) => split(texts),
        Values::Dictionary(dictionary) => {
            let values = split(&dictionary.values);
            dictionary.codes.iter().map(|&code| values[code as usize].clone()).collect()
        }
        _ => panic!("the text is no text"),
    }
}

fn strings<'a>(texts: impl Iterator<Item = &'a str>) -> Strings {
    let mut strings = Strings { ends: vec![], data: vec![] };
    for text in texts {
        strings.data.extend_from_slice(text.as_bytes());
        strings.ends.push(strings.data.len() as u32);
    }
    strings
}

/// Rows whose text is "reject" are refused; "drop" leaves no row; the others come out with their text's length. An empty text is null.
fn echo(rows: usize, texts: &[String]) -> Results {
    let kept: Vec<usize> = (0..rows).filter(|&row| texts[row] != "reject" && texts[row] != "drop").collect();
    let text = |&row: &usize| texts[row].as_str();
    let docs: Vec<String> = kept.iter().map(|&row| format!("{{\"length\":{}}}", texts[row].len())).collect();
    let column = |values, valid| Column { values, valid };
    let present: Vec<u8> = kept.iter().map(|&row| u8::from(!texts[row].is_empty())).collect();
    let valid = if present.contains(&0) { present } else { vec![] };
    let columns = vec![
        column(Values::Texts(strings(kept.iter().map(text))), valid),
        column(Values::Integers(kept.iter().map(|&row| texts[row].len() as i64).collect()), vec![]),
        column(
            Values::Booleans(kept.iter().map(|&row| u8::from(texts[row].len().is_multiple_of(2))).collect()),
            vec![],
        ),
        column(Values::Lists((1..=kept.len() as u32).map(|row| row * 2).collect()), vec![]),
        column(Values::Texts(strings(kept.iter().flat_map(|row| [text(row), "!"]))), vec![]),
        column(Values::Texts(strings(docs.iter().map(String::as_str))), vec![]),
    ];
    let rejected = (0..rows).filter(|&row| texts[row] == "reject");
    let rejects = rejected.map(|row| Reject { row: row as u32, reason: "unwanted\nhere".to_owned() }).collect();
    let origins = if kept.len() == rows { vec![] } else { kept.iter().map(|&row| row as u32).collect() };
    Results { outputs: vec![Emitted { count: kept.len() as u32, origins, columns }], rejects }
}

fn spoil(results: &mut Results, rows: u32, mode: &str) {
    if let Some(outputs) = mode.strip_prefix("outputs-") {
        let wanted = outputs.parse().unwrap_or(0);
        let empty = || Emitted { count: 0, origins: vec![], columns: vec![] };
        results.outputs.resize_with(wanted, empty);
        return;
    }
    let output = &mut results.outputs[0];
    let reject = |row| Reject { row, reason: "again".to_owned() };
    match mode {
        "count" => output.count += 1,
        "count-flood" => output.count = 2_000_000,
        "columns" => output.columns.truncate(5),
        "layout" => output.columns[0].values = Values::Integers(vec![0; rows as usize]),
        "lists-layout" => output.columns[3].values = Values::Integers(vec![0; rows as usize]),
        "values" => output.columns[1].values = Values::Integers(vec![0; rows as usize - 1]),
        "boolean" => output.columns[2].values = Values::Booleans(vec![2; rows as usize]),
        "valid-value" => output.columns[0].valid = vec![7; rows as usize],
        "valid-length" => output.columns[0].valid = vec![1; rows as usize + 1],
        "null" => output.columns[1].valid = vec![0; rows as usize],
        "origins-fall" => output.origins = (0..rows).rev().collect(),
        "origins-range" => output.origins = (1..=rows).collect(),
        "origins-few" => output.origins = vec![0],
        "lists-fall" => output.columns[3].values = Values::Lists((0..rows).rev().collect()),
        "lists-elements" => output.columns[3].values = Values::Lists(vec![1; rows as usize]),
        "json" => output.columns[5].values = Values::Texts(strings((0..rows).map(|_| "{\"a\":"))),
        "reject-range" => results.rejects.push(reject(rows)),
        "reject-twice" => results.rejects.extend([reject(0), reject(0)]),
        "huge" => {
            let data = vec![b'x'; 16 << 20];
            output.columns[0].values = Values::Texts(Strings { ends: vec![data.len() as u32; rows as usize], data });
        }
        "dictionary-code" | "dictionary-bomb" => {
            let length = if mode == "dictionary-bomb" { 1 << 20 } else { 1 };
            let values = Strings { ends: vec![length], data: vec![b'x'; length as usize] };
            let code = u32::from(mode == "dictionary-code");
            output.columns[0].values = Values::Dictionary(Dictionary { codes: vec![code; rows as usize], values });
        }
        _ => spoil_text(&mut output.columns[0].values, rows, mode),
    }
}

fn spoil_text(values: &mut Values, rows: u32, mode: &str) {
    let text = |ends: Vec<u32>, data: &[u8]| Values::Texts(Strings { ends, data: data.to_vec() });
    let last = rows as usize - 1;
    *values = match mode {
        "utf8" => text((1..=rows).collect(), &[vec![b'a'; last], vec![0xff]].concat()),
        "character" => {
            let mut ends = vec![2; rows as usize];
            ends[0] = 1;
            text(ends, "é".as_bytes())
        }
        "ends-fall" => text((0..rows).rev().collect(), b""),
        "ends-short" => text(vec![0; rows as usize], b"left over"),
        "ends-long" => text(vec![10; rows as usize], b"short"),
        "ends-count" => text(vec![0; rows as usize + 3], b""),
        _ => return,
    };
}
