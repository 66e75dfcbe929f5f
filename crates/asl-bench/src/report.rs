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

/// What a figure is shown beside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    /// The best the machine can do: a figure that is better than it was measured in another moment.
    Ceiling,
    /// Another figure, which is no bound: any ratio may be.
    Figure,
}

/// One measured figure.
#[derive(Clone)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) better: Better,
    /// What it is measured against, in the same unit, how that was found, and what it means.
    ceiling: Option<(f64, &'static str, Beside)>,
    pub(crate) goal: Option<Goal>,
}

impl Figure {
    pub(crate) fn higher(name: impl Into<String>, value: f64, unit: &'static str) -> Figure {
        Figure { name: name.into(), value, unit, better: Better::Higher, ceiling: None, goal: None }
    }

    pub(crate) fn lower(name: impl Into<String>, value: f64, unit: &'static str) -> Figure {
        Figure { better: Better::Lower, ..Figure::higher(name, value, unit) }
    }

    /// Beside a ceiling that was measured once.
    pub(crate) fn ceiling(self, value: f64, what: &'static str) -> Figure {
        Figure { ceiling: Some((value, what, Beside::Ceiling)), ..self }
    }

    /// The figure and its ceiling, both as they were in the round whose ratio is in the middle. A round in which the figure
    /// is better than its ceiling does not count when there are others: the ceiling was kept from its work there.
    pub(crate) fn under(self, rounds: impl IntoIterator<Item = (f64, f64)>, what: &'static str) -> Figure {
        let rounds: Vec<(f64, f64)> = rounds.into_iter().collect();
        let sound: Vec<(f64, f64)> =
            rounds.iter().copied().filter(|(value, ceiling)| !self.beats(value / ceiling)).collect();
        let (value, ceiling) = middle(if sound.is_empty() { rounds } else { sound });
        Figure { value, ..self }.ceiling(ceiling, what)
    }

    /// The figure and another that is no bound to it, both as they were in the round whose ratio is in the middle.
    pub(crate) fn beside(self, rounds: impl IntoIterator<Item = (f64, f64)>, what: &'static str) -> Figure {
        let (value, other) = middle(rounds);
        Figure { value, ceiling: Some((other, what, Beside::Figure)), ..self }
    }

    /// True when that ratio to the ceiling is more than can be.
    fn beats(&self, ratio: f64) -> bool {
        match self.better {
            Better::Higher => ratio > 1.0,
            Better::Lower => ratio < 1.0,
        }
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
        self.ceiling.map(|(ceiling, ..)| self.value / ceiling)
    }

    fn verdict(&self) -> &'static str {
        let Some(goal) = self.goal else { return "" };
        // The machine was too busy to tell.
        let measured_apart =
            matches!((self.ceiling, self.ratio()), (Some((.., Beside::Ceiling)), Some(r)) if self.beats(r));
        if goal.of_ratio && measured_apart {
            return "noise";
        }
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
        let (ceiling, what) = self.ceiling.map_or((String::new(), ""), |(value, what, _)| (short(value), what));
        let ratio = self.ratio().map_or(String::new(), |r| format!("{r:.2}"));
        let goal = self.goal.map_or(String::new(), |g| format!("{} / {}", short(g.at_least), short(g.aim)));
        let verdict = format!("{:6} {what}", self.verdict()).trim_end().to_owned();
        [self.name.clone(), format!("{} {}", short(self.value), self.unit), ceiling, ratio, goal, verdict]
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name, "value": self.value, "unit": self.unit,
            "ceiling": self.ceiling.map(|(value, ..)| value), "ceiling_is": self.ceiling.map(|(_, what, _)| what),
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

/// The same as JSON: what was measured, on what machine, and how busy that was before (a load average).
pub(crate) fn json(figures: &[Figure], machine: &str, load: Option<f64>) -> Value {
    json!({"machine": machine, "load": load, "figures": figures.iter().map(Figure::json).collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(rounds: &[(f64, f64)]) -> Figure {
        Figure::higher("append", 0.0, "/s").under(rounds.iter().copied(), "raw").ratio_goal(0.6, 0.8)
    }

    #[test]
    fn a_round_that_beats_its_ceiling_does_not_count() {
        let figure = append(&[(70.0, 10.0), (70.0, 100.0), (65.0, 100.0), (90.0, 20.0), (75.0, 100.0)]);
        assert_eq!((figure.value, figure.ratio(), figure.verdict()), (70.0, Some(0.7), "goal"));
    }

    #[test]
    fn nothing_is_reached_by_a_ceiling_that_was_kept_from_its_work() {
        assert_eq!(append(&[(70.0, 10.0), (80.0, 20.0)]).verdict(), "noise");
        let starts = Figure::higher("starts", 0.0, "/s").beside([(70.0, 10.0)], "1 in flight").ratio_goal(5.0, 20.0);
        assert_eq!(starts.verdict(), "goal");
    }
}
