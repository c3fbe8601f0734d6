//! JSON values as YAML 1.2: texts are quoted as in JSON, so that no word is taken for a number, a time or a truth value.

use std::fmt::Write as _;

use serde_json::Value;

pub(super) fn of(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value, 0);
    text.trim_start_matches('\n').to_owned()
}

/// After a key or a dash: on the same line, or on lines of its own with this many spaces before them.
fn write(text: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                let _ = write!(text, "\n{:indent$}{}:", "", key_of(key));
                beside(text, value, indent + 2);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let _ = write!(text, "\n{:indent$}-", "");
                let mut inner = String::new();
                write(&mut inner, item, indent + 2);
                let inner = inner.trim_start_matches(['\n', ' ']);
                let _ = write!(text, " {inner}");
            }
        }
        other => text.push_str(&scalar(other)),
    }
}

fn beside(text: &mut String, value: &Value, indent: usize) {
    let is_nested =
        matches!(value, Value::Object(it) if !it.is_empty()) || matches!(value, Value::Array(it) if !it.is_empty());
    if !is_nested {
        text.push(' ');
    }
    write(text, value, indent);
}

/// Keys that an older reader of YAML takes for values.
const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];

/// The contract's own names need no quotes; the keys of maps are people's.
fn key_of(key: &str) -> String {
    let is_plain = key.starts_with(|it: char| it.is_ascii_lowercase())
        && !WORDS.contains(&key)
        && key.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_');
    if is_plain { key.to_owned() } else { scalar(&Value::from(key)) }
}

/// As in JSON; YAML wants more characters escaped.
fn scalar(value: &Value) -> String {
    let mut text = String::new();
    for it in value.to_string().chars() {
        if it.is_control() || matches!(it, '\u{2028}' | '\u{2029}' | '\u{feff}') {
            let _ = write!(text, "\\u{:04x}", u32::from(it));
        } else {
            text.push(it);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn n10_a_value_is_readable_yaml() {
        let value = json!([
            { "agent_id": "a", "on": true, "legs_up": [{ "leg_id": "no", "age_ms": 3 }, "x"], "data_set": {} },
            {},
        ]);
        let expected = "- agent_id: \"a\"\n  \"on\": true\n  legs_up:\n    - leg_id: \"no\"\n      age_ms: 3\n    - \"x\"\n  data_set: {}\n- {}";
        let sorted = |text: &str| {
            let mut lines: Vec<_> = text.lines().map(|it| it.replace("- ", "  ")).collect();
            lines.sort_unstable();
            lines
        };
        assert_eq!(sorted(&of(&value)), sorted(expected));
        assert_eq!(of(&json!("a\u{9b}\n")), r#""a\u009b\n""#);
        assert_eq!(of(&json!([])), "[]");
    }
}
