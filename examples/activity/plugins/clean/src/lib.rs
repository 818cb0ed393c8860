//! Trackers write one event in many ways: `Sign Up`, `sign_up`, ` sign-up `. This brings ids into one form, so that each event is
//! one series; all other fields go on as they are.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

use wasmill_sdk::prelude::*;

#[derive(Event)]
pub struct Tracked<'a> {
    event_id: &'a str,
}

#[derive(Row)]
pub struct Cleaned {
    /// Lower case, words joined by `_`.
    event_id: String,
}

pub struct Clean;

impl Transformer for Clean {
    type Config = ();
    type Event<'a> = Tracked<'a>;
    type Output<'a> = Cleaned;

    fn new(_: ()) -> Result<Self, String> {
        Ok(Clean)
    }

    fn transform<'a>(&self, event: Tracked<'a>, out: &mut Out<Cleaned>) -> Result<(), Reject> {
        let words = event.event_id.split([' ', '-', '_']).filter(|word| !word.is_empty());
        let event_id = words.map(str::to_lowercase).collect::<Vec<_>>().join("_");
        if event_id.is_empty() {
            return Err(format!("event_id {:?} has no word in it", event.event_id).into());
        }
        out.push(Cleaned { event_id });
        Ok(())
    }
}

wasmill_sdk::transformer!(Clean);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_to_write_an_id_become_one_and_other_fields_stay() {
        let clean = testing::transformer::<Clean>(json!({}));
        for written in ["Sign Up", "sign_up", " sign-up ", "SIGN--UP"] {
            let rows = clean.run(json!({"event_id": written, "value": 2.0})).unwrap();
            assert_eq!(rows, [json!({"event_id": "sign_up", "value": 2.0})], "{written:?}");
        }
    }

    #[test]
    fn an_id_without_a_word_is_rejected() {
        let rejected = testing::transformer::<Clean>(json!({})).run(json!({"event_id": " - "}));
        assert_eq!(rejected, Err("event_id \" - \" has no word in it".into()));
    }
}
