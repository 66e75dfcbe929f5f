//! "Did you mean ...?" for the actions of services.

use asl_expr::nearest;

/// Verbs that names of actions begin with, and what others say for them; those of AWS first.
const VERBS: [&[&str]; 9] = [
    &["get", "describe", "read", "fetch", "retrieve", "download", "load", "show"],
    &["put", "write", "upload", "store", "save", "insert", "set"],
    &["create", "register", "make", "add", "new"],
    &["delete", "deregister", "terminate", "remove", "destroy", "drop"],
    &["start", "run", "invoke", "execute", "launch", "begin", "call"],
    &["stop", "cancel", "terminate", "abort", "end", "kill"],
    &["update", "modify", "change", "edit"],
    &["list", "search", "enumerate", "find"],
    &["send", "publish", "put", "post", "emit"],
];

/// The action that `action` most likely stands for: the same with another verb of the same meaning (`readObject` is `getObject`, though
/// `headObject` has more of its letters), or else the [`nearest`].
pub fn nearest_action<'a>(action: &str, actions: impl IntoIterator<Item = &'a str> + Clone) -> Option<&'a str> {
    // Some name their actions with a capital letter.
    let verb_end = action.char_indices().skip(1).find(|(_, c)| c.is_ascii_uppercase()).map(|(index, _)| index);
    let same_meaning = verb_end.and_then(|end| {
        let (verb, rest) = action.split_at(end);
        let others = VERBS.iter().filter(|verbs| verbs.iter().any(|known| known.eq_ignore_ascii_case(verb)));
        let mut others = others.flat_map(|verbs| verbs.iter()).filter(|other| !other.eq_ignore_ascii_case(verb));
        others.find_map(|other| {
            let has_it = |name: &&str| {
                let parts = name.get(..other.len()).zip(name.get(other.len()..));
                parts.is_some_and(|(v, r)| v.eq_ignore_ascii_case(other) && r.eq_ignore_ascii_case(rest))
            };
            actions.clone().into_iter().find(has_it)
        })
    });
    same_meaning.or_else(|| nearest(action, actions))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_the_same_meaning_is_nearer_than_what_has_the_same_letters() {
        let actions = ["headObject", "getObject", "putObject", "deleteObject", "listObjectsV2", "createBucket"];
        for (written, meant) in [
            ("readObject", Some("getObject")),
            ("ReadObject", Some("getObject")),
            ("writeObject", Some("putObject")),
            ("removeObject", Some("deleteObject")),
            ("makeBucket", Some("createBucket")),
            ("haedObject", Some("headObject")),
            ("getObjct", Some("getObject")),
            ("read", None),
            ("", None),
            ("größeLesen", None),
        ] {
            assert_eq!(nearest_action(written, actions), meant, "{written}");
        }
    }
}
