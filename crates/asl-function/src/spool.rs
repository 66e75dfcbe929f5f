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

type Taker<T> = Box<dyn FnMut(Spooled<T>) + Send>;

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    max_bytes: usize,
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
    pub fn new(name: &str, max_bytes: usize, take: impl FnMut(Spooled<T>) + Send + 'static) -> Self {
        let state = State {
            queue: VecDeque::new(),
            bytes: 0,
            dropped: 0,
            taker: Some(Box::new(take)),
            thread: Stage::NotStarted,
            busy: false,
            taken: Instant::now(),
            closed: false,
        };
        let shared = Shared { state: Mutex::new(state), changed: Condvar::new(), max_bytes, name: name.to_owned() };
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
            // The thread has rested until now.
            state.taken = Instant::now();
        }
        state.bytes += bytes;
        state.queue.push_back((Spooled::Item(item), bytes));
        self.shared.changed.notify_all();
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
}

fn hand_out<T>(shared: &Shared<T>) {
    let Some(mut take) = shared.state().taker.take() else { return };
    let _gone = Gone(shared);
    while let Some(next) = shared.next() {
        take(next);
    }
}

impl<T> Shared<T> {
    /// Waits for the next thing; none when the spool is closed and empty.
    fn next(&self) -> Option<Spooled<T>> {
        let mut state = self.state();
        state.busy = false;
        state.taken = Instant::now();
        self.changed.notify_all();
        loop {
            if state.queue.is_empty() {
                state.note_dropped();
            }
            if let Some((next, bytes)) = state.queue.pop_front() {
                state.bytes -= bytes;
                state.busy = true;
                state.taken = Instant::now();
                return Some(next);
            }
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
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
    fn a_taker_that_panics_keeps_nobody_waiting() {
        let spool = Spool::new("test", 10, |_: Spooled<u32>| panic!("on purpose"));
        spool.push(1, 1);
        while spool.push(2, 1) {
            std::thread::yield_now();
        }
        spool.flush(Duration::from_secs(60));
    }
}
