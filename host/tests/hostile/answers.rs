//! Guests that answer what no compiler of theirs would: the bytes of the canonical ABI are written by hand.

use wasmill_core::plugin::Fault;

use crate::guest::{Guest, World, ZEROS};
use crate::image::{self, Image, Span};
use crate::provoke::{ROWS, assert_failed, provoke};

const FOUR_GIB: u32 = u32::MAX;
const NONE: Span = (0, 0);

/// A transformer that writes a column of texts, whose answers `make` gives.
fn writes(make: impl FnOnce(&mut Image) -> (u32, Span, Vec<u8>)) -> Guest {
    let mut guest = Guest::transformer(&[]);
    let image = &mut guest.image;
    let label = image::output_field(image, "label", 3);
    let out = image::output(image, "out", &[label], false);
    let name = image.text("hostile");
    let described = image::described(image, name, &[], &[out]);
    let (count, origins, column) = make(image);
    guest.does("configure", format!("(i32.const {described})")).emits(count, origins, &[column], &[])
}

/// Texts with these ends and data, one a row.
fn text(ends: &[u32], data: &[u8]) -> Guest {
    writes(|image| {
        let ends = image.numbers(ends);
        let data = (image.put(data), data.len() as u32);
        (ROWS, NONE, image::texts(ends, data, NONE))
    })
}

fn origins(origins: &[u32]) -> Guest {
    writes(|image| {
        let list = image.numbers(origins);
        (origins.len() as u32, list, image::texts((ZEROS, origins.len() as u32), NONE, NONE))
    })
}

fn lists(list: impl Fn(Span) -> (Span, Span, Span)) -> Guest {
    writes(|image| {
        let good = (image.put(&[0; 64]), ROWS);
        let (ends, data, valid) = list(good);
        (ROWS, NONE, image::texts(ends, data, valid))
    })
}

#[test]
fn an_answer_that_breaks_the_contract_is_refused_by_the_rule_and_the_row() {
    let cases: Vec<(&str, Guest, Fault, String)> = vec![
        ("ends of 4 GiB", lists(|_| ((ZEROS, FOUR_GIB), NONE, NONE)), Fault::Invalid, "".into()),
        ("data of 4 GiB", lists(|good| (good, (ZEROS, FOUR_GIB), NONE)), Fault::Invalid, "".into()),
        ("valid of 4 GiB", lists(|good| (good, NONE, (ZEROS, FOUR_GIB))), Fault::Invalid, "".into()),
        ("data behind the memory", lists(|good| (good, (FOUR_GIB - 7, 8), NONE)), Fault::Invalid, "".into()),
        ("ends at an odd place", lists(|_| ((ZEROS + 1, ROWS), NONE, NONE)), Fault::Invalid, "aligned".into()),
        ("data beyond limits.output", lists(|good| (good, (ZEROS, 12 << 20), NONE)), Fault::Output, "8 MiB".into()),
        ("ends that fall", text(&[4, 3, 2, 1, 0, 0, 0, 0], b""), Fault::Invalid, "column label: row 1".into()),
        (
            "ends that overlap",
            text(&[4, 2, 6, 4, 8, 8, 8, 8], b"abcdefgh"),
            Fault::Invalid,
            "column label: row 1".into(),
        ),
        ("ends beyond the data", text(&[0, 0, 0, 0, 0, 0, 0, 99], b"abc"), Fault::Invalid, "column label".into()),
        ("data beyond the ends", text(&[0; 8], b"abc"), Fault::Invalid, "column label".into()),
        ("broken UTF-8", text(&[0, 1, 1, 1, 1, 1, 1, 1], b"\xff"), Fault::Invalid, "UTF-8".into()),
        (
            "a character cut in two",
            text(&[1, 2, 2, 2, 2, 2, 2, 2], "é".as_bytes()),
            Fault::Invalid,
            "row 0: its end lies inside a character".into(),
        ),
        ("origins out of range", origins(&[0, 1, 2, 3, 99]), Fault::Invalid, "row 4: its origin is row 99 of 8".into()),
        ("origins that fall", origins(&[5, 4]), Fault::Invalid, "row 1: its origin 4 is below".into()),
        ("an origin too many", origins(&[0, 1, 2, 3, 4, 5, 6, 7, 8]), Fault::Invalid, "its origin is row 8".into()),
        (
            "a million rows and one more from one",
            writes(|_| ((1 << 20) + 1, (ZEROS, 1), image::texts((ZEROS, 1), NONE, NONE))),
            Fault::Invalid,
            "1048577 rows in one call, at most 1048576".into(),
        ),
        (
            "a million rows from one, for which there is no room",
            writes(|_| (1 << 20, (ZEROS, 1 << 20), image::texts((ZEROS, 1 << 20), (ZEROS, 1 << 20), NONE))),
            Fault::Output,
            "limits.output".into(),
        ),
        (
            "a layout that does not exist",
            writes(|_| (ROWS, NONE, image::column(99, &[], NONE))),
            Fault::Invalid,
            "".into(),
        ),
        (
            "a reject of nobody",
            Guest::transformer(&[]).emits(ROWS, NONE, &[], &[image::words(&[ROWS, 0, 0])]),
            Fault::Invalid,
            format!("it rejects row {ROWS} of {ROWS}"),
        ),
        (
            "4 GiB of rejects",
            Guest::transformer(&[]).answers("transform", &image::ok(&image::words(&[0, 0, ZEROS, FOUR_GIB]))),
            Fault::Invalid,
            "".into(),
        ),
        (
            "4 GiB of outputs",
            Guest::transformer(&[]).answers("transform", &image::ok(&image::words(&[ZEROS, FOUR_GIB, 0, 0]))),
            Fault::Invalid,
            "".into(),
        ),
        (
            "a reason of 4 GiB",
            Guest::transformer(&[]).answers("transform", &image::err((ZEROS, FOUR_GIB))),
            Fault::Invalid,
            "".into(),
        ),
        ("neither ok nor err", Guest::transformer(&[]).answers("transform", &[9; 24]), Fault::Invalid, "".into()),
        (
            "an answer behind the memory",
            Guest::transformer(&[]).does("transform", "(i32.const -8)"),
            Fault::Invalid,
            "".into(),
        ),
        (
            "an answer at an odd place",
            Guest::transformer(&[]).does("transform", "(i32.const 4097)"),
            Fault::Invalid,
            "aligned".into(),
        ),
        (
            "a place for arguments behind the memory",
            Guest::of(World::Transformer).does("cabi_realloc", "(i32.const -8)"),
            Fault::Invalid,
            "".into(),
        ),
    ];
    for (name, guest, fault, says) in cases {
        let function = if name.starts_with("a place for arguments") { "configure" } else { "transform" };
        assert_failed(name, provoke(&guest.wasm()), function, fault, &says);
    }
}

#[test]
fn an_aggregator_that_answers_for_others_is_refused() {
    let states = |spans: [u32; 4]| Guest::aggregator().answers("snapshot", &image::ok(&image::words(&spans)));
    let mut more = Guest::aggregator();
    let all = more.image.numbers(&[0, 1, 2, 3, 4, 5, 6, 7, 8]);
    let more = more.emits(9, all, &[image::integers((ZEROS, 9))], &[]);
    let mut none = Guest::aggregator();
    let refusal = none.image.text("I cannot\nread that");
    let cases = [
        ("rows of a slot that nobody asked for", more, "emit", Fault::Invalid, "its origin is slot 8 of 8"),
        (
            "rows without origins",
            Guest::aggregator().emits(3, NONE, &[image::integers((ZEROS, 3))], &[]),
            "emit",
            Fault::Invalid,
            "3 rows without origins from 8 slots",
        ),
        ("4 GiB of states", states([ZEROS, ROWS, ZEROS, FOUR_GIB]), "snapshot", Fault::Invalid, ""),
        ("a state too few", states([ZEROS, ROWS - 1, 0, 0]), "snapshot", Fault::Invalid, "7"),
        ("states that nobody owns", states([ZEROS, ROWS, ZEROS, 9]), "snapshot", Fault::Invalid, ""),
        (
            "a state that does not restore",
            none.answers("restore", &image::err(refusal)),
            "restore",
            Fault::Refused,
            "I cannot\\nread that",
        ),
        (
            "4 GiB of versions",
            Guest::aggregator().answers("versions", &image::words(&[1, ZEROS, FOUR_GIB])),
            "versions",
            Fault::Invalid,
            "",
        ),
    ];
    for (name, guest, function, fault, says) in cases {
        assert_failed(name, provoke(&guest.wasm()), function, fault, says);
    }
}

/// A transformer that describes itself so.
fn describes(make: impl FnOnce(&mut Image) -> (Span, Vec<Vec<u8>>, Vec<Vec<u8>>)) -> Guest {
    let mut guest = Guest::transformer(&[]);
    let (name, reads, outputs) = make(&mut guest.image);
    let at = image::described(&mut guest.image, name, &reads, &outputs);
    guest.does("configure", format!("(i32.const {at})"))
}

fn named(name: &str) -> Guest {
    describes(|image| {
        let out = image::output(image, "out", &[], true);
        (image.text(name), vec![], vec![out])
    })
}

fn reading(fields: usize) -> Guest {
    describes(|image| {
        let field = image::field(image, "f", 1);
        let out = image::output(image, "out", &[], true);
        (image.text("hostile"), vec![field; fields], vec![out])
    })
}

fn writing(name: &str, fields: usize) -> Guest {
    describes(|image| {
        let field = image::output_field(image, name, 1);
        let out = image::output(image, "out", &vec![field; fields], false);
        (image.text("hostile"), vec![], vec![out])
    })
}

#[test]
fn a_descriptor_that_is_too_much_or_would_forge_lines_is_refused() {
    let of_4_gib = describes(|image| {
        let out = image::output(image, "out", &[], true);
        ((ZEROS, FOUR_GIB), vec![], vec![out])
    });
    let kind = describes(|image| {
        let out = image::output(image, "out", &[], true);
        (image.text("hostile"), vec![image::field(image, "f", 99)], vec![out])
    });
    let outputs = describes(|image| {
        let out = image::output(image, "out", &[], true);
        (image.text("hostile"), vec![], vec![out; 65])
    });
    let cases = [
        ("10,000 fields", reading(10_000), "10000 fields it reads, at most 1000"),
        ("10,000 fields out", writing("f", 10_000), "10000 fields"),
        ("two fields of one name", reading(2), "it reads field f twice"),
        ("65 outputs", outputs, "65 outputs, at most 64"),
        ("a name of 100,000 bytes", named(&"x".repeat(100_000)), "at most 256 bytes"),
        ("a name of 4 GiB", of_4_gib, ""),
        ("a name of two lines", named("good\nlevel=error msg=forged"), "good\\nlevel=error"),
        ("a name that colours the terminal", named("\u{1b}[31mred"), "without control characters"),
        ("a name of nothing", named(" "), "is empty"),
        ("a field that is a tag and a value", writing("a,host=evil 1", 1), "must begin with a letter or _"),
        ("a field of two lines", writing("a\nb", 1), "a\\nb"),
        ("a kind that does not exist", kind, ""),
    ];
    for (name, guest, says) in cases {
        assert_failed(name, provoke(&guest.wasm()), "configure", Fault::Invalid, says);
    }
}
