//! The table itself: an index of services, and for each of them a block that is unpacked when it is first asked for.
//!
//! `model.bin` is: the magic, three lengths (index, dictionary unpacked, dictionary packed) of four bytes each, little
//! endian, then the index (a text), the packed dictionary, and the packed blocks in the order of the index.

use super::read::read_service;
use super::{Service, TimeFormat, Type};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

static BYTES: &[u8] = include_bytes!("../../model.bin");
const MAGIC: &[u8] = b"ASLAWS1\n";

/// A part of AWS with names of its own.
#[derive(Debug)]
pub struct Partition {
    /// `aws`, `aws-cn` …
    pub id: &'static str,
    /// `amazonaws.com`
    pub suffix: &'static str,
    /// Its regions.
    pub regions: Vec<&'static str>,
}

struct Entry {
    resource: &'static str,
    command: &'static str,
    unpacked: usize,
    packed: Range<usize>,
    service: OnceLock<Arc<Service>>,
}

struct Table {
    version: &'static str,
    partitions: Vec<Partition>,
    /// Sorted by resource.
    entries: Vec<Entry>,
    dictionary: Range<usize>,
    dictionary_unpacked: usize,
}

/// What the types without parts are, in the order of the tool.
pub(super) const SCALARS: [Type; 15] = [
    Type::String,
    Type::Integer,
    Type::Long,
    Type::Float,
    Type::Double,
    Type::Boolean,
    Type::Blob,
    Type::Timestamp(None),
    Type::Timestamp(Some(TimeFormat::Iso8601)),
    Type::Timestamp(Some(TimeFormat::Rfc822)),
    Type::Timestamp(Some(TimeFormat::Unix)),
    Type::Streaming,
    Type::Document,
    Type::JsonText,
    Type::EventStream,
];

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        assert!(BYTES.starts_with(MAGIC), "model.bin is not the table of tools/aws_model.py");
        let length = |at: usize| {
            let bytes = BYTES[MAGIC.len() + 4 * at..][..4].try_into().expect("four bytes");
            u32::from_le_bytes(bytes) as usize
        };
        let (index, unpacked, packed) = (length(0), length(1), length(2));
        let start = MAGIC.len() + 12;
        let text = std::str::from_utf8(&BYTES[start..start + index]).expect("the index is a text");
        let dictionary = start + index..start + index + packed;
        let mut at = dictionary.end;
        let mut table =
            Table { version: "", partitions: vec![], entries: vec![], dictionary, dictionary_unpacked: unpacked };
        for line in text.lines() {
            let mut words = line.split(' ');
            let mut word = || words.next().expect("a word");
            match word() {
                "botocore" => table.version = word(),
                "partition" => {
                    let (id, suffix) = (word(), word());
                    table.partitions.push(Partition { id, suffix, regions: words.collect() });
                }
                resource => {
                    let command = word();
                    let mut size = || word().parse::<usize>().expect("a length");
                    let (unpacked, packed) = (size(), size());
                    let packed = at..at + packed;
                    at = packed.end;
                    table.entries.push(Entry { resource, command, unpacked, packed, service: OnceLock::new() });
                }
            }
        }
        table
    })
}

/// Unpacks a block; matches may reach back into `before`, which the block was compressed against.
fn unpack(packed: &[u8], unpacked: usize, before: &[u8]) -> Vec<u8> {
    let mut out = before.to_vec();
    out.resize(before.len() + unpacked, 0);
    let flags = inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let (status, _, written) = decompress(&mut DecompressorOxide::new(), packed, &mut out, before.len(), flags);
    assert!(status == TINFLStatus::Done && written == unpacked, "model.bin is damaged");
    out.split_off(before.len())
}

fn dictionary() -> &'static [u8] {
    static DICTIONARY: OnceLock<Vec<u8>> = OnceLock::new();
    DICTIONARY.get_or_init(|| unpack(&BYTES[table().dictionary.clone()], table().dictionary_unpacked, &[]))
}

/// The version of botocore that the table is made of.
pub fn version() -> &'static str {
    table().version
}

/// The names of all services in resource ARNs, sorted.
pub fn entry_names() -> impl Iterator<Item = &'static str> {
    table().entries.iter().map(|e| e.resource)
}

/// The service with this name in resource ARNs, `dynamodb`; unpacked when it is asked for the first time (a millisecond
/// or two for the largest), and kept.
pub fn service(resource: &str) -> Option<Arc<Service>> {
    let entries = &table().entries;
    let entry = &entries[entries.binary_search_by(|e| e.resource.cmp(resource)).ok()?];
    let load = || {
        let block = unpack(&BYTES[entry.packed.clone()], entry.unpacked, dictionary());
        Arc::new(read_service(entry.resource, entry.command, &block))
    };
    Some(entry.service.get_or_init(load).clone())
}

/// The name in resource ARNs of the service that the AWS command line calls so: `sfn` for `stepfunctions`.
pub fn resource_of(command: &str) -> Option<&'static str> {
    table().entries.iter().find(|e| e.command == command).map(|e| e.resource)
}

/// The partition of a region. One that the table does not know belongs to the partition whose regions begin as it does
/// (`us-gov-north-1`: that of `us-gov-west-1`), or to `aws`.
pub fn partition_of(region: &str) -> &'static Partition {
    let area = |region: &str| region.rsplitn(3, '-').nth(2).map(str::to_owned);
    let partitions = &table().partitions;
    let known = partitions.iter().find(|p| p.regions.contains(&region));
    let alike =
        || partitions.iter().find(|p| area(region).is_some() && p.regions.iter().any(|r| area(r) == area(region)));
    known.or_else(alike).unwrap_or(&partitions[0])
}

#[cfg(test)]
mod tests {
    use super::super::Shape;
    use super::*;

    #[test]
    fn every_service_can_be_read_and_refers_to_shapes_that_are_there() {
        let mut operations = 0;
        for name in entry_names() {
            let service = service(name).unwrap();
            assert_eq!(*service.resource, *service.prefix.to_lowercase(), "{name}");
            assert!(!service.protocols.is_empty(), "{name}");
            let there = |ty: Type| if let Type::Shape(n) = ty { (n as usize) < service.shapes.len() } else { true };
            for shape in &service.shapes {
                let good = match shape {
                    Shape::List { item, .. } => there(*item),
                    Shape::Map { value, .. } => there(*value),
                    Shape::Structure(s) => s.members.iter().all(|m| there(m.ty)),
                };
                assert!(good, "{name}: {shape:?}");
            }
            operations += service.operations.len();
            for operation in &service.operations {
                assert!(service.operation(&operation.name).is_some(), "{name}: {}", operation.name);
            }
        }
        assert!(entry_names().count() >= 445 && operations >= 20_000, "{operations}");
        assert_eq!(service("nowhere").map(|s| s.id.clone()), None);
    }

    #[test]
    fn two_members_of_a_structure_never_share_a_key() {
        for name in entry_names() {
            let service = service(name).unwrap();
            for shape in &service.shapes {
                let Shape::Structure(structure) = shape else { continue };
                for member in &structure.members {
                    let found = structure.by_key(&member.key).unwrap();
                    assert_eq!(found.name, member.name, "{name}: {}", member.key);
                }
            }
        }
    }

    #[test]
    fn regions_have_partitions() {
        let cases = [("eu-central-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")];
        for (region, partition) in cases.into_iter().chain([("us-gov-north-9", "aws-us-gov"), ("eu-new-7", "aws")]) {
            assert_eq!(partition_of(region).id, partition, "{region}");
        }
    }
}
