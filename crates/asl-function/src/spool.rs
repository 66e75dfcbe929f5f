//! A bounded queue and a thread in front of whatever may be slow to take things: a terminal, a pipe, an embedder's log.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// What a [`Spool`] hands out, in the order of its coming.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spooled<T> {
    /// One thing that was put in.
    Item(T),
    /// At this place so many were dropped, because the queue was full.
    Dropped(u64),
}

/// Hands things to a function on a thread of its own. To put something in never waits: what finds no room is dropped and
/// counted. The thread is started by the first thing, and ends when the spool is dropped and the rest is handed out.
pub struct Spool<T> {
    shared: Arc<Shared<T>>,
}

type Taker<T> = Box<dyn FnMut(Vec<Spooled<T>>) + Send>;

/// How things are gathered before they are handed out: one wake-up and one write for many lines.
#[derive(Debug, Clone, Copy, Default)]
struct Gather {
    /// How long the thread waits for more when something comes after a rest.
    linger: Duration,
    /// No more than this, in bytes, is handed out at once; always one thing.
    piece: usize,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    max_bytes: usize,
    gather: Gather,
    name: String,
}

struct State<T> {
    queue: VecDeque<(Spooled<T>, usize)>,
    bytes: usize,
    /// Since the last thing that found room.
    dropped: u64,
    /// Until the thread has come for it.
    taker: Option<Taker<T>>,
    thread: Stage,
    /// The thread is handing something out.
    busy: bool,
    /// The thread waits for something to come.
    resting: bool,
    /// When the thread last came back for more.
    taken: Instant,
    closed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    NotStarted,
    Running,
    /// The function has panicked.
    Gone,
}

impl<T: Send + 'static> Spool<T> {
    /// `name` is the thread's. At most `max_bytes` wait.
    pub fn new(name: &str, max_bytes: usize, mut take: impl FnMut(Spooled<T>) + Send + 'static) -> Self {
        let each = move |next: Vec<Spooled<T>>| next.into_iter().for_each(&mut take);
        Self::with(name, max_bytes, Gather::default(), Box::new(each))
    }

    /// As [`Spool::new`], but what comes is gathered for as long as `linger` after a rest, and handed out in pieces of at most
    /// `piece` bytes.
    pub fn gathering(
        name: &str,
        max_bytes: usize,
        linger: Duration,
        piece: usize,
        take: impl FnMut(Vec<Spooled<T>>) + Send + 'static,
    ) -> Self {
        Self::with(name, max_bytes, Gather { linger, piece }, Box::new(take))
    }

    fn with(name: &str, max_bytes: usize, gather: Gather, take: Taker<T>) -> Self {
        let state = State {
            queue: VecDeque::new(),
            bytes: 0,
            dropped: 0,
            taker: Some(take),
            thread: Stage::NotStarted,
            busy: false,
            resting: false,
            taken: Instant::now(),
            closed: false,
        };
        let shared =
            Shared { state: Mutex::new(state), changed: Condvar::new(), max_bytes, gather, name: name.to_owned() };
        Self { shared: Arc::new(shared) }
    }

    /// Puts something in that counts as `bytes`; false if there was no room for it. What counts as 0 always has room.
    pub fn push(&self, item: T, bytes: usize) -> bool {
        let mut state = self.shared.state();
        if state.thread == Stage::NotStarted {
            let shared = Arc::clone(&self.shared);
            // A machine without room for a thread may have some later.
            if thread::Builder::new().name(self.shared.name.clone()).spawn(move || hand_out(&shared)).is_ok() {
                state.thread = Stage::Running;
            }
        }
        let full = bytes > 0 && state.bytes > 0 && state.bytes + bytes > self.shared.max_bytes;
        if full || state.thread != Stage::Running {
            state.dropped += 1;
            return false;
        }
        state.note_dropped();
        if state.queue.is_empty() && !state.busy {
            // There was nothing to take until now.
            state.taken = Instant::now();
        }
        state.bytes += bytes;
        state.queue.push_back((Spooled::Item(item), bytes));
        if state.resting {
            self.shared.changed.notify_all();
        }
        true
    }

    /// Whether the next thing finds room, or nothing was taken for as long as `patience`: then there is nobody to wait for.
    pub fn takes(&self, patience: Duration) -> bool {
        self.shared.state().bytes < self.shared.max_bytes / 2 || self.stalled(patience)
    }

    /// Whether nothing was taken for longer than `patience`.
    pub fn stalled(&self, patience: Duration) -> bool {
        let state = self.shared.state();
        state.thread != Stage::Running || state.taken.elapsed() > patience
    }

    /// Waits until everything is handed out, at most for `limit`; false if it was not.
    pub fn flush(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        let mut state = self.shared.state();
        state.note_dropped();
        self.shared.changed.notify_all();
        while state.busy || !state.queue.is_empty() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || state.thread != Stage::Running {
                return false;
            }
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl<T> Drop for Spool<T> {
    fn drop(&mut self) {
        self.shared.state().closed = true;
        self.shared.changed.notify_all();
    }
}

impl<T> Shared<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn note_dropped(&mut self) {
        if self.dropped > 0 && self.thread == Stage::Running {
            self.queue.push_back((Spooled::Dropped(std::mem::take(&mut self.dropped)), 0));
        }
    }

    /// The first of the queue, and what else there is of it within `piece` bytes.
    fn take(&mut self, piece: usize) -> Vec<Spooled<T>> {
        let (mut taken, mut sum) = (Vec::new(), 0);
        while let Some((_, bytes)) = self.queue.front()
            && (taken.is_empty() || sum + bytes <= piece)
        {
            sum += bytes;
            taken.extend(self.queue.pop_front().map(|(next, _)| next));
        }
        self.bytes -= sum;
        self.busy = true;
        self.taken = Instant::now();
        taken
    }
}

fn hand_out<T>(shared: &Shared<T>) {
    let Some(mut take) = shared.state().taker.take() else { return };
    let _gone = Gone(shared);
    while let Some(next) = shared.next() {
        take(next);
    }
}

impl<T> Shared<T> {
    /// Waits for the next things; none when the spool is closed and empty.
    fn next(&self) -> Option<Vec<Spooled<T>>> {
        let mut state = self.state();
        state.busy = false;
        state.taken = Instant::now();
        self.changed.notify_all();
        let mut rested = false;
        loop {
            if state.queue.is_empty() {
                state.note_dropped();
            }
            if !state.queue.is_empty() {
                if rested && !self.gather.linger.is_zero() && !state.closed {
                    // A caller of `flush` ends this wait.
                    let waited = self.changed.wait_timeout(state, self.gather.linger);
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                return Some(state.take(self.gather.piece));
            }
            if state.closed {
                return None;
            }
            state.resting = true;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.resting = false;
            rested = true;
        }
    }
}

/// Nobody waits for a thread that has ended, nor keeps anything for it.
struct Gone<'s, T>(&'s Shared<T>);

impl<T> Drop for Gone<'_, T> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.thread = Stage::Gone;
        state.queue.clear();
        state.bytes = 0;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::{Spool, Spooled};
    use std::{sync::mpsc, time::Duration};

    #[test]
    fn what_finds_no_room_is_dropped_and_counted_at_its_place() {
        let (took, taken) = mpsc::channel();
        let (go, gone) = mpsc::channel::<()>();
        let spool = Spool::new("test", 30, move |next: Spooled<u32>| {
            took.send(next).unwrap();
            let _ = gone.recv();
        });
        assert!(spool.push(1, 10));
        assert_eq!(taken.recv().unwrap(), Spooled::Item(1));
        // The taker is at work on the first and takes no other.
        let kept: Vec<bool> = (2..=6).map(|n| spool.push(n, 10)).collect();
        assert_eq!(kept, [true, true, true, false, false]);
        assert!(spool.push(7, 0), "what takes no room has it");
        assert!(!spool.flush(Duration::from_millis(1)));
        drop(go);
        assert!(spool.flush(Duration::from_secs(60)));
        assert!(spool.push(8, 1000), "one thing of any size goes when there is nothing else");
        drop(spool);
        let rest: Vec<Spooled<u32>> = taken.iter().collect();
        let item = Spooled::Item;
        assert_eq!(rest, [item(2), item(3), item(4), Spooled::Dropped(2), item(7), item(8)]);
    }

    #[test]
    fn what_came_meanwhile_is_handed_out_in_pieces() {
        let (took, taken) = mpsc::channel();
        let (go, gone) = mpsc::channel::<()>();
        let spool = Spool::gathering("test", 1000, Duration::from_millis(1), 25, move |next: Vec<Spooled<u32>>| {
            took.send(next).unwrap();
            let _ = gone.recv();
        });
        spool.push(1, 10);
        let item = Spooled::Item;
        assert_eq!(taken.recv().unwrap(), [item(1)]);
        (2..=6).for_each(|n| assert!(spool.push(n, 10)));
        spool.push(7, 100);
        drop(go);
        assert!(spool.flush(Duration::from_secs(60)));
        let rest: Vec<Vec<Spooled<u32>>> = taken.try_iter().collect();
        assert_eq!(rest, [vec![item(2), item(3)], vec![item(4), item(5)], vec![item(6)], vec![item(7)]]);
    }

    #[test]
    fn a_taker_that_panics_keeps_nobody_waiting() {
        let spool = Spool::new("test", 10, |_: Spooled<u32>| panic!("on purpose"));
        spool.push(1, 1);
        while spool.push(2, 1) {
            std::thread::yield_now();
        }
        spool.flush(Duration::from_secs(60));
    }
}
