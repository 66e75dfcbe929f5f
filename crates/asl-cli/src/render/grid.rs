//! Columns of text.

use super::look::Look;
use super::text::one_line;

/// Rows below a header, in columns two blanks apart. Each column is as wide as its widest cell; the last is cut where the
/// line would not fit the terminal, and so are all others that are wider than half of it.
pub(crate) fn grid(header: &[&str], rows: &[Vec<String>], right: &[usize], look: Look) -> String {
    let columns = header.len();
    let limit = look.width.map_or(usize::MAX, |width| width / 2);
    let mut widths: Vec<usize> = header.iter().map(|title| title.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count()).min(limit.max(4));
        }
    }
    let before_last: usize = widths.iter().take(columns.saturating_sub(1)).map(|width| width + 2).sum();
    let last = look.width.map(|width| width.saturating_sub(before_last).max(8));
    let line = |cells: &[String]| {
        let mut line = String::new();
        for (column, cell) in cells.iter().enumerate() {
            let is_last = column + 1 == columns;
            let fit = if is_last { last } else { look.width.map(|_| widths[column]) };
            let cell = one_line(cell, fit);
            let width = widths[column];
            match (right.contains(&column), is_last) {
                (true, _) => line += &format!("{cell:>width$}"),
                (false, true) => line += &cell,
                (false, false) => line += &format!("{cell:<width$}"),
            }
            if !is_last {
                line += "  ";
            }
        }
        line.trim_end().to_owned()
    };
    let titles: Vec<String> = header.iter().map(|&title| title.to_owned()).collect();
    let mut out = look.dim(&line(&titles)) + "\n";
    for row in rows {
        out += &line(row);
        out.push('\n');
    }
    out
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
}
