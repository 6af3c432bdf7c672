//! Columns on a terminal: as wide as their widest cell, figures to the right.

/// Between two columns.
const GAP: &str = "  ";
/// No cell is made shorter: it would say nothing.
const SHORTEST_CELL: usize = 12;

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

    /// Shortens the cells of a column, in their middles, so that the lines fit into so many columns of a terminal.
    pub(crate) fn fit(&mut self, column: usize, columns: usize) {
        let widths = self.widths();
        let others: usize = widths.iter().sum::<usize>() - widths[column];
        let gaps = GAP.len() * (widths.len() - 1);
        let room = columns.saturating_sub(others + gaps).max(SHORTEST_CELL);
        for row in &mut self.rows {
            row[column] = shortened(&row[column], room);
        }
    }

    fn widths(&self) -> Vec<usize> {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        (0..self.right.len()).map(width).collect()
    }

    /// The lines, without spaces at their ends.
    pub(crate) fn lines(&self) -> Vec<String> {
        let widths = self.widths();
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
            cells.join(GAP).trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }
}

/// The text in at most so many characters: its beginning and its end, which for a model names the quantisation.
fn shortened(text: &str, room: usize) -> String {
    let length = text.chars().count();
    if length <= room {
        return text.to_owned();
    }
    let end = (room - 1) / 2;
    let begin = room - 1 - end;
    let letters = text.chars();
    letters
        .clone()
        .take(begin)
        .chain(['…'])
        .chain(letters.skip(length - end))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_shortened_in_its_middle_so_that_the_line_fits() {
        let mut table = Table::new(&["Model", ">On disk"]);
        table.row(vec!["a/b".into(), "5.0 GB".into()]);
        table.row(vec![
            "Qwen/Qwen3-235B-A22B-GGUF:Q4_K_M".into(),
            "142.3 GB".into(),
        ]);
        let whole = table.lines();
        table.fit(0, 80);
        assert_eq!(table.lines(), whole);
        table.fit(0, 30);
        assert_eq!(
            table.lines(),
            [
                "Model                  On disk",
                "a/b                     5.0 GB",
                "Qwen/Qwen3…UF:Q4_K_M  142.3 GB",
            ]
        );
        table.fit(0, 5);
        assert_eq!(table.lines()[2], "Qwen/Q…4_K_M  142.3 GB");
    }

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
