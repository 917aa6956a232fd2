//! Tables of text.

/// Columns side by side: the first one to the left, all others to the right.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// With these words above.
    #[must_use]
    pub fn new(header: &[&str]) -> Self {
        Self { rows: vec![header.iter().map(|cell| (*cell).to_owned()).collect()] }
    }

    /// One row more, with as many cells as the header.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// With a line break after each row.
    #[must_use]
    pub fn text(&self) -> String {
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
        };
        let widths: Vec<usize> = (0..self.rows[0].len()).filter_map(width).collect();
        let line = |row: &Vec<String>| {
            let cells =
                row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
                    0 => format!("{cell:<width$}"),
                    _ => format!("{cell:>width$}"),
                });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
        };
        self.rows.iter().map(line).collect()
    }
}

/// A number with so many digits that it can be read and compared.
#[must_use]
pub fn number(value: f64) -> String {
    match value.abs() {
        _ if value == 0.0 => "0".into(),
        size if size >= 1000.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let mut table = Table::new(&["who", "ms"]);
        table.row(vec!["oracle ×".into(), "7".into()]);
        table.row(vec!["edge".into(), "1234".into()]);
        assert_eq!(table.text(), "who         ms\noracle ×     7\nedge      1234\n");
    }

    #[test]
    fn numbers_keep_what_tells_them_apart() {
        assert_eq!(
            [0.0, 0.00412, 0.5, 12.34, 1234.5].map(number),
            ["0", "0.0041", "0.50", "12.3", "1234"]
        );
    }
}
