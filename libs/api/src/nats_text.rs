//! Texts of an event in the names that a message of NATS has: its subject and its headers.

use std::fmt::Write as _;

/// The text as one token of a subject: characters that split it or that are wildcards become `%XX`, and no text becomes `%`.
pub fn token(text: &str) -> String {
    if text.is_empty() {
        return "%".to_owned();
    }
    let mut token = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            token.push(char::from(byte));
        } else {
            // Writing to a string can't fail.
            let _ = write!(token, "%{byte:02X}");
        }
    }
    token
}

/// The text as the value of a header: what that can't have (spaces, quotes, `%`, control characters, all that is not ASCII) is written as in
/// `CloudEvents`' HTTP binding, each byte of its UTF-8 as `%XX`.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if matches!(byte, b'!'..=b'~') && !matches!(byte, b'"' | b'%') {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string can't fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

/// `None` for what is no UTF-8. A `%` that begins no code stands for itself.
pub fn unescaped(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [first, after @ ..] = rest {
        let code = if *first == b'%' { after.get(..2).and_then(hexadecimal) } else { None };
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).ok()
}

fn hexadecimal(digits: &[u8]) -> Option<u8> {
    let digit = |it: u8| char::from(it).to_digit(16);
    let value = digit(*digits.first()?)? * 16 + digit(*digits.get(1)?)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenants_name_cannot_reach_another_tenants_subjects() {
        assert_eq!(token("a.b>*c d"), "a%2Eb%3E%2Ac%20d");
        assert_ne!(token("a.b"), token("a%2Eb"));
        assert_eq!((token("").as_str(), token("%").as_str()), ("%", "%25"));
    }

    #[test]
    fn a_text_survives_being_a_header() {
        for text in ["", "Zürich 東京", "a\r\nb: c", "100%41", "\"quoted\" and spaced", "\u{0}\u{7f}", "%", "ends%4"]
        {
            let written = escaped(text);
            assert!(written.bytes().all(|it| matches!(it, b'!'..=b'~')), "{written}");
            assert_eq!(unescaped(&written).as_deref(), Some(text));
        }
        assert_eq!(unescaped("%FF"), None);
        assert_eq!(unescaped("a%zz%4").as_deref(), Some("a%zz%4"));
    }
}
