//! Columns on a terminal: as wide as their widest cell, figures to the right.

/// A table that is filled row by row.
pub(crate) struct Table {
    right: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// The headings; one that begins with `>` aligns its column to the right.
    pub(crate) fn new(headings: &[&str]) -> Self {
        let right = headings.iter().map(|name| name.starts_with('>')).collect();
        let names = headings
            .iter()
            .map(|name| name.trim_start_matches('>').to_owned())
            .collect();
        Self {
            right,
            rows: vec![names],
        }
    }

    /// One more row, a cell for each heading.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The lines, without spaces at their ends.
    pub(crate) fn lines(&self) -> Vec<String> {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.right.len()).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).zip(&self.right);
            let cells: Vec<String> = cells
                .map(|((cell, width), right)| {
                    if *right {
                        format!("{cell:>width$}")
                    } else {
                        format!("{cell:<width$}")
                    }
                })
                .collect();
            cells.join("  ").trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_figures_stand_right() {
        let mut table = Table::new(&["Model", ">On disk", "State"]);
        table.row(vec!["a/b".into(), "5.0 GB".into(), "complete".into()]);
        table.row(vec!["org/longer".into(), "85.5 GB".into(), String::new()]);
        assert_eq!(
            table.lines(),
            [
                "Model       On disk  State",
                "a/b          5.0 GB  complete",
                "org/longer  85.5 GB",
            ]
        );
    }
}
