//! The routes of the pipelines that the scenarios run, as their configurations have them.

use serde_json::Value;

use super::results::{count, revenue, statistics, top, visit};
use super::{MINUTE, Required, Route, SECOND, Window};

const ANY: Route = Route {
    name: "",
    measurement: "",
    only: &[],
    requires: None,
    optional: None,
    positive: None,
    key: None,
    window: tumbling(MINUTE),
    at_end: false,
    results: count,
};
const AMOUNT: Option<Required> = Some(("data.amount", Value::is_number));

const fn tumbling(size: i64) -> Window {
    Window::Regular { size, every: size }
}

/// Of the commerce example; `session_max`: the longest session.
pub fn commerce(session_max: i64) -> Vec<Route> {
    vec![
        Route { name: "by_type", measurement: "events", key: Some("event_type"), window: tumbling(30 * SECOND), ..ANY },
        Route {
            name: "revenue",
            measurement: "revenue",
            only: &["purchase"],
            requires: AMOUNT,
            positive: Some("data.amount"),
            key: Some("data.currency"),
            window: Window::Regular { size: 5 * MINUTE, every: 30 * SECOND },
            at_end: true,
            results: revenue,
            ..ANY
        },
        Route {
            name: "amounts",
            measurement: "amounts",
            only: &["purchase"],
            requires: AMOUNT,
            window: tumbling(10 * SECOND),
            results: statistics,
            ..ANY
        },
        sessions(session_max),
        Route {
            name: "top_users",
            measurement: "top_users",
            requires: Some(("user_id", Value::is_string)),
            results: |events| top("user_id", events),
            ..ANY
        },
        Route {
            name: "top_pages",
            measurement: "top_pages",
            only: &["page_view"],
            requires: Some(("data.page", Value::is_string)),
            results: |events| top("data.page", events),
            ..ANY
        },
        Route {
            name: "top_products",
            measurement: "top_products",
            only: &["purchase", "add_to_cart"],
            requires: Some(("data.product_id", Value::is_string)),
            results: |events| top("data.product_id", events),
            ..ANY
        },
    ]
}

/// Of the pipeline whose routes are all keyed by user.
pub fn by_user(session_max: i64) -> Vec<Route> {
    vec![
        Route { name: "by_user", measurement: "by_user", key: Some("user_id"), window: tumbling(10 * MINUTE), ..ANY },
        Route {
            name: "spent",
            measurement: "spent",
            only: &["purchase"],
            requires: AMOUNT,
            positive: Some("data.amount"),
            key: Some("user_id"),
            window: Window::Regular { size: 30 * MINUTE, every: 10 * MINUTE },
            results: revenue,
            ..ANY
        },
        sessions(session_max),
    ]
}

fn sessions(max: i64) -> Route {
    Route {
        name: "sessions",
        measurement: "sessions",
        optional: Some("data.page"),
        key: Some("user_id"),
        window: Window::Session { max },
        results: visit,
        ..ANY
    }
}
