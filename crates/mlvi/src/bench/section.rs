//! A part of a report: for the terminal, as Markdown, as JSON, and its plots.

use cli::plot::Chart;
use cli::table::Table;
use serde_json::Value;
use std::path::Path;

/// A part of a report.
pub(super) struct Section {
    /// Its name in the JSON, e.g. `latency`.
    pub(super) key: String,
    title: String,
    blocks: Vec<Block>,
    /// Everything that was measured.
    pub(super) data: Value,
    charts: Vec<(String, Chart)>,
}

enum Block {
    Paragraph(String),
    /// A line each.
    List(Vec<String>),
    Grid(Grid),
}

/// A table; the first column is what a row is about.
pub(super) struct Grid {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Grid {
    pub(super) fn new(header: &[&str]) -> Self {
        Self { header: header.iter().map(|cell| (*cell).to_owned()).collect(), rows: Vec::new() }
    }

    /// One row more, with as many cells as the header.
    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    fn text(&self) -> String {
        let header: Vec<&str> = self.header.iter().map(String::as_str).collect();
        let mut table = Table::new(&header);
        self.rows.iter().for_each(|row| table.row(row.clone()));
        table.text()
    }

    fn markdown(&self) -> String {
        let line = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let rule = "|---|".to_owned() + &"---:|".repeat(self.header.len().saturating_sub(1)) + "\n";
        let rows: String = self.rows.iter().map(|row| line(row)).collect();
        line(&self.header) + &rule + &rows
    }
}

impl Section {
    pub(super) fn new(key: &str, title: &str, data: Value) -> Self {
        let (key, title) = (key.into(), title.into());
        Self { key, title, blocks: Vec::new(), data, charts: Vec::new() }
    }

    pub(super) fn paragraph(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Paragraph(text.into()));
    }

    /// A line each; nothing without a line.
    pub(super) fn list(&mut self, lines: Vec<String>) {
        if !lines.is_empty() {
            self.blocks.push(Block::List(lines));
        }
    }

    pub(super) fn grid(&mut self, grid: Grid) {
        self.blocks.push(Block::Grid(grid));
    }

    /// `name` is its file's, without the extension.
    pub(super) fn chart(&mut self, name: &str, chart: Chart) {
        self.charts.push((name.into(), chart));
    }

    /// For the terminal.
    pub(super) fn text(&self) -> String {
        let blocks = self.blocks.iter().map(|block| match block {
            Block::Paragraph(text) => format!("{text}\n"),
            Block::List(lines) => bullets(lines),
            Block::Grid(grid) => grid.text(),
        });
        format!("{}\n\n{}", self.title, blocks.collect::<Vec<_>>().join("\n"))
    }

    /// With a heading, and its plots by their files' names.
    pub(super) fn markdown(&self) -> String {
        let heading = format!("## {}\n", self.title);
        let blocks = self.blocks.iter().map(|block| match block {
            Block::Paragraph(text) => format!("{text}\n"),
            Block::List(lines) => bullets(lines),
            Block::Grid(grid) => grid.markdown(),
        });
        let plots =
            self.charts.iter().map(|(name, chart)| format!("![{}]({name}.svg)\n", chart.title));
        std::iter::once(heading).chain(blocks).chain(plots).collect::<Vec<_>>().join("\n")
    }

    /// Draws its plots into a folder.
    ///
    /// # Errors
    /// When one cannot be written.
    pub(super) fn write_charts(&self, dir: &Path) -> anyhow::Result<()> {
        self.charts.iter().try_for_each(|(name, chart)| cli::plot::write_svg(chart, dir, name))
    }
}

fn bullets(lines: &[String]) -> String {
    lines.iter().map(|line| format!("- {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_section_reads_the_same_everywhere() {
        let mut section = Section::new("memory", "Memory", json!({ "mb": 12 }));
        section.paragraph("Resident memory.");
        let mut grid = Grid::new(&["unit", "MB"]);
        grid.row(vec!["a|b".into(), "12".into()]);
        section.grid(grid);
        section.list(vec![]);
        section.list(vec!["one".into(), "two".into()]);
        let wanted = "Memory\n\nResident memory.\n\nunit  MB\na|b   12\n\n- one\n- two\n";
        assert_eq!(section.text(), wanted);
        let wanted = "## Memory\n\nResident memory.\n\n| unit | MB |\n|---|---:|\n| a\\|b | 12 |\n\n\
                      - one\n- two\n";
        assert_eq!(section.markdown(), wanted);
    }
}
