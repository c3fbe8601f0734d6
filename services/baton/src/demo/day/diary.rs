//! The diary of the day: what people did, and what the phones did, by the simulated clock. One JSON object a line.
//!
//! Nothing in it comes from Baton: people write down what they do when they do it, and of the phones it says what the switch has
//! seen. So it is what a report on Baton's events can be compared with.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::Context as _;
use parking_lot::Mutex;
use serde_json::{Value, json};

#[derive(Debug)]
pub(super) struct Diary(Mutex<BufWriter<File>>);

impl Diary {
    pub(super) fn begin(file: &Path) -> anyhow::Result<Self> {
        let opened = File::create(file).with_context(|| file.display().to_string())?;
        Ok(Self(Mutex::new(BufWriter::new(opened))))
    }

    /// Writes down that something happened then; `more` is an object.
    pub(super) fn note(&self, at_us: i64, what: &str, mut more: Value) {
        if let Some(fields) = more.as_object_mut() {
            fields.insert("at_us".to_owned(), json!(at_us));
            fields.insert("what".to_owned(), json!(what));
        }
        // An error stays with the writer, and is told at the end.
        let _ = writeln!(self.0.lock(), "{more}");
    }

    /// Everything is in the file.
    pub(super) fn close(&self) -> anyhow::Result<()> {
        self.0.lock().flush().context("writing down what happened")
    }
}
