//! What happened in a session (a route with `window = { session = ".." }`): events, duration, and with `{ page = "data.page" }`
//! the first and last page by event time.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

use wasmill_sdk::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The path of a text; events without it count, but show no page.
    page: Option<String>,
}

#[derive(Default, Serialize, Deserialize, State)]
pub struct Session {
    events: u64,
    /// Event times in nanoseconds.
    span: Option<(i64, i64)>,
    first_page: Option<(i64, String)>,
    last_page: Option<(i64, String)>,
}

impl Session {
    fn stretch(&mut self, first: i64, last: i64) {
        let (start, end) = self.span.unwrap_or((first, last));
        self.span = Some((start.min(first), end.max(last)));
    }

    /// Of pages at the same time the lesser name is the first, the greater one the last: the same in any order of events.
    fn visit(&mut self, time: i64, page: &str) {
        let earlier = |(at, first): &(i64, String)| (time, page) < (*at, first.as_str());
        if self.first_page.as_ref().is_none_or(earlier) {
            self.first_page = Some((time, page.to_owned()));
        }
        let later = |(at, last): &(i64, String)| (time, page) > (*at, last.as_str());
        if self.last_page.as_ref().is_none_or(later) {
            self.last_page = Some((time, page.to_owned()));
        }
    }
}

impl Aggregator for Session {
    type Config = Config;
    type Event<'a> = Dynamic<'a>;
    type Output<'a> = Cells<'a>;

    fn reads(config: &Config) -> Vec<Field> {
        let page = config.page.clone().map(|path| Field::optional(path, Kind::Text));
        std::iter::once(Field::required("@time", Kind::Timestamp)).chain(page).collect()
    }

    fn writes(config: &Config) -> Vec<Output> {
        let mut fields =
            vec![OutputField::new("events", Kind::Integer), OutputField::new("duration", Kind::Float).unit("s")];
        if config.page.is_some() {
            fields.push(OutputField::new("first_page", Kind::Text).optional());
            fields.push(OutputField::new("last_page", Kind::Text).optional());
        }
        vec![Output::main(fields)]
    }

    fn empty(_: &Config) -> Self {
        Session::default()
    }

    fn add(&mut self, event: Dynamic<'_>, _: &Config) -> Result<(), Reject> {
        let Some(Timestamp(time)) = event.timestamp(0) else { return Err("the event has no time".into()) };
        self.events += 1;
        self.stretch(time, time);
        if let Some(page) = event.text(1) {
            self.visit(time, page);
        }
        Ok(())
    }

    fn merge(&mut self, other: &Self) {
        self.events += other.events;
        if let Some((first, last)) = other.span {
            self.stretch(first, last);
        }
        for (time, page) in other.first_page.iter().chain(&other.last_page) {
            self.visit(*time, page);
        }
    }

    fn emit<'a>(&'a self, _: &Emission<'a>, config: &'a Config, out: &mut Out<Cells<'a>>) {
        let duration = self.span.map_or(0.0, |(first, last)| (last - first) as f64 / 1e9);
        let mut cells = vec![self.events.into(), duration.into()];
        if config.page.is_some() {
            let page = |visit: &'a Option<(i64, String)>| visit.as_ref().map(|(_, page)| page.as_str()).into();
            cells.extend([page(&self.first_page), page(&self.last_page)]);
        }
        out.push(Cells(cells));
    }
}

wasmill_sdk::aggregator!(Session);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_first_and_last_by_event_time_not_by_arrival() {
        let mut test = testing::aggregator::<Session>(json!({"page": "data.page"}));
        for (time, page) in
            [(3_000_000_000i64, "/cart"), (1_000_000_000, "/"), (9_500_000_000, "/paid"), (4, "/landing")]
        {
            test.add(json!({"@time": time, "data": {"page": page}}));
        }
        test.add(json!({"@time": 9_600_000_000i64}));
        let expected = json!({"events": 5, "duration": 9.599999996, "first_page": "/landing", "last_page": "/paid"});
        assert_eq!(test.emit(), [expected]);
        test.laws();
    }

    #[test]
    fn pages_at_the_same_time_do_not_depend_on_the_order() {
        let mut test = testing::aggregator::<Session>(json!({"page": "p"}));
        for page in ["b", "c", "a"] {
            test.add(json!({"@time": 5, "p": page}));
        }
        assert_eq!(test.emit(), [json!({"events": 3, "duration": 0.0, "first_page": "a", "last_page": "c"})]);
        test.laws();
    }

    #[test]
    fn without_a_page_only_events_and_duration_are_written() {
        let mut test = testing::aggregator::<Session>(json!({}));
        assert_eq!(test.add(json!({"@time": 1})).emit(), [json!({"events": 1, "duration": 0.0})]);
        assert_eq!(test.descriptor().outputs[0].fields.len(), 2);
    }
}
