//! The commands, one file each: what a command can be told, and what it does.

pub(crate) mod bucket;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod db;
pub(crate) mod describe;
pub(crate) mod down;
pub(crate) mod explain;
pub(crate) mod function;
pub(crate) mod graph;
pub(crate) mod history;
pub(crate) mod init;
pub(crate) mod list;
pub(crate) mod purge;
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
pub(crate) mod topic;
pub(crate) mod wait;
pub(crate) mod worker;
