//! The commands, one file each: what a command can be told, and what it does.

pub(crate) mod check;
pub(crate) mod describe;
pub(crate) mod explain;
pub(crate) mod graph;
pub(crate) mod history;
pub(crate) mod list;
pub(crate) mod queue;
pub(crate) mod redrive;
pub(crate) mod replay;
pub(crate) mod resume;
pub(crate) mod run;
pub(crate) mod send_task;
pub(crate) mod start;
pub(crate) mod stop;
pub(crate) mod table;
pub(crate) mod test;
pub(crate) mod wait;
pub(crate) mod worker;
