//! Rules of the protocol, broken on purpose.

/// One rule that the simulated engine does not keep. Each must be found by the checks within a few hundred seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// Commands go out before their record is committed.
    ActBeforeWrite,
    /// Callers are told yes before the commit.
    AcknowledgeBeforeWrite,
    /// The effect of an embedded task is kept although its transaction was not.
    EffectOutsideTransaction,
    /// An embedded task that was recorded is run again after a crash.
    EffectAgain,
    /// A call that was answered for good is made again after a crash.
    CallAgain,
    /// After a crash nobody wakes at a deadline.
    LoseTimers,
    /// After a crash the open tasks are not handed out.
    LoseCalls,
    /// After a crash the children of a Distributed Map are not followed.
    LoseChildren,
    /// Calls repeated after a crash have another idempotency key.
    OtherKey,
    /// Answers that came too late are recorded with the others.
    RecordRejected,
    /// A record that was refused once is written again with the next.
    RecordTwice,
    /// A record says that more steps were taken than were.
    WrongSteps,
    /// A record has the time of the clock, although the machine was told a later one before.
    ClockBack,
    /// A machine goes on though the budget of its record is used up.
    NoBudget,
    /// While a machine has something to do, nothing that comes is taken in.
    DeafWhileBusy,
    /// An execution that ends every process is never set aside.
    NeverSetAside,
    /// What is set aside is never tried again by itself.
    LeaveForEver,
    /// All executions are to blame for the end of a process, on trial or not.
    BlameAll,
    /// What comes while an execution leaves memory is lost.
    LoseAtEviction,
    /// An execution that has left memory is not taken up when its time has come.
    LoseEvicted,
    /// A signal leaves the inbox when a driver gets it, not when a record has it.
    EmptyInboxEarly,
    /// Each answer to a token is told that it was taken.
    TakeEachAnswer,
    /// A worker that another has taken over from writes on.
    NoFence,
    /// A process that drains ends while calls are under way.
    DrainEarly,
    /// Of two answers that come to one token at once, both are recorded.
    RecordBothAnswers,
}

impl Sabotage {
    /// All of them.
    pub const ALL: [Sabotage; 25] = [
        Sabotage::ActBeforeWrite,
        Sabotage::AcknowledgeBeforeWrite,
        Sabotage::EffectOutsideTransaction,
        Sabotage::EffectAgain,
        Sabotage::CallAgain,
        Sabotage::LoseTimers,
        Sabotage::LoseCalls,
        Sabotage::LoseChildren,
        Sabotage::OtherKey,
        Sabotage::RecordRejected,
        Sabotage::RecordTwice,
        Sabotage::WrongSteps,
        Sabotage::ClockBack,
        Sabotage::NoBudget,
        Sabotage::DeafWhileBusy,
        Sabotage::NeverSetAside,
        Sabotage::LeaveForEver,
        Sabotage::BlameAll,
        Sabotage::LoseAtEviction,
        Sabotage::LoseEvicted,
        Sabotage::EmptyInboxEarly,
        Sabotage::TakeEachAnswer,
        Sabotage::NoFence,
        Sabotage::DrainEarly,
        Sabotage::RecordBothAnswers,
    ];
}
