//! JSON values as parts of a point: an object's members become fields or tags of their own names.

use serde_json::Value;

/// A scalar out of a JSON value. Numbers are floats: `1` and `1.5` of one field must not differ in type.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    Float(f64),
    Boolean(bool),
    Text(String),
}

impl Scalar {
    /// As a tag shows it.
    pub fn into_text(self) -> String {
        match self {
            Scalar::Float(value) if value.fract() == 0.0 && value.abs() < 1e15 => format!("{value:.0}"),
            Scalar::Float(value) => value.to_string(),
            Scalar::Boolean(value) => value.to_string(),
            Scalar::Text(text) => text,
        }
    }
}

/// The scalars of a `json` column's value: under the column's name if it is a scalar, under its members' names if it is an
/// object. Members of nested objects are joined with `_` (`geo_lat`); arrays are JSON text; nulls are left out; text that is
/// not JSON is a string.
pub fn members(column: &str, text: &[u8]) -> Vec<(String, Scalar)> {
    let mut found = Vec::new();
    match serde_json::from_slice(text) {
        Ok(Value::Object(object)) => object.into_iter().for_each(|(name, value)| collect(name, value, &mut found)),
        Ok(value) => collect(column.to_string(), value, &mut found),
        Err(_) => found.push((column.to_string(), Scalar::Text(String::from_utf8_lossy(text).into_owned()))),
    }
    found
}

fn collect(name: String, value: Value, found: &mut Vec<(String, Scalar)>) {
    match value {
        Value::Null => {}
        Value::Bool(value) => found.push((name, Scalar::Boolean(value))),
        Value::Number(number) => found.push((name, Scalar::Float(number.as_f64().unwrap_or(f64::NAN)))),
        Value::String(text) => found.push((name, Scalar::Text(text))),
        Value::Array(_) => found.push((name, Scalar::Text(value.to_string()))),
        Value::Object(object) => {
            object.into_iter().for_each(|(member, value)| collect(format!("{name}_{member}"), value, found));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_nested_objects_are_joined_and_arrays_are_text() {
        let text = br#"{"n": 3, "ok": true, "none": null, "geo": {"lat": 1.5}, "list": [1, "a"]}"#;
        let mut found = members("attributes", text);
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let expected = [
            ("geo_lat", Scalar::Float(1.5)),
            ("list", Scalar::Text("[1,\"a\"]".into())),
            ("n", Scalar::Float(3.0)),
            ("ok", Scalar::Boolean(true)),
        ];
        assert_eq!(found, expected.map(|(name, value)| (name.to_string(), value)));
        assert_eq!(members("v", b"7"), [("v".to_string(), Scalar::Float(7.0))]);
        assert_eq!(members("v", b"{broken"), [("v".to_string(), Scalar::Text("{broken".into()))]);
        assert_eq!(Scalar::Float(7.0).into_text(), "7");
    }
}
