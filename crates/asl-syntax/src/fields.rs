//! Which object has which fields, in which query language (ASL specification: the table of fields by state type).

use crate::model::{Language, StateType};
use StateType::{Choice, Fail, Map, Parallel, Pass, Succeed, Task, Wait};

/// The query languages a field belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Both,
    Only(Language),
}

const BOTH: Use = Use::Both;
const PATH: Use = Use::Only(Language::JsonPath);
const JSONATA: Use = Use::Only(Language::Jsonata);

/// The fields of one kind of object.
pub(crate) type Table = &'static [(&'static str, Use)];

pub(crate) const TOP: Table = &[
    ("Comment", BOTH),
    ("QueryLanguage", BOTH),
    ("StartAt", BOTH),
    ("States", BOTH),
    ("TimeoutSeconds", BOTH),
    ("Version", BOTH),
];
pub(crate) const BRANCH: Table = &[("Comment", BOTH), ("StartAt", BOTH), ("States", BOTH)];
pub(crate) const PROCESSOR: Table =
    &[("Comment", BOTH), ("ProcessorConfig", BOTH), ("StartAt", BOTH), ("States", BOTH)];
pub(crate) const PROCESSOR_CONFIG: Table = &[("Mode", BOTH), ("ExecutionType", BOTH), ("Comment", BOTH)];
pub(crate) const RETRIER: Table = &[
    ("ErrorEquals", BOTH),
    ("IntervalSeconds", BOTH),
    ("MaxAttempts", BOTH),
    ("BackoffRate", BOTH),
    ("MaxDelaySeconds", BOTH),
    ("JitterStrategy", BOTH),
    ("Comment", BOTH),
];
pub(crate) const CATCHER: Table = &[
    ("ErrorEquals", BOTH),
    ("Next", BOTH),
    ("ResultPath", PATH),
    ("Assign", BOTH),
    ("Output", JSONATA),
    ("Comment", BOTH),
];
pub(crate) const JSONATA_RULE: Table =
    &[("Condition", JSONATA), ("Next", BOTH), ("Assign", BOTH), ("Output", JSONATA), ("Comment", BOTH)];
pub(crate) const ITEM_READER: Table =
    &[("Resource", BOTH), ("ReaderConfig", BOTH), ("Parameters", PATH), ("Arguments", JSONATA), ("Comment", BOTH)];
pub(crate) const READER_CONFIG: Table = &[
    ("InputType", BOTH),
    ("CSVHeaderLocation", BOTH),
    ("CSVHeaders", BOTH),
    ("CSVDelimiter", BOTH),
    ("MaxItems", BOTH),
    ("MaxItemsPath", PATH),
    ("ItemsPointer", BOTH),
    ("ManifestType", BOTH),
    ("Transformation", BOTH),
    ("Comment", BOTH),
];
pub(crate) const ITEM_BATCHER: Table = &[
    ("BatchInput", BOTH),
    ("MaxItemsPerBatch", BOTH),
    ("MaxItemsPerBatchPath", PATH),
    ("MaxInputBytesPerBatch", BOTH),
    ("MaxInputBytesPerBatchPath", PATH),
    ("Comment", BOTH),
];
pub(crate) const RESULT_WRITER: Table =
    &[("Resource", BOTH), ("Parameters", PATH), ("Arguments", JSONATA), ("WriterConfig", BOTH), ("Comment", BOTH)];
pub(crate) const WRITER_CONFIG: Table = &[("Transformation", BOTH), ("OutputType", BOTH), ("Comment", BOTH)];

const ALL: &[StateType] = &[Pass, Task, Choice, Wait, Succeed, Fail, Parallel, Map];
const NOT_FAIL: &[StateType] = &[Pass, Task, Choice, Wait, Succeed, Parallel, Map];
const WORKING: &[StateType] = &[Task, Parallel, Map];

const STATE: &[(&str, Use, &[StateType])] = &[
    ("Type", BOTH, ALL),
    ("Comment", BOTH, ALL),
    ("QueryLanguage", BOTH, ALL),
    ("Next", BOTH, &[Pass, Task, Wait, Parallel, Map]),
    ("End", BOTH, &[Pass, Task, Wait, Parallel, Map]),
    ("InputPath", PATH, NOT_FAIL),
    ("OutputPath", PATH, NOT_FAIL),
    ("Parameters", PATH, &[Pass, Task, Parallel, Map]),
    ("ResultSelector", PATH, WORKING),
    ("ResultPath", PATH, &[Pass, Task, Parallel, Map]),
    ("Result", PATH, &[Pass]),
    ("Assign", BOTH, &[Pass, Task, Choice, Wait, Parallel, Map]),
    ("Output", JSONATA, NOT_FAIL),
    ("Arguments", JSONATA, &[Task, Parallel]),
    ("Retry", BOTH, WORKING),
    ("Catch", BOTH, WORKING),
    ("Resource", BOTH, &[Task]),
    ("TimeoutSeconds", BOTH, &[Task]),
    ("TimeoutSecondsPath", PATH, &[Task]),
    ("HeartbeatSeconds", BOTH, &[Task]),
    ("HeartbeatSecondsPath", PATH, &[Task]),
    ("Credentials", BOTH, &[Task]),
    ("Choices", BOTH, &[Choice]),
    ("Default", BOTH, &[Choice]),
    ("Seconds", BOTH, &[Wait]),
    ("SecondsPath", PATH, &[Wait]),
    ("Timestamp", BOTH, &[Wait]),
    ("TimestampPath", PATH, &[Wait]),
    ("Error", BOTH, &[Fail]),
    ("ErrorPath", PATH, &[Fail]),
    ("Cause", BOTH, &[Fail]),
    ("CausePath", PATH, &[Fail]),
    ("Branches", BOTH, &[Parallel]),
    ("ItemProcessor", BOTH, &[Map]),
    ("Iterator", BOTH, &[Map]),
    ("ItemSelector", BOTH, &[Map]),
    ("Items", JSONATA, &[Map]),
    ("ItemsPath", PATH, &[Map]),
    ("MaxConcurrency", BOTH, &[Map]),
    ("MaxConcurrencyPath", PATH, &[Map]),
    ("ItemReader", BOTH, &[Map]),
    ("ItemBatcher", BOTH, &[Map]),
    ("ResultWriter", BOTH, &[Map]),
    ("Label", BOTH, &[Map]),
    ("ToleratedFailureCount", BOTH, &[Map]),
    ("ToleratedFailureCountPath", PATH, &[Map]),
    ("ToleratedFailurePercentage", BOTH, &[Map]),
    ("ToleratedFailurePercentagePath", PATH, &[Map]),
];

/// The fields of a Map that only a distributed one has.
pub(crate) const DISTRIBUTED_ONLY: &[&str] = &["ItemReader", "ItemBatcher", "ResultWriter", "Label"];

/// Those that an inline one may have too, without any effect (AWS accepts them).
pub(crate) const DISTRIBUTED_EFFECT: &[&str] = &[
    "ToleratedFailureCount",
    "ToleratedFailureCountPath",
    "ToleratedFailurePercentage",
    "ToleratedFailurePercentagePath",
];

/// The fields of a state of this type.
pub(crate) fn of_state(kind: StateType) -> Vec<(&'static str, Use)> {
    STATE.iter().filter(|(_, _, kinds)| kinds.contains(&kind)).map(|(name, usage, _)| (*name, *usage)).collect()
}

/// The types of state that have `field` in `language`.
pub(crate) fn states_with(field: &str) -> &'static [StateType] {
    STATE.iter().find(|(name, ..)| *name == field).map_or(&[], |(_, _, kinds)| kinds)
}
