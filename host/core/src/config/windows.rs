//! A route's `window`: exactly one kind, sane lengths.

use super::diagnostic::{Diagnostic, Spanned};
use super::keys;
use super::reader::{Context, Table};
use super::units::show_duration;
use crate::plan::WindowSpec;
use crate::time::{DAY, HOUR, Nanos};
use crate::window::MAX_PANES_A_WINDOW;

/// A rollup keeps one set of states a size.
pub const MAX_ROLLUP_SIZES: usize = 8;
const DEFAULT_SESSION_MAX: Nanos = 24 * HOUR;

/// Reads `window = {..}` of the route whose table is given.
pub fn window(cx: &mut Context<'_>, route: &Table<'_>) -> Option<Spanned<WindowSpec>> {
    let node = route.any("window")?;
    let title = format!("`window` of {}", route.title);
    let table = Table::of(cx, &keys::WINDOW, title, &node.span, node)?;
    let kinds: Vec<&str> = ["tumbling", "sliding", "session"].into_iter().filter(|k| table.any(k).is_some()).collect();
    let [kind] = kinds[..] else {
        let label = if kinds.is_empty() { "no kind of window" } else { "more than one kind of window" };
        cx.push(
            Diagnostic::error(&node.span, "a window is exactly one of `tumbling`, `sliding` and `session`", label)
                .help("write for example `window = { tumbling = \"10s\" }`"),
        );
        return None;
    };
    let foreign: &[&str] = match kind {
        "tumbling" => &["every", "max"],
        "sliding" => &["max", "timezone"],
        _ => &["every", "offset", "timezone"],
    };
    for key in foreign {
        if let Some(node) = table.any(key) {
            cx.push(
                Diagnostic::error(&node.span, format!("`{key}` has no meaning for a {kind} window"), "remove this")
                    .help(belongs_to(key)),
            );
        }
    }
    let before = cx.errors();
    let spec = match kind {
        "tumbling" => tumbling(cx, &table),
        "sliding" => sliding(cx, &table),
        _ => session(cx, &table),
    }?;
    (cx.errors() == before).then(|| Spanned::new(spec, node.span.clone()))
}

fn belongs_to(key: &str) -> String {
    match key {
        "every" => {
            "`every` belongs to `sliding`; for rows of running windows write `emit = { every = \"1s\" }` in the route"
        }
        "max" => "`max` belongs to `session`",
        "offset" => "`offset` belongs to `tumbling` and `sliding`",
        _ => "`timezone` belongs to `tumbling`",
    }
    .to_owned()
}

fn tumbling(cx: &mut Context<'_>, table: &Table<'_>) -> Option<WindowSpec> {
    let sizes = table.durations(cx, "tumbling")?;
    if sizes.len() > MAX_ROLLUP_SIZES {
        let message = format!("a rollup has at most {MAX_ROLLUP_SIZES} sizes");
        cx.push(Diagnostic::error(&sizes[MAX_ROLLUP_SIZES].span, message, "one too many"));
    }
    for pair in sizes.windows(2) {
        let (small, large) = (&pair[0], &pair[1]);
        if large.value <= small.value || large.value % small.value != 0 {
            let (a, b) = (show_duration(small.value), show_duration(large.value));
            cx.push(
                Diagnostic::error(
                    &large.span,
                    "the sizes of a rollup must rise, and each must divide the next",
                    format!("{b} is not made of whole {a}"),
                )
                .related(&small.span, "these are merged into it")
                .help("for example `tumbling = [\"1m\", \"1h\", \"1d\"]`"),
            );
        }
    }
    let timezone = timezone(cx, table, &sizes);
    let offset = offset(cx, table, sizes.first()?.value);
    Some(WindowSpec::Tumbling { sizes: sizes.iter().map(|size| size.value).collect(), offset, timezone })
}

fn timezone(cx: &mut Context<'_>, table: &Table<'_>, sizes: &[Spanned<Nanos>]) -> Option<String> {
    let zone = table.text(cx, "timezone")?;
    if let Err(error) = jiff::tz::TimeZone::get(&zone.value) {
        cx.push(
            Diagnostic::error(&zone.span, format!("the time zone `{}` is not known", zone.value), error.to_string())
                .help("write a name of the IANA database, such as \"Europe/Berlin\""),
        );
    }
    for size in sizes {
        let fits = size.value == DAY || size.value == 7 * DAY || DAY % size.value == 0;
        if !fits {
            cx.push(
                Diagnostic::error(
                    &size.span,
                    "in a time zone a window divides a day, or is a day or a week",
                    show_duration(size.value),
                )
                .related(&zone.span, "because of this zone")
                .help("remove `timezone`, or choose \"1h\", \"6h\", \"1d\", \"7d\""),
            );
        }
    }
    Some(zone.value)
}

fn offset(cx: &mut Context<'_>, table: &Table<'_>, step: Nanos) -> Nanos {
    let Some(offset) = table.duration(cx, "offset") else { return 0 };
    if offset.value >= step {
        cx.push(
            Diagnostic::error(
                &offset.span,
                "`offset` must be shorter than the step of the windows",
                format!("windows start every {}", show_duration(step)),
            )
            .help(format!("{} means the same", show_duration(offset.value % step))),
        );
    }
    offset.value
}

fn sliding(cx: &mut Context<'_>, table: &Table<'_>) -> Option<WindowSpec> {
    let size = table.positive(cx, "sliding");
    if table.any("every").is_none() {
        cx.push(
            Diagnostic::error(&table.span, "a sliding window needs `every`: how far it moves", "`every` is missing")
                .help("write for example `window = { sliding = \"30s\", every = \"10s\" }`"),
        );
    }
    let every = table.positive(cx, "every")?;
    let size = size?;
    let (shown_size, shown_every) = (show_duration(size.value), show_duration(every.value));
    if every.value > size.value {
        cx.push(
            Diagnostic::error(
                &every.span,
                "`every` is longer than the window, so events between two windows would be lost",
                format!("longer than {shown_size}"),
            )
            .related(&size.span, "the window")
            .help("choose `every` at most as long as `sliding`"),
        );
    }
    let panes = size.value / greatest_common_divisor(size.value, every.value);
    if panes > MAX_PANES_A_WINDOW {
        cx.push(
            Diagnostic::error(
                &every.span,
                format!(
                    "a window of {shown_size} every {shown_every} is made of {panes} panes; {MAX_PANES_A_WINDOW} are the most"
                ),
                "too fine",
            )
            .help("choose a longer `every`, or one that divides the window"),
        );
    }
    let offset = offset(cx, table, every.value);
    Some(WindowSpec::Sliding { size: size.value, every: every.value, offset })
}

fn session(cx: &mut Context<'_>, table: &Table<'_>) -> Option<WindowSpec> {
    let gap = table.positive(cx, "session");
    let max = table.positive(cx, "max");
    let gap = gap?;
    let limit = max.as_ref().map_or(DEFAULT_SESSION_MAX.max(gap.value.saturating_mul(2)), |max| max.value);
    if let Some(max) = max.filter(|max| max.value / 2 < gap.value) {
        cx.push(
            Diagnostic::error(
                &max.span,
                "`max` must be at least twice the gap that ends a session",
                format!("shorter than {}", show_duration(gap.value.saturating_mul(2))),
            )
            .related(&gap.span, "the gap")
            .help("write for example `window = { session = \"30m\", max = \"12h\" }`"),
        );
    }
    Some(WindowSpec::Session { gap: gap.value, max: limit })
}

/// The length of the panes that a sliding window is made of.
pub fn greatest_common_divisor(a: Nanos, b: Nanos) -> Nanos {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
