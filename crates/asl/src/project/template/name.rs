//! The names that CloudFormation makes for resources without one: stack, logical id, and characters that look drawn.
//!
//! The same stack and logical id give the same name each time: what is in the database is found again.

use super::scope::Resource;

const MIXED: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
/// How many characters at the end look drawn.
const DRAWN: usize = 12;

/// The name of a resource in a stack.
pub(super) fn generated(stack: &str, resource: &Resource<'_>) -> String {
    let id = resource.id;
    let fifo = |property: &str| {
        let set = resource.property(property).map(|node| node.to_value().to_string());
        if set.is_some_and(|set| set.trim_matches('"') == "true") { ".fifo" } else { "" }
    };
    match resource.kind {
        "AWS::Serverless::StateMachine" | "AWS::StepFunctions::StateMachine" | "AWS::StepFunctions::Activity" => {
            format!("{}-{}", cut(id, 80 - DRAWN - 1), drawn(stack, id, MIXED))
        }
        "AWS::Serverless::LayerVersion" | "AWS::Lambda::LayerVersion" => id.to_owned(),
        "AWS::DynamoDB::Table" | "AWS::Serverless::SimpleTable" => joined(stack, id, 255, UPPER),
        "AWS::S3::Bucket" => joined(&stack.to_lowercase(), &id.to_lowercase(), 63, LOWER),
        "AWS::SQS::Queue" => joined(stack, id, 75, MIXED) + fifo("FifoQueue"),
        "AWS::SNS::Topic" => joined(stack, id, 75, MIXED) + fifo("FifoTopic"),
        _ => joined(stack, id, 64, MIXED),
    }
}

/// `STACK-ID-DRAWN`, the first two cut to fit.
fn joined(stack: &str, id: &str, max: usize, alphabet: &[u8]) -> String {
    let room = max - DRAWN - 2;
    let for_id = id.len().min(room.saturating_sub(stack.len()).max(room / 2));
    format!("{}-{}-{}", cut(stack, room - for_id), cut(id, for_id), drawn(stack, id, alphabet))
}

fn cut(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// Characters made of a hash (FNV-1a) of stack and logical id.
fn drawn(stack: &str, id: &str, alphabet: &[u8]) -> String {
    let bytes = stack.bytes().chain([0]).chain(id.bytes());
    let mut hash = bytes.fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    });
    let letter = |_| {
        let index = (hash % alphabet.len() as u128) as usize;
        hash /= alphabet.len() as u128;
        char::from(alphabet[index])
    };
    (0..DRAWN).map(letter).collect()
}

/// A folder's name as that of a stack: letters, digits and dashes, a letter first.
pub(in crate::project) fn of_stack(folder: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = folder.chars().map(allowed).take(128).collect();
    let name = name.trim_matches('-');
    match name.chars().next() {
        Some(first) if first.is_ascii_alphabetic() => name.to_owned(),
        Some(_) => format!("stack-{name}"),
        None => "stack".to_owned(),
    }
}
