//! Tables without frames, which `awk` can split: as wide as the terminal, a line a row. Where a terminal has no room for the ids, a row
//! is a block instead, with a line for each of its cells: an id that is cut names nothing.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::word;

/// Between two columns.
const GAP: usize = 2;
/// A column is not cut to less.
const NARROWEST: usize = 8;

/// When a column is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Always,
    IfRoom,
    Wide,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    name: &'static str,
    shown: Shown,
    is_state: bool,
    is_id: bool,
}

impl Column {
    pub(crate) const fn always(name: &'static str) -> Self {
        Self { name, shown: Shown::Always, is_state: false, is_id: false }
    }

    /// Left out where the table would not fit.
    pub(crate) const fn if_room(name: &'static str) -> Self {
        Self { shown: Shown::IfRoom, ..Self::always(name) }
    }

    /// With `-o wide` alone.
    pub(crate) const fn wide(name: &'static str) -> Self {
        Self { shown: Shown::Wide, ..Self::always(name) }
    }

    pub(super) fn heading(&self) -> String {
        self.name.to_uppercase()
    }

    /// Always there, and never cut: it is what the next command is given.
    pub(crate) const fn id(name: &'static str) -> Self {
        Self { is_id: true, ..Self::always(name) }
    }

    /// Always there, and coloured by what it says.
    pub(crate) const fn state(name: &'static str) -> Self {
        Self { is_state: true, ..Self::always(name) }
    }
}

/// How much of a table is shown, and how.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Layout {
    /// All columns, and whole ids; nothing is cut.
    pub(super) wide: bool,
    /// Columns of the terminal; `None`: nothing is cut.
    pub(super) width: Option<usize>,
    pub(super) colours: bool,
}

/// The rows have a cell for each of the columns, also for those that are not shown.
pub(crate) fn table(columns: &[Column], rows: impl IntoIterator<Item = Vec<String>>, layout: Layout) -> String {
    let head = columns.iter().map(Column::heading).collect();
    let rows = rows.into_iter().map(|row| row.iter().map(|it| cell(it, layout.wide)).collect());
    let lines: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let natural: Vec<usize> = (0..columns.len())
        .map(|at| lines.iter().filter_map(|it| it.get(at)).map(|it| it.width()).max().unwrap_or(0))
        .collect();
    let Some(shown) = fitted(columns, &natural, layout) else { return blocks(columns, &lines, layout) };
    let text = lines.iter().enumerate().map(|(number, cells)| {
        let cells = shown.iter().map(|&(at, width)| {
            let colours = layout.colours && number > 0 && columns[at].is_state;
            padded(cells.get(at).map_or("", String::as_str), width, colours)
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    text.collect::<Vec<_>>().join("\n")
}

/// A row after the other, with a line for each cell. An id that has no room beside its heading stands below it.
fn blocks(columns: &[Column], lines: &[Vec<String>], layout: Layout) -> String {
    let Some((head, rows)) = lines.split_first() else { return String::new() };
    let shown: Vec<_> = (0..columns.len()).filter(|at| columns[*at].shown != Shown::Wide).collect();
    let width = shown.iter().map(|at| head[*at].width()).max().unwrap_or(0);
    let room = layout.width.unwrap_or(usize::MAX).saturating_sub(width + GAP).max(1);
    let block = |row: &Vec<String>| {
        let lines = shown.iter().map(|&at| {
            let (column, value) = (&columns[at], row.get(at).map_or("", String::as_str));
            let heading = padded(&head[at], width, false);
            if column.is_id && value.width() > room {
                return format!("{}\n{value}", head[at]);
            }
            let colours = layout.colours && column.is_state;
            format!("{heading}  {}", padded(value, room.min(value.width()), colours))
        });
        lines.map(|it| it.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    };
    rows.iter().map(block).collect::<Vec<_>>().join("\n\n")
}

/// One line; an id is shortened.
fn cell(text: &str, wide: bool) -> String {
    word::one_line(if wide { text } else { word::short(text) })
}

/// The columns that are shown, by their places, with their widths; `None`: there is no room for those that must be there.
fn fitted(columns: &[Column], natural: &[usize], layout: Layout) -> Option<Vec<(usize, usize)>> {
    let is_shown = |it: &Column| layout.wide || it.shown != Shown::Wide;
    let mut shown: Vec<_> =
        natural.iter().copied().enumerate().filter(|(at, _)| columns.get(*at).is_some_and(is_shown)).collect();
    let Some(room) = layout.width.filter(|_| !layout.wide) else { return Some(shown) };
    while total(&shown) > room
        && let Some(last) = shown.iter().rposition(|(at, _)| columns[*at].shown == Shown::IfRoom)
    {
        shown.remove(last);
    }
    let mut over = total(&shown).saturating_sub(room);
    let can_be_cut = |it: &&mut (usize, usize)| it.1 > NARROWEST && !columns[it.0].is_id;
    while over > 0
        && let Some((_, widest)) = shown.iter_mut().filter(can_be_cut).max_by_key(|it| it.1)
    {
        *widest -= 1;
        over -= 1;
    }
    (over == 0).then_some(shown)
}

fn total(shown: &[(usize, usize)]) -> usize {
    shown.iter().map(|it| it.1 + GAP).sum::<usize>().saturating_sub(GAP)
}

fn padded(text: &str, width: usize, colours: bool) -> String {
    let text = cut(text, width);
    let padding = " ".repeat(width.saturating_sub(text.width()));
    let text = if colours { coloured(&text) } else { text };
    format!("{text}{padding}")
}

/// At most so many columns; `…` stands for what is missing.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut room = width.saturating_sub(1);
    for it in text.chars() {
        let columns = it.width().unwrap_or(0);
        if columns > room {
            break;
        }
        room -= columns;
        kept.push(it);
    }
    kept + "…"
}

/// What is well green, what somebody waits for yellow, what went wrong red, what is over dim.
pub(super) fn coloured(state: &str) -> String {
    use clap::builder::styling::{AnsiColor, Effects, Style};
    let style = match state.split([',', '(', ':', '…']).next().unwrap_or_default().trim() {
        "available" | "with agent" | "completed" | "joined" | "stored" | "active" | "yes" => {
            AnsiColor::Green.on_default()
        }
        "failed" | "not responding" | "lost" | "abandoned" | "incomplete" => AnsiColor::Red.on_default(),
        "offline" | "ended" | "ending" | "cancelled" | "diverted" | "deleted" | "no" => {
            Style::new().effects(Effects::DIMMED)
        }
        _ => AnsiColor::Yellow.on_default(),
    };
    format!("{style}{state}{style:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01a2148f-18af-7236-b77a-cbecbbe40be4";
    const COLUMNS: [Column; 4] =
        [Column::always("name"), Column::state("is"), Column::if_room("e-mail"), Column::wide("id")];

    fn of_width(width: Option<usize>) -> Layout {
        Layout { width, ..Layout::default() }
    }

    fn rows() -> [Vec<String>; 2] {
        [["Ada", "available", "ada@example.com", ID], ["Benedict the Second", "away", "-", ID]]
            .map(|row| row.map(str::to_owned).to_vec())
    }

    #[test]
    fn a_table_has_its_columns_under_each_other() {
        let rows = [vec!["Ada".to_owned(), "1".to_owned()], vec!["Benedict".to_owned(), "2".to_owned()]];
        let columns = [Column::always("name"), Column::always("n")];
        assert_eq!(table(&columns, rows, Layout::default()), "NAME      N\nAda       1\nBenedict  2");
    }

    #[test]
    fn a_row_is_one_line_whatever_its_cells_contain() {
        let rows = [vec!["Ada\nBen  2".to_owned(), "\u{1b}[A1".to_owned()]];
        let columns = [Column::always("name"), Column::always("n")];
        assert_eq!(table(&columns, rows, Layout::default()), "NAME          N\nAda / Ben  2  \\u{1b}[A1");
    }

    #[test]
    fn n8_a_table_is_never_wider_than_the_terminal_and_a_row_is_a_line() {
        for width in [26, 60, 80, 200] {
            let text = table(&COLUMNS, rows(), of_width(Some(width)));
            assert_eq!(text.lines().count(), 3, "{text}");
            assert!(text.lines().all(|it| it.width() <= width), "{width}: {text}");
        }
        let narrow = table(&COLUMNS, rows(), of_width(Some(26)));
        assert!(!narrow.contains("E-MAIL") && narrow.contains("Benedict the S…"), "{narrow}");
        assert!(table(&COLUMNS, rows(), of_width(None)).contains("ada@example.com"));
    }

    #[test]
    fn n8_an_id_is_short_and_whole_on_demand() {
        let columns = [Column::always("call"), Column::wide("leg")];
        let rows = || [vec![format!("{ID}-recording-1"), "l".to_owned()]];
        assert_eq!(table(&columns, rows(), Layout::default()), "CALL\ncbecbbe40be4-recording-1");
        let wide = table(&columns, rows(), Layout { wide: true, width: Some(10), ..Layout::default() });
        assert!(wide.contains(ID) && wide.contains("LEG"), "{wide}");
    }

    #[test]
    fn n8_an_id_is_never_cut_and_a_row_is_a_block_where_it_has_no_room() {
        let columns = [Column::id("recording"), Column::state("state"), Column::if_room("agent"), Column::wide("leg")];
        let rows = || {
            [ID, "x"].map(|id| {
                let name = "Benedict the Second of Somewhere".to_owned();
                vec![format!("{id}-recording-1"), "stored".to_owned(), name, "l".to_owned()]
            })
        };
        let of = |width| table(&columns, rows(), of_width(Some(width)));
        assert!(of(40).ends_with("x-recording-1             stored"), "{}", of(40));
        let narrow = "RECORDING\ncbecbbe40be4-recording-1\nSTATE      stored\nAGENT      Benedict the Second…\n\n\
                      RECORDING  x-recording-1\nSTATE      stored\nAGENT      Benedict the Second…";
        assert_eq!(of(31), narrow);
        for width in [1, 20, 24, 30] {
            assert!(of(width).contains("cbecbbe40be4-recording-1"), "{}", of(width));
            assert!(width < 24 || of(width).lines().all(|it| it.width() <= width), "{}", of(width));
        }
    }

    #[test]
    fn n8_a_state_has_a_colour_and_its_column_stays_straight() {
        let text = table(&COLUMNS, rows(), Layout { colours: true, ..Layout::default() });
        assert!(text.contains("\u{1b}[32mavailable\u{1b}[0m  ada@"), "{text:?}");
        assert!(text.contains("\u{1b}[33maway\u{1b}[0m       -"), "{text:?}");
        assert!(!table(&COLUMNS, rows(), Layout::default()).contains('\u{1b}'));
    }

    #[test]
    fn a_text_is_cut_by_what_it_takes_on_the_screen() {
        assert_eq!(cut("漢字漢字", 5), "漢字…");
        assert_eq!(cut("abc", 3), "abc");
    }
}
