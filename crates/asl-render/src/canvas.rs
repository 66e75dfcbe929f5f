//! A grid of character cells to draw on: boxes, lines that join or cross, text.

use crate::label::char_width;
use crate::model::{Point, Rect};
use std::collections::BTreeMap;
use std::fmt::Write;

const UP: u8 = 1;
const RIGHT: u8 = 2;
const DOWN: u8 = 4;
const LEFT: u8 = 8;

/// How something is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ink {
    /// A line that was gone along.
    pub(crate) heavy: bool,
    /// The line of a Catch.
    pub(crate) dashed: bool,
    /// The parameters of an ANSI colour sequence; empty for the terminal's own.
    pub(crate) colour: &'static str,
}

#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    /// Text; it lies over lines.
    text: Option<char>,
    /// The arms of lines that turn or end here.
    turning: u8,
    /// The arms of lines that pass straight.
    passing: u8,
    /// The arms of heavy lines.
    heavy: u8,
    /// The arms of lines that are not dashed.
    solid: u8,
    /// The right half of the wide character before.
    covered: bool,
    colour: &'static str,
}

/// The grid.
pub(crate) struct Canvas {
    width: usize,
    cells: Vec<Cell>,
    /// What is written over a character: accents and the like.
    marks: BTreeMap<usize, String>,
    unicode: bool,
}

impl Canvas {
    pub(crate) fn new(width: usize, height: usize, unicode: bool) -> Canvas {
        Canvas { width, cells: vec![Cell::default(); width * height], marks: BTreeMap::new(), unicode }
    }

    fn index(&self, at: Point) -> Option<usize> {
        let (x, y) = (usize::try_from(at.x).ok()?, usize::try_from(at.y).ok()?);
        let index = y.checked_mul(self.width)?.checked_add(x)?;
        (x < self.width && index < self.cells.len()).then_some(index)
    }

    /// Writes a text from `at` to the right.
    pub(crate) fn write(&mut self, at: Point, text: &str, ink: Ink) {
        let mut x = at.x;
        for c in text.chars() {
            let wide = char_width(c) as i32;
            if wide == 0 {
                if let Some(index) = self.index(Point::new(x - 1, at.y)) {
                    self.marks.entry(index).or_default().push(c);
                }
                continue;
            }
            for step in 0..wide {
                if let Some(index) = self.index(Point::new(x + step, at.y)) {
                    let cell = &mut self.cells[index];
                    cell.text = Some(c);
                    cell.covered = step > 0;
                    cell.colour = ink.colour;
                }
            }
            x += wide;
        }
    }

    /// Draws a box; `round` ones have rounded corners.
    pub(crate) fn rect(&mut self, rect: Rect, round: bool, ink: Ink) {
        let corners = [
            Point::new(rect.x, rect.y),
            Point::new(rect.right(), rect.y),
            Point::new(rect.right(), rect.bottom()),
            Point::new(rect.x, rect.bottom()),
        ];
        self.line(&[corners[0], corners[1], corners[2], corners[3], corners[0]], ink);
        for (i, (at, c)) in corners.into_iter().zip(['╭', '╮', '╯', '╰']).enumerate() {
            if let Some(index) = self.index(at) {
                self.cells[index].turning |= [RIGHT | DOWN, DOWN | LEFT, LEFT | UP, UP | RIGHT][i];
            }
            if round && self.unicode {
                self.write(at, c.encode_utf8(&mut [0; 4]), ink);
            }
        }
    }

    /// Draws a line along its corners.
    pub(crate) fn line(&mut self, points: &[Point], ink: Ink) {
        let mut before = 0;
        for (i, pair) in points.windows(2).enumerate() {
            let (from, to) = (pair[0], pair[1]);
            let (forth, back) = arms(from, to);
            let (dx, dy) = ((to.x - from.x).signum(), (to.y - from.y).signum());
            self.arm(from, before | forth, i > 0 && before == back, ink);
            let mut at = Point::new(from.x + dx, from.y + dy);
            while at != to {
                self.arm(at, forth | back, true, ink);
                at = Point::new(at.x + dx, at.y + dy);
            }
            before = back;
        }
        if let Some(end) = points.last() {
            self.arm(*end, before, false, ink);
        }
    }

    /// Draws an arrow: a line whose last cell before the end is a head. The end is another's border and stays as it is.
    pub(crate) fn arrow(&mut self, points: &[Point], ink: Ink) {
        let [.., before, end] = *points else { return };
        let (forth, _) = arms(before, end);
        let head_at = Point::new(end.x - (end.x - before.x).signum(), end.y - (end.y - before.y).signum());
        let mut line = points.to_vec();
        if let Some(last) = line.last_mut() {
            *last = head_at;
        }
        self.line(&line, ink);
        let head = match (forth, self.unicode) {
            (UP, true) => "▲",
            (RIGHT, true) => "▶",
            (DOWN, true) => "▼",
            (_, true) => "◀",
            (UP, false) => "^",
            (RIGHT, false) => ">",
            (DOWN, false) => "v",
            (_, false) => "<",
        };
        self.write(head_at, head, ink);
    }

    fn arm(&mut self, at: Point, arms: u8, passes: bool, ink: Ink) {
        let Some(index) = self.index(at) else { return };
        let cell = &mut self.cells[index];
        let straight = passes && (arms == UP | DOWN || arms == LEFT | RIGHT);
        if straight {
            cell.passing |= arms;
        } else {
            cell.turning |= arms;
        }
        cell.heavy |= if ink.heavy { arms } else { 0 };
        cell.solid |= if ink.dashed { 0 } else { arms };
        cell.colour = ink.colour;
    }

    /// The rows as text, without blanks at their ends.
    pub(crate) fn finish(&self, colour: bool) -> String {
        let mut out = String::new();
        for row in 0..self.cells.len().checked_div(self.width).unwrap_or(0) {
            let cells = &self.cells[row * self.width..(row + 1) * self.width];
            let used = cells
                .iter()
                .rposition(|c| c.text.map_or(c.passing | c.turning != 0, |t| t != ' '))
                .map_or(0, |i| i + 1);
            let mut current = "";
            for (i, cell) in cells[..used].iter().enumerate().filter(|(_, c)| !c.covered) {
                let c = cell.text.unwrap_or_else(|| glyph(cell, self.unicode));
                if colour && c != ' ' && cell.colour != current {
                    // Writing into a String cannot fail.
                    let _ = match cell.colour {
                        "" => write!(out, "\x1b[0m"),
                        new => write!(out, "\x1b[0;{new}m"),
                    };
                    current = cell.colour;
                }
                out.push(c);
                out.push_str(self.marks.get(&(row * self.width + i)).map_or("", String::as_str));
            }
            if !current.is_empty() {
                out.push_str("\x1b[0m");
            }
            out.push('\n');
        }
        out
    }
}

/// The arm that leaves `from` towards `to`, and the one that reaches `to`.
fn arms(from: Point, to: Point) -> (u8, u8) {
    match ((to.x - from.x).signum(), (to.y - from.y).signum()) {
        (1, _) => (RIGHT, LEFT),
        (-1, _) => (LEFT, RIGHT),
        (_, 1) => (DOWN, UP),
        (_, -1) => (UP, DOWN),
        _ => (0, 0),
    }
}

fn glyph(cell: &Cell, unicode: bool) -> char {
    let crossing = cell.turning == 0 && cell.passing == UP | RIGHT | DOWN | LEFT;
    // Where lines cross without meeting, the upright one is in front.
    let arms = if crossing { UP | DOWN } else { cell.turning | cell.passing };
    let heavy = (cell.heavy & arms).count_ones() >= 2 || (arms.count_ones() == 1 && cell.heavy & arms != 0);
    let dashed = cell.solid & arms == 0;
    let upright = arms & (LEFT | RIGHT) == 0;
    let level = arms & (UP | DOWN) == 0;
    match (unicode, arms) {
        (_, 0) => ' ',
        (false, _) if heavy => '#',
        (false, _) if upright => {
            if dashed {
                ':'
            } else {
                '|'
            }
        }
        (false, _) if level => {
            if dashed {
                '.'
            } else {
                '-'
            }
        }
        (false, _) => '+',
        _ if upright => [['│', '┆'], ['┃', '┇']][usize::from(heavy)][usize::from(dashed)],
        _ if level => [['─', '┄'], ['━', '┅']][usize::from(heavy)][usize::from(dashed)],
        _ => {
            let weight = |arm: u8| usize::from(arms & arm != 0) + usize::from(arms & cell.heavy & arm != 0);
            let index = weight(UP) + 3 * weight(RIGHT) + 9 * weight(DOWN) + 27 * weight(LEFT);
            JOINTS.chars().nth(index).unwrap_or('┼')
        }
    }
}

/// By what each arm is, nothing, light or heavy (0, 1, 2): up + 3 right + 9 down + 27 left.
const JOINTS: &str = " │┃─└┖━┕┗││╿┌├┞┍┝┡┃╽┃┎┟┠┏┢┣\
    ─┘┚─┴┸╼┶┺┐┤┦┬┼╀┮┾╄┒┧┨┰╁╂┲╆╊\
    ━┙┛╾┵┹━┷┻┑┥┩┭┽╃┯┿╇┓┪┫┱╅╉┳╈╋";

#[cfg(test)]
mod tests {
    use super::*;

    /// Every joint has the arms its place in the table says.
    #[test]
    fn joints() {
        let expected = [
            (UP | RIGHT, '└', '┗'),
            (RIGHT | DOWN, '┌', '┏'),
            (DOWN | LEFT, '┐', '┓'),
            (LEFT | UP, '┘', '┛'),
            (UP | RIGHT | DOWN, '├', '┣'),
            (RIGHT | DOWN | LEFT, '┬', '┳'),
            (DOWN | LEFT | UP, '┤', '┫'),
            (LEFT | UP | RIGHT, '┴', '┻'),
            (UP | RIGHT | DOWN | LEFT, '┼', '╋'),
        ];
        for (arms, light, heavy) in expected {
            let cell = |heavy| Cell { turning: arms, solid: arms, heavy, ..Cell::default() };
            assert_eq!(glyph(&cell(0), true), light, "{arms}");
            assert_eq!(glyph(&cell(arms), true), heavy, "{arms}");
        }
        let fork = Cell { turning: UP | RIGHT | LEFT, heavy: UP | RIGHT, ..Cell::default() };
        assert_eq!(glyph(&fork, true), '┺');
        assert_eq!(JOINTS.chars().count(), 81);
    }
}
