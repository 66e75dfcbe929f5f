//! The engine's clock: the real one, or one that skips what nobody works in.
//!
//! A skipping clock stands still while the engine itself works, passes as real time does while a function or a URL is at
//! work, and jumps to the next deadline when everybody waits for one. So waits, back-offs and timeouts take no time, two
//! runs of the same mocked execution have the same history, and a real call is still held to its real `TimeoutSeconds`.
//!
//! Whoever can bring anything about has a [`Hold`]: a driver, a call, a message on its way. Time is skipped when nobody
//! has one but those who wait in [`Hold::idle`], and none of those has something in its inbox already.

use asl_expr::Timestamp;
use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::time::Sleep;

/// How long anybody sleeps at most by the real clock before it is looked at again: it may be set meanwhile.
const NAP: Duration = Duration::from_secs(60);

/// Where an engine has the time from. Clones are the same clock; engines that share one agree on the time.
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<Mutex<Skipping>>>);

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(if self.0.is_some() { "Skipping" } else { "Real" }).field(&self.now()).finish()
    }
}

impl Clock {
    /// The computer's clock.
    pub fn real() -> Clock {
        Clock(None)
    }

    /// A clock that begins at `start` and skips the times in which nothing happens.
    pub fn skipping(start: Timestamp) -> Clock {
        Clock(Some(Arc::new(Mutex::new(Skipping::new(whole_ms(start))))))
    }

    /// The time, in whole milliseconds as AWS gives it.
    pub fn now(&self) -> Timestamp {
        match self.lock() {
            Some(skipping) => Timestamp::from_millis(skipping.now_ms()),
            None => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
        }
    }

    /// Keeps time from being skipped until what it returns is dropped: for who is about to answer a task token, say.
    pub fn hold(&self) -> Hold {
        if let Some(mut skipping) = self.lock() {
            skipping.busy += 1;
        }
        Hold(self.clone())
    }

    /// A function or a URL is at work until what it returns is dropped: meanwhile time passes.
    pub(crate) fn call(&self) -> Call {
        if let Some(mut skipping) = self.lock() {
            skipping.begin_call();
        }
        Call(self.clone())
    }

    /// True for the computer's clock.
    pub(crate) fn is_real(&self) -> bool {
        self.0.is_none()
    }

    fn lock(&self) -> Option<MutexGuard<'_, Skipping>> {
        // Its numbers fit together between any two calls, so a panic elsewhere does not spoil them.
        self.0.as_ref().map(|skipping| skipping.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Somebody is at work: time is not skipped before it is dropped.
#[derive(Debug)]
#[must_use = "time is skipped again as soon as it is dropped"]
pub struct Hold(Clock);

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(mut skipping) = self.0.lock() {
            skipping.busy -= 1;
            skipping.settle();
        }
    }
}

impl Hold {
    /// Waits for `future`, or for a time: then there is no output. It may come back earlier, to look at the clock.
    ///
    /// `ready` says whether the future has something to give already, though it may not have been asked yet; `future` must
    /// be one that only waits.
    pub(crate) async fn idle<T>(
        &mut self,
        until: Option<Timestamp>,
        ready: impl Fn() -> bool + Send + 'static,
        future: impl Future<Output = T>,
    ) -> Option<T> {
        let mut future = pin!(future);
        if self.0.0.is_none() {
            let nap = until.map_or(NAP, |at| until_ms(at, self.0.now().millis()).min(NAP));
            return tokio::select! {
                output = future => Some(output),
                () = tokio::time::sleep(nap) => None,
            };
        }
        let mut place = Place::take(&self.0, until, Box::new(ready));
        poll_fn(|context| place.poll(context, future.as_mut())).await
    }
}

/// A call is at work: time passes until it is dropped.
#[derive(Debug)]
pub(crate) struct Call(Clock);

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(mut skipping) = self.0.lock() {
            skipping.end_call();
        }
    }
}

/// The state of a skipping clock.
struct Skipping {
    /// The time when it last began to stand still or to pass.
    at_ms: i64,
    /// Since when it passes.
    since: Option<Instant>,
    calls: usize,
    busy: usize,
    idle: BTreeMap<u64, Idle>,
    places: u64,
}

/// Somebody who waits.
struct Idle {
    until: Option<Timestamp>,
    ready: Box<dyn Fn() -> bool + Send>,
    waker: Option<Waker>,
}

impl Skipping {
    fn new(at_ms: i64) -> Skipping {
        Skipping { at_ms, since: None, calls: 0, busy: 0, idle: BTreeMap::new(), places: 0 }
    }

    fn now_ms(&self) -> i64 {
        let passed = self.since.map_or(0, |since| i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX));
        self.at_ms.saturating_add(passed)
    }

    fn begin_call(&mut self) {
        self.calls += 1;
        if self.since.is_none() {
            self.since = Some(Instant::now());
            // Deadlines come by themselves now: whoever waits for one has to set a real timer.
            self.idle.values_mut().filter_map(|idle| idle.waker.take()).for_each(Waker::wake);
        }
    }

    fn end_call(&mut self) {
        self.calls -= 1;
        if self.calls == 0 {
            self.at_ms = self.now_ms();
            self.since = None;
        }
        self.settle();
    }

    /// Jumps to the next deadline when nobody has anything else to do. Those whose time has come are busy from this moment.
    fn settle(&mut self) {
        if self.busy > 0 || self.calls > 0 || self.idle.values().any(|idle| (idle.ready)()) {
            return;
        }
        let Some(next) = self.idle.values().filter_map(|idle| idle.until).min() else { return };
        self.at_ms = self.at_ms.max(whole_ms(next));
        let is_due = |idle: &Idle| idle.until.is_some_and(|at| whole_ms(at) <= self.at_ms);
        let due: Vec<u64> = self.idle.iter().filter(|(_, idle)| is_due(idle)).map(|(id, _)| *id).collect();
        for id in due {
            if let Some(waker) = self.rouse(id).and_then(|idle| idle.waker) {
                waker.wake();
            }
        }
    }

    fn rouse(&mut self, id: u64) -> Option<Idle> {
        let idle = self.idle.remove(&id);
        self.busy += usize::from(idle.is_some());
        idle
    }
}

/// A place among those who wait. Dropping it, or being roused, makes its owner busy again.
struct Place<'c> {
    clock: &'c Clock,
    id: u64,
    until: Option<Timestamp>,
    /// Set while time passes.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<'c> Place<'c> {
    fn take(clock: &'c Clock, until: Option<Timestamp>, ready: Box<dyn Fn() -> bool + Send>) -> Place<'c> {
        let mut id = 0;
        if let Some(mut skipping) = clock.lock() {
            skipping.places += 1;
            id = skipping.places;
            skipping.idle.insert(id, Idle { until, ready, waker: None });
            skipping.busy -= 1;
            skipping.settle();
        }
        Place { clock, id, until, timer: None }
    }

    /// The clock is locked all the while: nobody skips time between the taking of a message and its taker being busy.
    fn poll<T>(&mut self, context: &mut Context<'_>, future: Pin<&mut impl Future<Output = T>>) -> Poll<Option<T>> {
        let Some(mut skipping) = self.clock.lock() else { return Poll::Ready(None) };
        if let Poll::Ready(output) = future.poll(context) {
            skipping.rouse(self.id);
            return Poll::Ready(Some(output));
        }
        let now_ms = skipping.now_ms();
        let passes = skipping.since.is_some();
        let Some(idle) = skipping.idle.get_mut(&self.id) else { return Poll::Ready(None) };
        idle.waker = Some(context.waker().clone());
        self.timer = None;
        if let (true, Some(at)) = (passes, self.until) {
            let mut timer = Box::pin(tokio::time::sleep(until_ms(at, now_ms).min(NAP)));
            if whole_ms(at) <= now_ms || timer.as_mut().poll(context).is_ready() {
                skipping.rouse(self.id);
                return Poll::Ready(None);
            }
            self.timer = Some(timer);
        }
        Poll::Pending
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(mut skipping) = self.clock.lock() {
            skipping.rouse(self.id);
        }
    }
}

/// The wall clock; epoch milliseconds. Deadlines of executions are times in it; leases are not.
pub(crate) fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A deadline finer than a millisecond must not be met a moment early.
pub(crate) fn whole_ms(at: Timestamp) -> i64 {
    let ms = at.millis();
    ms.saturating_add(i64::from(Timestamp::from_millis(ms) < at))
}

fn until_ms(deadline: Timestamp, now_ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(whole_ms(deadline).saturating_sub(now_ms)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use std::sync::atomic::{AtomicBool, Ordering};

    fn at(ms: i64) -> Option<Timestamp> {
        Some(Timestamp::from_millis(ms))
    }

    fn clock() -> Clock {
        Clock::skipping(Timestamp::from_millis(1000))
    }

    #[tokio::test]
    async fn time_stands_still_until_all_wait_and_then_jumps_to_the_first_deadline() {
        let clock = clock();
        let sleeper = |mut hold: Hold, until| {
            let clock = clock.clone();
            async move {
                let woken = hold.idle(at(until), || false, pending::<()>()).await;
                // Until this one waits again or is gone, nobody else's time comes.
                tokio::task::yield_now().await;
                (woken, clock.now().millis())
            }
        };
        let (one, two) = (clock.hold(), clock.hold());
        assert_eq!(tokio::join!(sleeper(one, 5000), sleeper(two, 9000)), ((None, 5000), (None, 9000)));
    }

    #[tokio::test]
    async fn time_is_not_skipped_while_somebody_holds_it_or_a_message_waits() {
        let clock = clock();
        let (sender, mut inbox) = tokio::sync::mpsc::channel(1);
        let mut driver = clock.hold();
        let hold = clock.hold();
        let seen = Arc::new(AtomicBool::new(false));
        let told = tokio::spawn({
            let (seen, clock) = (seen.clone(), clock.clone());
            async move {
                tokio::task::yield_now().await;
                assert_eq!(clock.now().millis(), 1000);
                sender.send("done").await.unwrap();
                seen.store(true, Ordering::SeqCst);
                drop(hold);
                sender
            }
        });
        let ready = seen.clone();
        let got = driver.idle(at(5000), move || ready.load(Ordering::SeqCst), inbox.recv()).await;
        assert_eq!((got, clock.now().millis()), (Some(Some("done")), 1000));
        drop(told.await);
        assert_eq!(driver.idle(at(5000), || false, pending::<()>()).await, None);
        assert_eq!(clock.now().millis(), 5000);
    }

    #[tokio::test]
    async fn while_a_call_is_at_work_time_passes_and_deadlines_come() {
        let clock = clock();
        let mut driver = clock.hold();
        let call = clock.call();
        let began = Instant::now();
        assert_eq!(driver.idle(at(1020), || false, pending::<()>()).await, None);
        assert!(began.elapsed() >= Duration::from_millis(20) && clock.now().millis() >= 1020);
        drop(call);
        let stands = clock.now();
        assert_eq!(clock.now(), stands);
    }

    #[tokio::test]
    async fn who_gives_up_waiting_is_busy_again() {
        let clock = clock();
        let (mut one, mut two) = (clock.hold(), clock.hold());
        let mut gone = Box::pin(one.idle(at(2000), || false, pending::<()>()));
        assert!(gone.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(gone);
        let mut waits = Box::pin(two.idle(at(3000), || false, pending::<()>()));
        assert!(waits.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(clock.now().millis(), 1000);
        drop(one);
        assert_eq!(waits.await, None);
        assert_eq!(clock.now().millis(), 3000);
    }
}
