//! Columns of text.

use super::look::Look;
use super::text::one_line;

/// Rows below a header, in columns two blanks apart. Each column is as wide as its widest cell; the last is cut where the
/// line would not fit the terminal, and so are all others that are wider than half of it.
pub(crate) fn grid(header: &[&str], rows: &[Vec<String>], right: &[usize], look: Look) -> String {
    Grid::new(header, right, look).page(rows)
}

/// A grid that comes page by page: the header with the first, and each at least as wide as those before.
pub(crate) struct Grid<'a> {
    header: &'a [&'a str],
    right: &'a [usize],
    look: Look,
    widths: Vec<usize>,
    is_begun: bool,
}

impl<'a> Grid<'a> {
    pub(crate) fn new(header: &'a [&'a str], right: &'a [usize], look: Look) -> Grid<'a> {
        let widths = header.iter().map(|title| title.chars().count()).collect();
        Grid { header, right, look, widths, is_begun: false }
    }

    pub(crate) fn page(&mut self, rows: &[Vec<String>]) -> String {
        let limit = self.look.width.map_or(usize::MAX, |width| width / 2);
        for row in rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count()).min(limit.max(4));
            }
        }
        let mut out = String::new();
        if !self.is_begun {
            let titles: Vec<String> = self.header.iter().map(|&title| title.to_owned()).collect();
            out = self.look.dim(&self.line(&titles)) + "\n";
            self.is_begun = true;
        }
        for row in rows {
            out += &self.line(row);
            out.push('\n');
        }
        out
    }

    fn line(&self, cells: &[String]) -> String {
        let columns = self.header.len();
        let before_last: usize = self.widths.iter().take(columns.saturating_sub(1)).map(|width| width + 2).sum();
        let last = self.look.width.map(|width| width.saturating_sub(before_last).max(8));
        let mut line = String::new();
        for (column, cell) in cells.iter().enumerate() {
            let is_last = column + 1 == columns;
            let width = self.widths[column];
            let cell = one_line(cell, if is_last { last } else { self.look.width.map(|_| width) });
            match (self.right.contains(&column), is_last) {
                (true, _) => line += &format!("{cell:>width$}"),
                (false, true) => line += &cell,
                (false, false) => line += &format!("{cell:<width$}"),
            }
            if !is_last {
                line += "  ";
            }
        }
        line.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_fit() {
        let rows = [vec!["7".into(), "Charge".into(), "a long detail\nof two lines that goes on".into()]];
        let wide = Look { color: false, width: None };
        assert_eq!(
            grid(&["id", "state", "detail"], &rows, &[0], wide),
            "id  state   detail\n 7  Charge  a long detail of two lines that goes on\n"
        );
        let narrow = Look { color: false, width: Some(24) };
        assert_eq!(
            grid(&["id", "state", "detail"], &rows, &[0], narrow),
            "id  state   detail\n 7  Charge  a long deta…\n"
        );
    }

    #[test]
    fn pages_keep_their_columns() {
        let mut all = Grid::new(&["id", "state"], &[], Look { color: false, width: None });
        let row = |id: &str| vec![vec![id.to_owned(), "Charge".to_owned()]];
        let pages = [all.page(&row("longer")), all.page(&row("7")), all.page(&row("longer still"))];
        assert_eq!(pages, ["id      state\nlonger  Charge\n", "7       Charge\n", "longer still  Charge\n"]);
    }
}
