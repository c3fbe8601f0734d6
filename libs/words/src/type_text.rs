//! What a reader of TOML says of a value of the wrong type, in words for whoever wrote it.

/// The names of types that whoever writes a configuration need not know, and what is to be written instead.
const WORDS: [(&str, &str); 14] = [
    ("expected u64", "a whole number is needed, such as 5000"),
    ("expected u32", "a whole number is needed, such as 5000"),
    ("expected u16", "a whole number is needed, such as 5000"),
    ("expected u8", "a small whole number is needed, such as 5"),
    ("expected usize", "a whole number is needed, such as 5000"),
    ("expected i64", "a whole number is needed, such as 5000"),
    ("expected i32", "a whole number is needed, such as 5000"),
    ("expected f64", "a number is needed, such as 0.5"),
    ("expected a boolean", "true or false is needed"),
    ("expected a string", "a text in quotes is needed, such as \"warn\""),
    ("expected a sequence", "a list is needed, such as [\"a\", \"b\"]"),
    ("expected a map", "a table is needed, such as { a = 1 }"),
    ("invalid type: ", "is of the wrong type: "),
    ("invalid value ", "is out of range: "),
];
/// What the readers call what they found.
const FOUND: [(&str, &str); 6] = [
    ("found ", ""),
    ("string \"", "the text \""),
    ("unsigned int `", "the number `"),
    ("signed int `", "the number `"),
    ("integer `", "the number `"),
    ("boolean `", "the word `"),
];

/// `is of the wrong type: the text "abc"; a whole number is needed, such as 5000`
pub fn type_text(message: &str) -> String {
    // What was found is somebody's text, in which nothing is replaced; what was expected comes after it.
    let Some((found, expected)) = message.rsplit_once(", expected ") else { return message.to_owned() };
    let Some((start, text)) =
        WORDS.iter().find_map(|(name, words)| found.strip_prefix(name).map(|rest| (*words, rest)))
    else {
        return message.to_owned();
    };
    let text = FOUND.iter().fold(text.to_owned(), |text, (name, words)| {
        text.strip_prefix(name).map_or_else(|| text.clone(), |rest| format!("{words}{rest}"))
    });
    let (kind, place) =
        expected.split_once(" in ").map_or((expected, String::new()), |(kind, it)| (kind, format!(" in {it}")));
    let wanted = format!("expected {kind}");
    let needed = WORDS.iter().find(|(name, _)| *name == wanted).map_or(wanted.as_str(), |(_, words)| words);
    format!("{start}{text}; {needed}{place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n9_a_wrong_type_is_said_in_words_with_an_example() {
        let needed = "a whole number is needed, such as 5000";
        let cases = [
            (
                "invalid type: found string \"abc\", expected u64",
                format!("is of the wrong type: the text \"abc\"; {needed}"),
            ),
            ("invalid type: string \"abc\", expected i64", format!("is of the wrong type: the text \"abc\"; {needed}")),
            ("invalid value signed int `-5`, expected u64", format!("is out of range: the number `-5`; {needed}")),
            (
                "invalid type: integer `3`, expected a boolean",
                "is of the wrong type: the number `3`; true or false is needed".to_owned(),
            ),
        ];
        for (said, words) in cases {
            assert_eq!(type_text(said), words);
        }
        assert_eq!(type_text("unknown variant `hold`"), "unknown variant `hold`");
        assert_eq!(
            type_text("invalid type: string \"x, expected u64\", expected f64"),
            "is of the wrong type: the text \"x, expected u64\"; a number is needed, such as 0.5"
        );
    }
}
