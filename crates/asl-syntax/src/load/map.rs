//! `Map`, inline and distributed.

use super::Loader;
use super::flow::{Child, Scope};
use super::read::{Range, Roots};
use crate::diagnostic::Rule;
use crate::fields::{
    DISTRIBUTED_EFFECT, DISTRIBUTED_ONLY, ITEM_BATCHER, ITEM_READER, PROCESSOR, PROCESSOR_CONFIG, READER_CONFIG,
    RESULT_WRITER, Use, Use::Only, WRITER_CONFIG,
};
use crate::model::{Distributed, ItemBatcher, ItemReader, ItemsField, Language, Map, Payload, ResultWriter, StateId};
use crate::tree::{Data, Item};
use asl_value::Value;
use std::sync::Arc;

const PERCENTAGE: Range = Range { min: 0.0, max: 100.0, integer: false };
/// The most items a reader reads.
const MAX_ITEMS: u32 = 100_000_000;
/// The most bytes of a batch: what an execution takes as input.
const MAX_BATCH_BYTES: u32 = 262_144;
/// How long a `Label` may be, in characters.
const MAX_LABEL_CHARS: usize = 40;

impl Loader<'_> {
    pub(crate) fn map(&mut self, item: &Item<'_>, id: StateId, scope: &mut Scope) -> Option<Map> {
        let name = self.processor_field(item);
        let processor = name.and_then(|name| item.get(name));
        let config = processor.as_ref().and_then(|p| p.get("ProcessorConfig"));
        let (distributed, express) = self.processor_config(config.as_ref());
        self.mode_fields(item, distributed);
        let child = if distributed { Child::Execution { express } } else { Child::Inline };
        let flow = processor.map(|processor| self.nested_flow(&processor, PROCESSOR, id, child));
        let items = self.items(item, distributed);
        let (item_selector_field, item_selector) = self.item_selector(item);
        let max_concurrency = self.number_field(item, "MaxConcurrency", Range::at_least(0), Roots::NoContext);
        let details = self.distributed(item, express);
        let retry = self.retry(item);
        let catch = self.catch(item, id, scope);
        Some(Map {
            processor: flow?,
            items,
            item_selector,
            item_selector_field,
            max_concurrency,
            distributed: distributed.then_some(details),
            retry,
            catch,
        })
    }

    /// `ItemProcessor`, or the older `Iterator`.
    fn processor_field(&mut self, item: &Item<'_>) -> Option<&'static str> {
        self.only_one_of(item, &["ItemProcessor", "Iterator"]);
        let Some(old) = item.get("Iterator").filter(|_| !item.has("ItemProcessor")) else {
            return self.require(item, &["ItemProcessor"]).then_some("ItemProcessor");
        };
        self.error(Rule::Deprecated, &old, "Iterator is deprecated").help("call it `ItemProcessor`");
        Some("Iterator")
    }

    /// Whether the Map is distributed, and whether its children are Express.
    fn processor_config(&mut self, config: Option<&Item<'_>>) -> (bool, bool) {
        let Some(config) = config else { return (false, false) };
        if !self.object_of(config, PROCESSOR_CONFIG) {
            return (false, false);
        }
        let mode = config.get("Mode").and_then(|mode| self.choice_of(&mode, &["INLINE", "DISTRIBUTED"]));
        let kind = config.get("ExecutionType").and_then(|kind| self.choice_of(&kind, &["STANDARD", "EXPRESS"]));
        let distributed = mode == Some("DISTRIBUTED");
        if distributed {
            self.require(config, &["ExecutionType"]);
            if self.current.express {
                self.error(Rule::NotInExpress, config, "Express state machine does not support Distributed Map")
                    .help("make the state machine STANDARD, or the Map INLINE");
            }
        }
        (distributed, distributed && kind == Some("EXPRESS"))
    }

    fn mode_fields(&mut self, item: &Item<'_>, distributed: bool) {
        let help = "only a Distributed Map has it: set \"ProcessorConfig\": {\"Mode\": \"DISTRIBUTED\", \"ExecutionType\": \"STANDARD\"}";
        for (member, _) in item.members().filter(|_| !distributed) {
            let (rule, message) = match &*member.key {
                key if DISTRIBUTED_ONLY.contains(&key) => (Rule::DistributedOnly, "is not supported"),
                key if DISTRIBUTED_EFFECT.contains(&key) => (Rule::NoEffect, "has no effect in an inline Map"),
                _ => continue,
            };
            let message = format!("Field '{}' {message}", member.key);
            self.error_at(rule, item, member.key_span, message).help(help);
        }
    }

    /// `ItemsPath`, or `Items` of JSONata: an array, an expression, or (distributed) an object.
    fn items(&mut self, item: &Item<'_>, distributed: bool) -> Option<ItemsField> {
        if !self.is_jsonata() {
            let path = item.get("ItemsPath")?;
            return self.reference_path(&path, Roots::All).map(ItemsField::Path);
        }
        let items = item.get("Items")?;
        match &items.node.data {
            Data::Array(_) => {}
            Data::Object(_) if distributed => {}
            Data::Scalar(Value::String(text)) if text.starts_with("{%") => {}
            _ => {
                self.wrong_type(&items, "ARRAY");
                return None;
            }
        }
        self.query(&items).map(ItemsField::Query)
    }

    fn item_selector(&mut self, item: &Item<'_>) -> (&'static str, Option<Payload>) {
        self.only_one_of(item, &["ItemSelector", "Parameters"]);
        if let Some(old) = item.get("Parameters").filter(|_| !self.is_jsonata()) {
            self.error(Rule::Deprecated, &old, "Parameters of a Map is deprecated").help("call it `ItemSelector`");
            return ("Parameters", self.template(item, "Parameters", Only(Language::JsonPath)));
        }
        ("ItemSelector", self.template(item, "ItemSelector", Use::Both))
    }

    fn distributed(&mut self, item: &Item<'_>, express: bool) -> Distributed {
        Distributed {
            express,
            label: item.get("Label").and_then(|label| self.label(&label)),
            reader: item.get("ItemReader").and_then(|reader| self.item_reader(&reader)),
            batcher: item.get("ItemBatcher").and_then(|batcher| self.item_batcher(&batcher)),
            writer: item.get("ResultWriter").and_then(|writer| self.result_writer(&writer)),
            tolerated_failure_count: self.number_field(
                item,
                "ToleratedFailureCount",
                Range::at_least(0),
                Roots::NoContext,
            ),
            tolerated_failure_percentage: self.number_field(
                item,
                "ToleratedFailurePercentage",
                PERCENTAGE,
                Roots::NoContext,
            ),
        }
    }

    fn label(&mut self, item: &Item<'_>) -> Option<Arc<str>> {
        let label = self.string(item)?;
        if label.is_empty() || label.chars().count() > MAX_LABEL_CHARS {
            let message = format!("Label must be 1 to {MAX_LABEL_CHARS} characters long");
            self.error(Rule::BadLabel, item, message);
            return None;
        }
        let bad = |c: &char| c.is_whitespace() || c.is_control() || "?*<>{}[]:;,\\|^~$#%&`\"".contains(*c);
        if let Some(c) = label.chars().find(bad) {
            let message = format!("Label contains invalid character: '{}'", c.escape_debug());
            self.error(Rule::BadLabel, item, message)
                .help("no white space, control characters or any of ? * < > { } [ ] : ; , \\ | ^ ~ $ # % & ` \"");
            return None;
        }
        if let Some(first) = self.labels.get(&label).copied() {
            let diagnostic = self.error(Rule::DuplicateLabel, item, format!("Duplicate Label name: {label}"));
            diagnostic.labels.push((first, "the first Map with this label".to_owned()));
        }
        let span = self.source.original_span(item.node.span);
        self.labels.entry(label.clone()).or_insert(span);
        Some(label)
    }

    fn item_reader(&mut self, item: &Item<'_>) -> Option<ItemReader> {
        if !self.object_of(item, ITEM_READER) {
            return None;
        }
        self.require(item, &["Resource"]);
        let resource =
            item.get("Resource").and_then(|resource| self.data_resource(&resource, &["getObject", "listObjectsV2"]));
        let parameters = self
            .template(item, "Parameters", Only(Language::JsonPath))
            .or_else(|| self.template(item, "Arguments", Only(Language::Jsonata)));
        let mut config = Value::empty_object();
        let mut max_items = None;
        if let Some(field) = item.get("ReaderConfig")
            && self.object_of(&field, READER_CONFIG)
        {
            self.reader_words(&field);
            max_items = self.number_field(&field, "MaxItems", Range::integer(0, MAX_ITEMS), Roots::NoContext);
            config = without(&field, &["MaxItems", "MaxItemsPath"]);
        }
        Some(ItemReader { resource: resource?, parameters, config, max_items })
    }

    fn reader_words(&mut self, config: &Item<'_>) {
        let words: [(&str, &[&'static str]); 5] = [
            ("InputType", &["CSV", "JSON", "JSONL", "MANIFEST", "PARQUET"]),
            ("CSVHeaderLocation", &["FIRST_ROW", "GIVEN"]),
            ("CSVDelimiter", &["COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"]),
            ("ManifestType", &["ATHENA_DATA", "S3_INVENTORY"]),
            ("Transformation", &["NONE", "LOAD_AND_FLATTEN"]),
        ];
        for (name, allowed) in words {
            if let Some(field) = config.get(name) {
                self.choice_of(&field, allowed);
            }
        }
        if let Some(pointer) = config.get("ItemsPointer") {
            self.string(&pointer);
        }
        if let Some(headers) = config.get("CSVHeaders")
            && self.full_array(&headers)
        {
            for header in headers.elements() {
                self.string(&header);
            }
        }
        let given = config.get("CSVHeaderLocation").is_some_and(|l| l.node.as_str() == Some("GIVEN"));
        if given {
            self.require(config, &["CSVHeaders"]);
        }
    }

    fn item_batcher(&mut self, item: &Item<'_>) -> Option<ItemBatcher> {
        if !self.object_of(item, ITEM_BATCHER) {
            return None;
        }
        let maxima = ["MaxItemsPerBatch", "MaxItemsPerBatchPath", "MaxInputBytesPerBatch", "MaxInputBytesPerBatchPath"];
        if !maxima.iter().any(|name| item.has(name)) {
            let message = format!("One of the following fields is required: [{}]", maxima.join(", "));
            self.error(Rule::RequiredField, item, message);
        }
        let bytes = Range::integer(0, MAX_BATCH_BYTES);
        Some(ItemBatcher {
            batch_input: self.template(item, "BatchInput", Use::Both),
            max_items: self.number_field(item, "MaxItemsPerBatch", Range::at_least(0), Roots::NoContext),
            max_input_bytes: self.number_field(item, "MaxInputBytesPerBatch", bytes, Roots::NoContext),
        })
    }

    fn result_writer(&mut self, item: &Item<'_>) -> Option<ResultWriter> {
        if !self.object_of(item, RESULT_WRITER) {
            return None;
        }
        if !item.has("Resource") && !item.has("WriterConfig") {
            self.require(item, &["Resource"]);
        }
        let resource = item.get("Resource").and_then(|resource| self.data_resource(&resource, &["putObject"]));
        let parameters = self
            .template(item, "Parameters", Only(Language::JsonPath))
            .or_else(|| self.template(item, "Arguments", Only(Language::Jsonata)));
        let config = item.get("WriterConfig");
        if let Some(config) = &config
            && self.object_of(config, WRITER_CONFIG)
        {
            let words: [(&str, &[&'static str]); 2] =
                [("Transformation", &["NONE", "COMPACT", "FLATTEN"]), ("OutputType", &["JSON", "JSONL"])];
            for (name, allowed) in words {
                if let Some(field) = config.get(name) {
                    self.choice_of(&field, allowed);
                }
            }
        }
        Some(ResultWriter { resource, parameters, config: config.map(|config| config.node.to_value()) })
    }
}

/// An object as a value, without some of its members.
fn without(item: &Item<'_>, names: &[&str]) -> Value {
    let members = item.members().filter(|(member, _)| !names.contains(&&*member.key));
    members.map(|(member, value)| (member.key.clone(), value.node.to_value())).collect::<asl_value::Map>().into()
}
