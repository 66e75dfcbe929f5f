//! The simulation: an agenda in virtual time, and what happens at each of its entries.

mod driver;
mod outside;
mod poison;
mod process;
mod writer;

use crate::check;
use crate::store::{Exec, Store};
use crate::world::World;
use crate::{Dice, Sabotage, Scenario};
use asl_core::{Budget, MapRunId, TaskId};
use asl_expr::Timestamp;
pub(crate) use outside::Ask;
use poison::Poison;
use process::Process;
use std::collections::BTreeSet;

/// 2026-01-01T00:00:00Z
const EPOCH_MS: i64 = 1_767_225_600_000;
/// More entries of the agenda than this, or more virtual time, and nothing will ever end.
const MOST_ENTRIES: u64 = 200_000;
const MOST_MS: i64 = 24 * 3_600_000;
/// After this much virtual time nothing goes wrong any more, so that everything has a chance to end.
const STORM_MS: i64 = 60_000;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Nothing.
    Calm,
    /// The process dies after every record, before anything is done about it. The world remembers whom it works for.
    CrashAfterEachRecord,
    /// Everything, as the dice say.
    Storm,
    /// One execution ends every process that goes on with it, until it is set aside; later it is cured, and taken again.
    Poison,
    /// Somebody kills the process again and again for a minute, and no execution is to blame.
    Kills,
}

/// What happened, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Executions, with the children of Distributed Maps.
    pub executions: u64,
    /// Records committed.
    pub records: u64,
    /// Events in all histories.
    pub events: u64,
    /// How often the process died.
    pub crashes: u64,
    /// Commits that the store refused, or of which it did not say how they went.
    pub store_errors: u64,
    /// How often the clock was set.
    pub clock_jumps: u64,
    /// Inputs that had no place: late, or there before.
    pub rejected: u64,
    /// Calls handed out again after a crash.
    pub repeated_calls: u64,
    /// Effects of embedded tasks.
    pub effects: u64,
    /// Answers by task token and stops that were acknowledged.
    pub acknowledged: u64,
    /// How often an execution was set aside.
    pub set_aside: u64,
    /// How often an execution left memory.
    pub evicted: u64,
    /// How often one stayed, for something came at the last moment.
    pub stayed: u64,
    /// Signals that were left in the inbox.
    pub left: u64,
    /// How often another process took over from one that was held.
    pub taken_over: u64,
    /// Writes of such a process that were refused.
    pub fenced: u64,
    /// Executions that a process which drained handed over.
    pub handed_over: u64,
}

impl Stats {
    /// Adds up.
    pub fn add(&mut self, other: &Stats) {
        self.executions += other.executions;
        self.records += other.records;
        self.events += other.events;
        self.crashes += other.crashes;
        self.store_errors += other.store_errors;
        self.clock_jumps += other.clock_jumps;
        self.rejected += other.rejected;
        self.repeated_calls += other.repeated_calls;
        self.effects += other.effects;
        self.acknowledged += other.acknowledged;
        self.set_aside += other.set_aside;
        self.evicted += other.evicted;
        self.stayed += other.stayed;
        self.left += other.left;
        self.taken_over += other.taken_over;
        self.fenced += other.fenced;
        self.handed_over += other.handed_over;
    }
}

/// What came of a simulation.
#[derive(Debug)]
pub struct Report {
    /// What is on disk at the end.
    pub store: Store,
    /// What did not hold; empty when everything did.
    pub broken: Vec<String>,
    /// What happened.
    pub stats: Stats,
    /// What happened, a line each, where it was asked for.
    pub log: Vec<String>,
}

/// Something that is going to happen. At one time in this order, in calm weather: timers before answers, answers before
/// what somebody inside says to somebody inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Entry {
    Restart,
    Jump,
    Crash,
    /// The process is held, and wakes.
    Freeze,
    Thaw,
    /// The process is told to end, and ends.
    Drain,
    DrainOver(u64),
    /// Suspects are tried.
    Try,
    /// A poison is one no more.
    Cure(Exec),
    /// What is set aside is tried again.
    Again(Exec),
    /// A driver looks what there is to do.
    Go(Exec),
    /// A driver's nap is over.
    Wake(Exec),
    /// What has left memory may be due.
    Due(Exec),
    /// A driver leaves memory.
    Leave(Exec),
    /// The process looks into the inbox.
    Poll,
    /// The writer commits what is queued.
    Commit,
    /// The child of a map run is started or followed.
    Begin(Exec, MapRunId, u64),
    /// The child of a map run is stopped.
    Halt(Exec),
    /// Somebody outside asks for something, and wants to hear that it is done.
    Ask(Ask),
    /// The world answers a call.
    Answer(Exec, TaskId, usize),
    /// Items are read, results are written.
    Items(Exec, MapRunId),
    Written(Exec, MapRunId),
    ChildDone(Exec, MapRunId, u64),
}

impl Entry {
    /// Whether it happens whatever becomes of the process.
    fn is_outside(&self) -> bool {
        use Entry::{Ask, Crash, Cure, Drain, Freeze, Jump, Restart, Thaw};
        matches!(self, Restart | Jump | Crash | Freeze | Thaw | Drain | Cure(_) | Ask(_))
    }
}

/// One simulation. [`Sim::run`] is all there is to do with it.
pub struct Sim<'s> {
    pub(crate) scenario: &'s Scenario,
    weather: Weather,
    sabotage: Option<Sabotage>,
    dice: Dice,
    /// True time; milliseconds since [`EPOCH_MS`].
    now_ms: i64,
    /// How far the engine's clock is off.
    skew_ms: i64,
    agenda: BTreeSet<(i64, u64, Entry)>,
    pub(crate) store: Store,
    pub(crate) world: World,
    process: Option<Process>,
    /// A process that is held, and what was going on inside it.
    frozen: Option<(Process, Vec<(i64, Entry)>)>,
    /// The process is held as soon as it wants to write.
    freeze_next: bool,
    /// Processes are numbered, as workers.
    processes: u64,
    /// Drivers that ended with a drain: nothing of theirs was under way.
    handed_over: BTreeSet<u64>,
    /// Executions wait for places in memory.
    pressed: bool,
    /// Drivers are numbered through all processes.
    drivers: u64,
    /// Asked and not answered yet.
    pub(crate) asking: BTreeSet<Ask>,
    pub(crate) acknowledged: BTreeSet<Ask>,
    /// How much may still go wrong.
    trouble: u32,
    /// How often a commit goes wrong, in percent.
    rough: u64,
    /// What a record may cost.
    pub(crate) budget: Budget,
    poison: Option<Poison>,
    pub(crate) broken: Vec<String>,
    stats: Stats,
    log: Option<Vec<String>>,
}

/// What a record may cost, besides steps.
fn budget(steps: u32, seed: u64) -> Budget {
    let mut dice = Dice::seeded(seed ^ 0x0062_7564_6765_7400);
    Budget { steps, work: *dice.pick(&[u64::MAX, 250, 1_000]), bytes: *dice.pick(&[usize::MAX, 400, 1_500]) }
}

impl<'s> Sim<'s> {
    /// A simulation of a scenario; `seed` is for the weather.
    pub fn new(scenario: &'s Scenario, weather: Weather, seed: u64) -> Sim<'s> {
        let mut dice = Dice::seeded(seed);
        let storm = weather == Weather::Storm;
        Sim {
            scenario,
            weather,
            sabotage: None,
            now_ms: 0,
            skew_ms: 0,
            agenda: BTreeSet::new(),
            store: Store::default(),
            world: World::default(),
            process: None,
            frozen: None,
            freeze_next: false,
            processes: 0,
            handed_over: BTreeSet::new(),
            pressed: storm && seed.is_multiple_of(3),
            drivers: 0,
            asking: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
            trouble: if storm { 4 + dice.below(16) as u32 } else { 0 },
            rough: if storm { 2 + dice.below(20) } else { 0 },
            budget: if storm {
                budget(*dice.pick(&[10_000, 1, 3, 8]), seed)
            } else {
                budget(*Dice::seeded(scenario.seed).pick(&[10_000, 2, 7]), scenario.seed)
            },
            poison: (weather == Weather::Poison).then(|| {
                let mut dice = Dice::seeded(seed ^ 0x706f_6973_6f6e);
                let execution = dice.below(scenario.executions.len() as u64) as usize;
                Poison { execution, records: 1 + dice.below(4) as usize, later: dice.percent(50) }
            }),
            broken: Vec::new(),
            stats: Stats::default(),
            log: None,
            dice,
        }
    }

    /// Breaks a rule on purpose.
    pub fn sabotage(mut self, rule: Sabotage) -> Sim<'s> {
        self.sabotage = Some(rule);
        self
    }

    /// Keeps a log.
    pub fn logged(mut self) -> Sim<'s> {
        self.log = Some(Vec::new());
        self
    }

    /// Runs until nothing happens any more, and checks.
    pub fn run(mut self) -> Report {
        self.open_for_business();
        let mut entries = 0;
        while let Some((at, _, entry)) = self.agenda.pop_first() {
            entries += 1;
            self.now_ms = self.now_ms.max(at);
            if entries > MOST_ENTRIES || self.now_ms > MOST_MS {
                self.break_rule(format!("it does not end: {entries} entries, {} ms", self.now_ms));
                break;
            }
            self.happen(entry);
            // Nobody would believe what comes after.
            if !self.broken.is_empty() {
                break;
            }
        }
        check::at_the_end(&mut self);
        let rows = self.store.rows();
        self.stats.executions = rows.len() as u64;
        self.stats.records = rows.iter().map(|row| row.records.len() as u64).sum();
        self.stats.events = rows.iter().map(|row| row.last_event).sum();
        self.stats.effects = self.store.effects.values().sum();
        Report { store: self.store, broken: self.broken, stats: self.stats, log: self.log.unwrap_or_default() }
    }

    fn open_for_business(&mut self) {
        self.plan(0, Entry::Restart);
        for n in 0..self.scenario.executions.len() {
            self.ask_later(n as i64 * 150, Ask::Start(n));
        }
        for (n, at_ms) in self.scenario.stops.clone() {
            self.ask_later(at_ms + 1, Ask::Stop(n));
        }
        if self.weather == Weather::Kills {
            let (mut at, most_ms) = (0, *self.dice.pick(&[20, 200, 2_000]));
            for _ in 0..60 {
                at += self.dice.below(most_ms) as i64;
                self.plan(at, Entry::Crash);
            }
        }
        if self.weather == Weather::Storm {
            for _ in 0..self.dice.below(4) {
                let at = self.dice.below(30_000) as i64;
                self.plan(at, Entry::Crash);
            }
            for _ in 0..self.dice.below(4) {
                let at = self.dice.below(30_000) as i64;
                self.plan(at, Entry::Jump);
            }
            for (most, entry) in [(3, Entry::Drain), (3, Entry::Freeze)] {
                for _ in 0..self.dice.below(most) {
                    let at = self.dice.below(20_000) as i64;
                    self.plan(at, entry);
                }
            }
        }
    }

    fn happen(&mut self, entry: Entry) {
        self.note(|| format!("{entry:?}"));
        match entry {
            Entry::Restart => self.restart(),
            Entry::Jump => self.jump(),
            Entry::Crash => self.crash(),
            Entry::Try => self.try_suspects(),
            Entry::Cure(exec) => self.cure(exec),
            Entry::Again(exec) => self.try_again(exec),
            Entry::Freeze => self.freeze_next = true,
            Entry::Thaw => self.thaw(),
            Entry::Drain => self.drain(),
            Entry::DrainOver(number) => self.drain_over(number),
            Entry::Go(exec) | Entry::Wake(exec) => self.go(exec),
            Entry::Due(exec) => self.due(exec),
            Entry::Leave(exec) => self.leave(exec),
            Entry::Poll => self.poll(),
            Entry::Commit => self.commit(),
            Entry::Begin(exec, run, child) => self.begin(exec, run, child),
            Entry::Halt(exec) => self.halt(exec),
            Entry::Ask(ask) => self.ask(ask),
            Entry::Answer(exec, task, k) => self.answer(exec, task, k),
            Entry::Items(exec, run) => self.items(exec, run),
            Entry::Written(exec, run) => self.written(exec, run),
            Entry::ChildDone(exec, run, child) => self.child_done(exec, run, child),
        }
    }

    /// Something that happens so many milliseconds from now.
    fn plan(&mut self, after_ms: i64, entry: Entry) -> (i64, u64, Entry) {
        // In a storm things of one moment happen in any order.
        let tie = if self.weather == Weather::Storm { self.dice.below(1 << 20) } else { 0 };
        let planned = (self.now_ms + after_ms.max(0), tie, entry);
        self.agenda.insert(planned);
        planned
    }

    /// Something inside the process: at once in calm weather.
    fn soon(&mut self, most_ms: u64, entry: Entry) {
        let after_ms = match self.weather {
            Weather::Storm => self.dice.below(most_ms) as i64,
            // A process has something to do for a while: it is killed in the middle of it.
            Weather::Kills => self.dice.below(10 * most_ms) as i64,
            _ => 0,
        };
        self.plan(after_ms, entry);
    }

    /// The budget that the machines are given.
    fn given(&self) -> Budget {
        if self.has(Sabotage::NoBudget) { Budget::steps(10_000) } else { self.budget }
    }

    /// What the engine's clock says.
    fn clock(&self) -> Timestamp {
        Timestamp::from_millis(EPOCH_MS + self.now_ms + self.skew_ms)
    }

    /// The clock is set, forward or back, by up to two minutes.
    fn jump(&mut self) {
        let by = self.dice.below(240_000) as i64 - 120_000;
        self.skew_ms += by / (1 + self.dice.below(30) as i64);
        self.stats.clock_jumps += 1;
    }

    fn has(&self, rule: Sabotage) -> bool {
        self.sabotage == Some(rule)
    }

    pub(crate) fn break_rule(&mut self, what: String) {
        self.note(|| format!("BROKEN {what}"));
        self.broken.push(what);
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        let now = self.now_ms;
        if let Some(log) = &mut self.log {
            log.push(format!("{now:>7} ms  {}", line()));
        }
    }
}
