//! "Did you mean ...?": the nearest of some names.

/// Names longer than this are not compared.
const MAX_NAME_CHARS: usize = 80;
/// How many candidates are looked at.
const MAX_CANDIDATES: usize = 1000;

/// The candidate that `name` most likely stands for: equal but for case, or a few typing mistakes away
/// (one for each three characters). The first of equally near ones.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = name.chars().take(MAX_NAME_CHARS + 1).flat_map(char::to_lowercase).collect();
    if wanted.len() > MAX_NAME_CHARS {
        return None;
    }
    let allowed = (wanted.len() / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates.into_iter().take(MAX_CANDIDATES) {
        if candidate == name {
            continue;
        }
        let other: Vec<char> = candidate.chars().take(MAX_NAME_CHARS).flat_map(char::to_lowercase).collect();
        if wanted.len().abs_diff(other.len()) > allowed {
            continue;
        }
        let distance = distance(&wanted, &other);
        if distance <= allowed && best.is_none_or(|(d, _)| distance < d) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// How many insertions, deletions, replacements and swaps of neighbours lead from `a` to `b`.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replace = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replace.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_mistakes_are_seen_through() {
        let names = ["Next", "End", "Resource", "ResultPath", "ResultSelector"];
        for (typed, meant) in [
            ("next", Some("Next")),
            ("Nxet", Some("Next")),
            ("Resorce", Some("Resource")),
            ("ResultsPath", Some("ResultPath")),
            ("Zebra", None),
            ("", None),
            ("Next", None),
        ] {
            assert_eq!(nearest(typed, names), meant, "{typed}");
        }
        assert_eq!(nearest(&"x".repeat(10_000), names), None);
    }
}
