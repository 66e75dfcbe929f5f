//! Figures, each with the ceiling it is measured against, as a table and as JSON.

use crate::measure::middle;
use serde_json::{Value, json};

/// Which way is better.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Better {
    Higher,
    Lower,
}

/// What a figure has to reach: of itself, or of its ratio to the ceiling.
#[derive(Clone, Copy)]
pub(crate) struct Goal {
    pub(crate) at_least: f64,
    pub(crate) aim: f64,
    pub(crate) of_ratio: bool,
}

/// One measured figure.
#[derive(Clone)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) better: Better,
    /// What the machine can do at best, in the same unit, and how that was found.
    pub(crate) ceiling: Option<(f64, &'static str)>,
    pub(crate) goal: Option<Goal>,
}

impl Figure {
    pub(crate) fn higher(name: impl Into<String>, value: f64, unit: &'static str) -> Figure {
        Figure { name: name.into(), value, unit, better: Better::Higher, ceiling: None, goal: None }
    }

    pub(crate) fn lower(name: impl Into<String>, value: f64, unit: &'static str) -> Figure {
        Figure { better: Better::Lower, ..Figure::higher(name, value, unit) }
    }

    pub(crate) fn ceiling(self, value: f64, what: &'static str) -> Figure {
        Figure { ceiling: Some((value, what)), ..self }
    }

    /// The figure and its ceiling, both as they were in the round whose ratio is in the middle.
    pub(crate) fn beside(self, rounds: impl IntoIterator<Item = (f64, f64)>, what: &'static str) -> Figure {
        let (value, ceiling) = middle(rounds);
        Figure { value, ..self }.ceiling(ceiling, what)
    }

    /// The figure itself is to reach this.
    pub(crate) fn goal(self, at_least: f64, aim: f64) -> Figure {
        Figure { goal: Some(Goal { at_least, aim, of_ratio: false }), ..self }
    }

    /// The figure divided by its ceiling is to reach this.
    pub(crate) fn ratio_goal(self, at_least: f64, aim: f64) -> Figure {
        Figure { goal: Some(Goal { at_least, aim, of_ratio: true }), ..self }
    }

    /// The figure divided by its ceiling.
    fn ratio(&self) -> Option<f64> {
        self.ceiling.map(|(ceiling, _)| self.value / ceiling)
    }

    fn verdict(&self) -> &'static str {
        let Some(goal) = self.goal else { return "" };
        let reached = if goal.of_ratio { self.ratio().unwrap_or(f64::NAN) } else { self.value };
        let meets = |bound: f64| match self.better {
            Better::Higher => reached >= bound,
            Better::Lower => reached <= bound,
        };
        if meets(goal.aim) {
            "aim"
        } else if meets(goal.at_least) {
            "goal"
        } else {
            "MISSED"
        }
    }

    fn row(&self) -> [String; 6] {
        let (ceiling, what) = self.ceiling.map_or((String::new(), ""), |(value, what)| (short(value), what));
        let ratio = self.ratio().map_or(String::new(), |r| format!("{r:.2}"));
        let goal = self.goal.map_or(String::new(), |g| format!("{} / {}", short(g.at_least), short(g.aim)));
        let verdict = format!("{:6} {what}", self.verdict()).trim_end().to_owned();
        [self.name.clone(), format!("{} {}", short(self.value), self.unit), ceiling, ratio, goal, verdict]
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name, "value": self.value, "unit": self.unit,
            "ceiling": self.ceiling.map(|(value, _)| value), "ceiling_is": self.ceiling.map(|(_, what)| what),
            "ratio": self.ratio(),
            "goal": self.goal.map(|g| json!({"at_least": g.at_least, "aim": g.aim, "of_ratio": g.of_ratio})),
            "reached": self.verdict(),
        })
    }
}

/// A number with three or four digits that count.
fn short(value: f64) -> String {
    let (scaled, suffix) = match value.abs() {
        v if v >= 1e7 => (value / 1e6, " M"),
        v if v >= 1e4 => (value / 1e3, " k"),
        _ => (value, ""),
    };
    let digits = match scaled.abs() {
        v if v >= 100.0 || v == v.trunc() => 0,
        v if v >= 10.0 => 1,
        _ => 2,
    };
    format!("{scaled:.digits$}{suffix}")
}

/// The table: name, figure, ceiling, ratio, goal, what was reached and what the ceiling is.
pub(crate) fn table(figures: &[Figure]) -> String {
    let head = ["figure", "measured", "ceiling", "ratio", "least / aim", "reached, ceiling"].map(str::to_owned);
    let rows: Vec<[String; 6]> = std::iter::once(head).chain(figures.iter().map(Figure::row)).collect();
    let width = |column: usize| rows.iter().map(|r| r[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    let line = |row: &[String; 6]| {
        let [a, b, c, d, e, rest] = row;
        let [wa, wb, wc, wd, we] = widths;
        format!("{a:wa$}  {b:>wb$}  {c:>wc$}  {d:>wd$}  {e:>we$}  {rest}").trim_end().to_owned()
    };
    rows.iter().map(|row| line(row) + "\n").collect()
}

/// The same as JSON: what was measured, on what machine.
pub(crate) fn json(figures: &[Figure], machine: &str) -> Value {
    json!({"machine": machine, "figures": figures.iter().map(Figure::json).collect::<Vec<_>>()})
}
