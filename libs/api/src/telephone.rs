//! Telephone numbers as trunks and people write them.

/// The digits of an E.164 number, without the plus (ITU-T E.164, 6).
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;
/// With an international prefix, or two.
const MOST: usize = *DIGITS.end() + 3;
/// What stands for a number that the caller withheld (RFC 3323, 4.1.1.3, and what switches write).
const WITHHELD: [&str; 7] = ["anonymous", "private", "restricted", "unavailable", "unknown", "withheld", "blocked"];

/// Characters of an address that are kept.
const MOST_SENT: usize = 64;

/// An address as a switch sent it, to be kept or shown: without control characters, and no longer than addresses are.
pub fn as_sent(text: &str) -> String {
    text.chars().filter(|it| !it.is_control()).take(MOST_SENT).collect()
}

/// Whether these are the digits of an E.164 number, without the plus.
pub fn is_e164(digits: &str) -> bool {
    DIGITS.contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_digit()) && !digits.starts_with('0')
}

/// The digits of an address, with the plus if there is one; empty if it has anything else.
pub fn dialled_digits(text: &str) -> String {
    let digits: String = user(text).replace("%2b", "+").chars().filter(|it| !" -./()".contains(*it)).collect();
    let is_number = digits.strip_prefix('+').unwrap_or(&digits).bytes().all(|it| it.is_ascii_digit());
    if is_number && digits.len() <= MOST { digits } else { String::new() }
}

/// Who called, as it is kept (F1): in E.164 if the number was sent in full, however it was written; empty if it was withheld; everything else as it
/// was sent, because which country it is in is not known.
pub fn caller(text: &str) -> String {
    let text = text.trim();
    if WITHHELD.contains(&user(text).as_str()) {
        return String::new();
    }
    let digits = dialled_digits(text);
    let in_full = digits.strip_prefix('+').or_else(|| digits.strip_prefix("00")).filter(|it| is_e164(it));
    match in_full {
        Some(number) => format!("+{number}"),
        None if digits.is_empty() => text.to_owned(),
        None => digits,
    }
}

/// Of a `tel:` or `sip:` address what comes before the host and the parameters, in lower case.
fn user(text: &str) -> String {
    let lower = text.trim().to_lowercase();
    let address = ["tel:", "sip:", "sips:"].iter().find_map(|scheme| lower.strip_prefix(scheme)).unwrap_or(&lower);
    address.split(['@', ';', '?']).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f1_one_caller_is_one_customer_however_the_number_is_written() {
        for text in [
            "+32470999888",
            "0032470999888",
            "tel:+32470999888",
            "TEL:+32-470-99-98-88;phone-context=x",
            "sip:+32470999888@trunk.example.com;user=phone",
            "sips:%2B32470999888@10.0.0.1",
            " +32 (470) 99.98.88 ",
        ] {
            assert_eq!(caller(text), "+32470999888", "{text}");
        }
        for (text, kept) in
            [("tel:0470 99 98 88", "0470999888"), ("sip:Ada@x", "sip:Ada@x"), ("1001", "1001"), ("", "")]
        {
            assert_eq!(caller(text), kept, "{text}: in which country it is, is not known");
        }
    }

    #[test]
    fn f1_who_withholds_their_number_is_nobody() {
        for text in
            ["anonymous", "Anonymous", "sip:anonymous@anonymous.invalid", "RESTRICTED", "Private", " unavailable "]
        {
            assert_eq!(caller(text), "", "{text}");
        }
        assert_eq!(caller("private@home"), "", "a user of that name is taken for one who withholds it");
        assert_eq!(caller("sip:anonymouse@x"), "sip:anonymouse@x");
    }
}
