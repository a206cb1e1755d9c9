//! Tables for people and for programs.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::machine;

/// What a subcommand found.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    /// How it is made again.
    pub(crate) command: String,
    pub(crate) tables: Vec<Table>,
    /// Bars that were not met, each in one line. Empty is a pass.
    pub(crate) missed: Vec<String>,
    /// How many bars not even the floor meets.
    pub(crate) above_floor: usize,
}

#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) title: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<S: Into<String>>(title: impl Into<String>, columns: impl IntoIterator<Item = S>) -> Self {
        let columns = columns.into_iter().map(Into::into).collect();
        Self { title: title.into(), columns, rows: Vec::new() }
    }

    pub(crate) fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        let cells: Vec<String> = cells.into_iter().map(Into::into).collect();
        debug_assert_eq!(cells.len(), self.columns.len(), "{cells:?}");
        self.rows.push(cells);
    }

    fn to_text(&self) -> String {
        let all = || std::iter::once(&self.columns).chain(&self.rows);
        let width = |column: usize| all().map(|row| plain(&row[column]).chars().count()).max().unwrap_or(0);
        let widths: Vec<_> = (0..self.columns.len()).map(width).collect();
        let line = |row: &[String]| {
            let cells: Vec<_> =
                row.iter().zip(&widths).map(|(cell, width)| format!("{:width$}", plain(cell))).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let rule: Vec<_> = widths.iter().map(|width| "-".repeat(*width)).collect();
        let rows: String = self.rows.iter().map(|row| line(row)).collect();
        format!("{}\n\n{}| {} |\n{rows}", self.title, line(&self.columns), rule.join(" | "))
    }

    fn to_value(&self) -> Value {
        json!({ "title": self.title, "columns": self.columns, "rows": self.rows })
    }
}

impl Evidence {
    pub(crate) fn to_text(&self) -> String {
        let mut text = format!("$ {}\n\n{}\n", self.command, machine::table().to_text());
        for table in &self.tables {
            // Writing to a string cannot fail.
            let _infallible = writeln!(text, "{}", table.to_text());
        }
        match self.missed.as_slice() {
            [] if self.above_floor > 0 => {
                let _infallible =
                    write!(text, "every bar that the floor allows was met; {} above the floor", self.above_floor);
            }
            [] => text.push_str("every bar was met"),
            missed => {
                let _infallible = write!(text, "{} MISSED:", missed.len());
                for line in missed {
                    let _infallible = write!(text, "\n  {}", plain(line));
                }
            }
        }
        text
    }

    pub(crate) fn to_json(&self) -> String {
        let tables: Vec<_> = self.tables.iter().map(Table::to_value).collect();
        let machine = machine::table().to_value();
        json!({ "command": self.command, "machine": machine, "tables": tables, "missed": self.missed,
            "above_floor": self.above_floor })
        .to_string()
    }
}

/// Cells hold what agents printed: nothing that moves a cursor or breaks a table.
fn plain(cell: &str) -> String {
    cell.chars().map(|c| if c.is_control() || c == '|' { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_above_the_floor_is_not_said_to_be_met() {
        let said = |above_floor| Evidence { above_floor, ..Evidence::default() }.to_text();
        assert!(said(0).ends_with("every bar was met"));
        assert!(said(2).ends_with("every bar that the floor allows was met; 2 above the floor"));
        let missed = Evidence { missed: vec!["one".into()], above_floor: 2, ..Evidence::default() };
        assert!(missed.to_text().contains("1 MISSED"));
    }

    #[test]
    fn cells_line_up_and_cannot_break_out_of_the_table() {
        let mut table = Table::new("T", ["a", "bee"]);
        table.row(["one|two\x1b[2J\n", "x"]);
        let text = table.to_text();
        let lines: Vec<_> = text.lines().skip(2).collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines.iter().all(|line| line.chars().count() == lines[0].chars().count()), "{text}");
        assert!(!text.contains('\x1b') && !text.contains("one|two"));
    }
}
