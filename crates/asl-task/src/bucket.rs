//! Buckets: local folders that stand for S3 buckets, for the ItemReader and ResultWriter of a Distributed Map.

use asl_core::Failure;
use asl_core::WriteResults;
use asl_core::items::{Bucket, Listed};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Folders by the name of the bucket they stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Buckets {
    folders: BTreeMap<String, PathBuf>,
    /// Where everything is written, and looked for first.
    over: Option<PathBuf>,
}

impl Buckets {
    /// Buckets of these folders.
    pub fn new(folders: BTreeMap<String, PathBuf>) -> Buckets {
        Buckets { folders, over: None }
    }

    /// The same buckets, but what is written goes to folders below `over`, and is read and listed there from then on.
    pub fn written_to(self, over: &Path) -> Buckets {
        Buckets { over: Some(over.to_owned()), ..self }
    }

    /// Whether a bucket is declared.
    pub fn contains(&self, name: &str) -> bool {
        self.folders.contains_key(name)
    }

    /// Writes what a ResultWriter has. Blocks on the file system. Each file appears whole or not at all.
    ///
    /// # Errors
    /// `States.ResultWriterFailed`, with what is wrong.
    pub fn write(&self, write: &WriteResults) -> Result<(), Failure> {
        let failed = |cause: String| Failure::new("States.ResultWriterFailed", cause);
        let declared = self.folder(&write.bucket).map_err(failed)?;
        let over = self.over(&write.bucket);
        let folder = over.as_deref().unwrap_or(declared);
        for file in &write.files {
            let path = inside(folder, &file.key).map_err(failed)?;
            put(&path, file.body.as_bytes()).map_err(|e| failed(format!("{}: {e}", path.display())))?;
        }
        Ok(())
    }

    /// Writes one object. Blocks on the file system. The file appears whole or not at all.
    ///
    /// # Errors
    /// In words: no such bucket, a key that leads out of it, or what the system said.
    pub fn put(&self, bucket: &str, key: &str, body: &[u8]) -> Result<(), String> {
        let declared = self.folder(bucket)?;
        let over = self.over(bucket);
        let path = inside(over.as_deref().unwrap_or(declared), key)?;
        put(&path, body).map_err(|e| format!("{}: {e}", path.display()))
    }

    fn folder(&self, name: &str) -> Result<&Path, String> {
        let found = self.folders.get(name).map(PathBuf::as_path);
        found.ok_or_else(|| format!("the bucket '{name}' is not declared: add [buckets.{name}] to the project file"))
    }

    fn over(&self, name: &str) -> Option<PathBuf> {
        self.over.as_ref().map(|over| over.join(name))
    }
}

impl Bucket for Buckets {
    fn get(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, String> {
        let declared = self.folder(bucket)?;
        for folder in self.over(bucket).iter().map(PathBuf::as_path).chain([declared]) {
            let path = inside(folder, key)?;
            match fs::read(&path) {
                Ok(body) => return Ok(Some(body)),
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(format!("{}: {e}", path.display())),
            }
        }
        Ok(None)
    }

    fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<Listed>, String> {
        let declared = self.folder(bucket)?;
        let mut objects = Vec::new();
        let over = self.over(bucket).filter(|over| over.exists());
        for folder in over.iter().map(PathBuf::as_path).chain([declared]) {
            list(folder, folder, prefix, &mut objects).map_err(|e| format!("{}: {e}", folder.display()))?;
        }
        // Stable: of two with the same key, the one that was written comes first.
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        objects.dedup_by(|a, b| a.key == b.key);
        Ok(objects)
    }
}

/// The place of a key in a bucket's folder; keys that would lead out of it are refused.
fn inside(folder: &Path, key: &str) -> Result<PathBuf, String> {
    let relative = Path::new(key);
    let plain = relative.components().all(|c| matches!(c, Component::Normal(_)));
    if key.is_empty() || !plain {
        return Err(format!("the key '{key}' cannot be a file in a local bucket"));
    }
    Ok(folder.join(relative))
}

fn put(path: &Path, body: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    fs::write(&part, body)?;
    fs::rename(part, path)
}

fn list(root: &Path, folder: &Path, prefix: &str, out: &mut Vec<Listed>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let meta = entry.metadata()?;
        if meta.is_dir() {
            list(root, &path, prefix, out)?;
            continue;
        }
        let Some(key) = path.strip_prefix(root).ok().and_then(Path::to_str) else { continue };
        if !key.starts_with(prefix) {
            continue;
        }
        let modified = meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        let etag = crate::embedded::md5(&fs::read(&path)?);
        out.push(Listed { key: key.to_owned(), size: meta.len(), etag, modified_s: modified.as_secs_f64() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_listed_and_read() {
        let folder = tempfile::tempdir().unwrap();
        let buckets = Buckets::new(BTreeMap::from([("b".to_owned(), folder.path().to_owned())]));
        put(&folder.path().join("in/two.json"), b"[2]").unwrap();
        put(&folder.path().join("in/one.json"), b"[1]").unwrap();
        put(&folder.path().join("other"), b"").unwrap();
        let keys: Vec<String> = buckets.list("b", "in/").unwrap().into_iter().map(|o| o.key).collect();
        assert_eq!(keys, ["in/one.json", "in/two.json"]);
        assert_eq!(buckets.get("b", "in/one.json"), Ok(Some(b"[1]".to_vec())));
        assert_eq!(buckets.get("b", "none"), Ok(None));
        assert!(buckets.get("c", "x").unwrap_err().contains("[buckets.c]"));
    }

    #[test]
    fn what_is_written_can_go_elsewhere() {
        let (folder, over) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        put(&folder.path().join("old"), b"1").unwrap();
        put(&folder.path().join("both"), b"1").unwrap();
        let buckets =
            Buckets::new(BTreeMap::from([("b".to_owned(), folder.path().to_owned())])).written_to(over.path());
        assert_eq!(buckets.list("b", "").unwrap().len(), 2);
        put(&over.path().join("b/both"), b"2").unwrap();
        put(&over.path().join("b/new"), b"2").unwrap();
        let keys: Vec<String> = buckets.list("b", "").unwrap().into_iter().map(|o| o.key).collect();
        assert_eq!(keys, ["both", "new", "old"]);
        assert_eq!(buckets.get("b", "both"), Ok(Some(b"2".to_vec())));
        assert_eq!(buckets.get("b", "old"), Ok(Some(b"1".to_vec())));
    }

    #[test]
    fn keys_stay_in_their_folder() {
        let folder = Path::new("/bucket");
        assert_eq!(inside(folder, "a/b.json"), Ok(PathBuf::from("/bucket/a/b.json")));
        for key in ["", "/etc/passwd", "../x", "a/../../x", "./x"] {
            assert!(inside(folder, key).is_err(), "{key}");
        }
    }
}
