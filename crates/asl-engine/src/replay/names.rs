//! Names that nobody recorded: ARNs, UUIDs, task tokens. A replay makes its own; what stands for what is learnt where they
//! first meet, and must stay so.

use asl_expr::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;

/// Which of our names stands for which recorded one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    /// Names of ours that an exported history does not tell, the longest first.
    made_up: Vec<Arc<str>>,
    known: HashMap<String, String>,
}

/// Pairs that were learnt while two events were compared: kept when the events are the same.
pub(crate) type Learnt = Vec<(String, String)>;

impl Names {
    /// With these names of ours that the history does not tell.
    pub(crate) fn new(mut made_up: Vec<Arc<str>>) -> Names {
        made_up.sort_by_key(|name| std::cmp::Reverse(name.len()));
        Names { made_up, known: HashMap::new() }
    }

    /// Another one, such as a task token.
    pub(crate) fn make_up(&mut self, name: &Arc<str>) {
        if !self.made_up.contains(name) {
            self.made_up.push(name.clone());
            self.made_up.sort_by_key(|name| std::cmp::Reverse(name.len()));
        }
    }

    pub(crate) fn keep(&mut self, learnt: Learnt) {
        self.known.extend(learnt);
    }

    /// True when the texts are the same but for names, UUIDs, and instants.
    pub(crate) fn same(&self, recorded: &str, replayed: &str, learnt: &mut Learnt) -> bool {
        if recorded == replayed {
            return true;
        }
        if Timestamp::parse(recorded).is_ok() && Timestamp::parse(replayed).is_ok() {
            return true;
        }
        // Names first: they may have UUIDs in them.
        for name in &self.made_up {
            if let Some((before, rest)) = replayed.split_once(&**name) {
                return recorded
                    .strip_prefix(before)
                    .is_some_and(|recorded| self.stands_for(recorded, name, rest, learnt));
            }
        }
        let (ours, theirs) = (uuids(replayed), uuids(recorded));
        if ours.is_empty() || ours.len() != theirs.len() {
            return false;
        }
        let (mut a, mut b) = (0, 0);
        for (our, their) in ours.iter().zip(&theirs) {
            if replayed[a..*our] != recorded[b..*their] {
                return false;
            }
            (a, b) = (our + UUID, their + UUID);
            if !self.learn(&replayed[*our..a], &recorded[*their..b], learnt) {
                return false;
            }
        }
        replayed[a..] == recorded[b..]
    }

    /// The recorded text begins with what stands for `name`, and goes on like `rest`.
    fn stands_for(&self, recorded: &str, name: &str, rest: &str, learnt: &mut Learnt) -> bool {
        let known = self.known.get(name).or_else(|| learnt.iter().find(|(ours, _)| ours == name).map(|(_, t)| t));
        if let Some(known) = known.cloned() {
            return recorded.strip_prefix(&*known).is_some_and(|recorded| self.same(recorded, rest, learnt));
        }
        // It ends where the rest begins: what is fixed in that, up to the next name.
        let fixed = self.made_up.iter().filter_map(|name| rest.find(&**name)).min().unwrap_or(rest.len());
        let fixed = &rest[..uuids(rest).first().copied().unwrap_or(fixed).min(fixed)];
        let end = if fixed.is_empty() && rest.is_empty() { Some(recorded.len()) } else { recorded.find(fixed) };
        let Some(end) = end.filter(|end| *end > 0) else { return false };
        self.learn(name, &recorded[..end], learnt) && self.same(&recorded[end..], rest, learnt)
    }

    fn learn(&self, ours: &str, theirs: &str, learnt: &mut Learnt) -> bool {
        let known = self.known.get(ours).or_else(|| learnt.iter().find(|(name, _)| name == ours).map(|(_, name)| name));
        match known {
            Some(known) => known == theirs,
            None => {
                learnt.push((ours.to_owned(), theirs.to_owned()));
                true
            }
        }
    }
}

/// The length of a UUID in bytes.
const UUID: usize = 36;

/// Where the UUIDs of a text begin.
fn uuids(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at + UUID <= bytes.len() {
        if is_uuid(&bytes[at..at + UUID]) {
            found.push(at);
            at += UUID;
        } else {
            at += 1;
        }
    }
    found
}

fn is_uuid(bytes: &[u8]) -> bool {
    let dashes = [8, 13, 18, 23];
    bytes.iter().enumerate().all(|(i, b)| if dashes.contains(&i) { *b == b'-' } else { b.is_ascii_hexdigit() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaa-0000-4000-8000-00000000000a";
    const B: &str = "bbbbbbbb-0000-4000-8000-00000000000b";

    #[test]
    fn names_stand_for_names_and_stay_so() {
        let mut names = Names::new(vec!["run".into(), "arn:x:run".into()]);
        let same = |names: &Names, recorded: &str, replayed: &str| {
            let mut learnt = Learnt::new();
            names.same(recorded, replayed, &mut learnt).then_some(learnt)
        };
        assert!(same(&names, "arn:y:mine/1", "arn:x:run/1").is_some());
        assert!(same(&names, "arn:y:mine/2", "arn:x:run/1").is_none());
        names.keep(same(&names, "hello mine!", "hello run!").unwrap());
        assert!(same(&names, "mine", "run").is_some());
        assert!(same(&names, "yours", "run").is_none());
        names.keep(same(&names, &format!("id {A}."), &format!("id {B}.")).unwrap());
        assert!(same(&names, A, B).is_some());
        assert!(same(&names, B, B).is_some(), "the same text is the same");
        assert!(same(&names, "id x.", &format!("id {B}.")).is_none());
        assert!(same(&names, "2024-01-01T00:00:00Z", "2025-01-01T00:00:00.5Z").is_some());
        assert!(same(&names, "one", "two").is_none());
        // A name within a name, twice, and whatever text is between.
        assert!(same(&names, "mine mine", "run run").is_some());
        assert!(same(&names, "é mine é", "é run é").is_some());
    }
}
