//! CSV as RFC 4180 has it, UTF-8; what is not there is an empty field.

use crate::TableKind;
use crate::column::{Cell, Row};
use std::io::{self, Write};
use std::time::{Duration, SystemTime};
use text::csv_field;

/// Writes a table line by line.
pub(crate) struct Csv<W: Write> {
    table: TableKind,
    to: W,
}

impl<W: Write> Csv<W> {
    pub(crate) fn begin(table: TableKind, mut to: W) -> io::Result<Self> {
        let names: Vec<&str> = table.columns().map(|column| column.name).collect();
        writeln!(to, "{}", names.join(","))?;
        Ok(Self { table, to })
    }

    pub(crate) fn row(&mut self, row: Row<'_>) -> io::Result<()> {
        for (place, column) in self.table.columns().enumerate() {
            if place > 0 {
                self.to.write_all(b",")?;
            }
            match (column.read)(row) {
                Cell::Text(text) => self.to.write_all(csv_field(&text).as_bytes())?,
                Cell::Time(micros) => write!(self.to, "{}", written(micros))?,
                Cell::Integer(number) => write!(self.to, "{number}")?,
                Cell::Real(number) => write!(self.to, "{number}")?,
                Cell::Single(number) => write!(self.to, "{number}")?,
                Cell::Nothing => {}
            }
        }
        self.to.write_all(b"\n")
    }

    /// Gives back what it has written to.
    pub(crate) fn end(mut self) -> io::Result<W> {
        self.to.flush()?;
        Ok(self.to)
    }
}

/// Up to the year 9999, which is as far as RFC 3339 goes; nothing beyond.
fn written(micros: i64) -> String {
    const END: u64 = 253_402_300_800_000_000;
    let micros = u64::try_from(micros).ok().filter(|micros| *micros < END);
    let at = micros.map(|micros| SystemTime::UNIX_EPOCH + Duration::from_micros(micros));
    at.map_or_else(String::new, |at| humantime::format_rfc3339_micros(at).to_string())
}
