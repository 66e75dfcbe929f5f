//! Tracks: between two layers every line that goes sideways gets a row in which nothing else is where it is.

use std::collections::{BTreeMap, BTreeSet};

/// A line between two layers that joins some columns above with some below: one to many, or many to one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Net {
    pub(crate) tops: Vec<i32>,
    pub(crate) bottoms: Vec<i32>,
}

impl Net {
    fn lo(&self) -> i32 {
        self.tops.iter().chain(&self.bottoms).copied().min().unwrap_or(0)
    }

    fn hi(&self) -> i32 {
        self.tops.iter().chain(&self.bottoms).copied().max().unwrap_or(0)
    }

    /// Of two lines to the right the one that starts further right goes above, and mirrored: so they do not cross.
    fn preference(&self) -> i32 {
        let mean = |list: &[i32]| list.iter().sum::<i32>() / (list.len() as i32).max(1);
        let (top, bottom) = (mean(&self.tops), mean(&self.bottoms));
        if bottom > top { -top } else { top }
    }
}

/// How a net gets from its columns above to those below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Straight down.
    Down,
    /// Sideways in one track.
    Track(usize),
    /// Sideways in `first` to `column`, and from there in `second`: two lines that change places cannot do with one.
    Detour { first: usize, column: i32, second: usize },
}

/// Gives each net its way; returns how many tracks there are.
pub(crate) fn tracks(nets: &[Net]) -> (Vec<Way>, usize) {
    let mut router = Router::new(nets);
    router.place_all();
    let ways = (0..nets.len()).map(|i| router.way(i)).collect();
    (ways, router.rows.len())
}

struct Router {
    nets: Vec<Net>,
    /// The nets that must be below each net.
    below: Vec<Vec<usize>>,
    waits_for: Vec<usize>,
    /// The lowest track each net may have by those above it.
    at_least: Vec<usize>,
    track: Vec<Option<usize>>,
    /// For nets in two parts, the column between them and the index of the second.
    split: BTreeMap<usize, (i32, usize)>,
    /// What is taken in each track.
    rows: Vec<Vec<(i32, i32)>>,
}

impl Router {
    fn new(nets: &[Net]) -> Router {
        let count = nets.len();
        let mut router = Router {
            nets: nets.to_vec(),
            below: vec![Vec::new(); count],
            waits_for: vec![0; count],
            at_least: vec![0; count],
            track: vec![None; count],
            split: BTreeMap::new(),
            rows: Vec::new(),
        };
        let mut ending: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
        for (i, net) in nets.iter().enumerate() {
            net.bottoms.iter().for_each(|x| ending.entry(*x).or_default().push(i));
        }
        // A line that comes down in a column must have turned off before another one takes that column.
        for (above, net) in nets.iter().enumerate() {
            for x in net.tops.iter().filter(|x| !net.bottoms.contains(x)) {
                for &below in ending.get(x).into_iter().flatten().filter(|b| **b != above) {
                    router.constrain(above, below);
                }
            }
        }
        // Where lines meet, one that ends there goes below one that passes, so it does not look as if it went on.
        for (x, meeting) in &ending {
            for &above in meeting.iter().filter(|a| nets[**a].lo() < *x && *x < nets[**a].hi()) {
                for &below in meeting.iter().filter(|b| nets[**b].lo() == *x || nets[**b].hi() == *x) {
                    router.constrain(above, below);
                }
            }
        }
        router
    }

    fn constrain(&mut self, above: usize, below: usize) {
        self.below[above].push(below);
        self.waits_for[below] += 1;
    }

    fn place_all(&mut self) {
        let mut ready: BTreeSet<(i32, usize)> = BTreeSet::new();
        let mut waiting: BTreeSet<usize> = BTreeSet::new();
        for (i, net) in self.nets.iter().enumerate() {
            if self.waits_for[i] == 0 {
                ready.insert((net.preference(), i));
            } else {
                waiting.insert(i);
            }
        }
        loop {
            let next = match ready.pop_first() {
                Some((_, next)) => next,
                // All that is left waits in circles.
                None => match waiting.pop_first() {
                    Some(next) => {
                        waiting.insert(self.halve(next));
                        next
                    }
                    None => return,
                },
            };
            let track = self.place(next);
            for below in std::mem::take(&mut self.below[next]) {
                let below = self.split.get(&below).map_or(below, |(_, second)| *second);
                if let Some(track) = track {
                    self.at_least[below] = self.at_least[below].max(track + 1);
                }
                self.waits_for[below] = self.waits_for[below].saturating_sub(1);
                if self.waits_for[below] == 0 && waiting.remove(&below) {
                    ready.insert((self.nets[below].preference(), below));
                }
            }
        }
    }

    /// Splits a net at a column that nobody uses: its first part waits for nothing, its second holds up nothing.
    fn halve(&mut self, net: usize) -> usize {
        let used: BTreeSet<i32> = self.nets.iter().flat_map(|n| n.tops.iter().chain(&n.bottoms)).copied().collect();
        let from = self.nets[net].tops.first().copied().unwrap_or(0);
        let column = (1..).flat_map(|d| [from + d, from - d]).find(|x| *x >= 0 && !used.contains(x)).unwrap_or(from);
        let bottoms = std::mem::replace(&mut self.nets[net].bottoms, vec![column]);
        let second = self.nets.len();
        self.nets.push(Net { tops: vec![column], bottoms });
        self.below.push(Vec::new());
        self.waits_for.push(self.waits_for[net].max(1));
        self.at_least.push(self.at_least[net]);
        self.at_least[net] = 0;
        self.track.push(None);
        self.split.insert(net, (column, second));
        // The second part comes after the first.
        self.below[net].push(second);
        self.waits_for[second] += 1;
        second
    }

    /// Puts a net into the first track from its lowest on where it is alone.
    fn place(&mut self, net: usize) -> Option<usize> {
        let (lo, hi) = (self.nets[net].lo(), self.nets[net].hi());
        if lo == hi {
            return None;
        }
        let free = |row: &Vec<(i32, i32)>| row.iter().all(|(l, h)| hi + 1 < *l || *h + 1 < lo);
        let from = self.at_least[net];
        let found = (from..self.rows.len()).find(|t| free(&self.rows[*t]));
        let track = found.unwrap_or(self.rows.len().max(from));
        self.rows.resize(self.rows.len().max(track + 1), Vec::new());
        self.rows[track].push((lo, hi));
        self.track[net] = Some(track);
        Some(track)
    }

    fn way(&self, net: usize) -> Way {
        match (self.track[net], self.split.get(&net)) {
            (Some(first), Some((column, second))) => match self.track[*second] {
                Some(second) => Way::Detour { first, column: *column, second },
                None => Way::Track(first),
            },
            (Some(track), None) => Way::Track(track),
            (None, _) => Way::Down,
        }
    }
}
