//! Buckets: local folders that stand for S3 buckets, for the ItemReader and ResultWriter of a Distributed Map.

use crate::folder::{Folder, is_own};
use crate::s3::about;
use asl_core::Failure;
use asl_core::WriteResults;
use asl_core::items::{Bucket, Listed};
use asl_value::Map;
use md5::{Digest, Md5};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::UNIX_EPOCH;

/// Folders by the name of the bucket they stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Buckets {
    folders: BTreeMap<String, PathBuf>,
    /// Where everything is written, and looked for first.
    over: Option<PathBuf>,
    /// Whose folders are made by what is written first, and empty until then.
    made: BTreeSet<String>,
    /// What was deleted of the folders below `over`, which are not written to.
    gone: Gone,
}

/// Buckets and keys.
#[derive(Clone, Debug, Default)]
struct Gone(Arc<Mutex<BTreeSet<(String, String)>>>);

impl PartialEq for Gone {
    fn eq(&self, other: &Gone) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || *self.lock() == *other.lock()
    }
}

impl Eq for Gone {}

impl Gone {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<(String, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has(&self, bucket: &str, key: &str) -> bool {
        self.lock().contains(&(bucket.to_owned(), key.to_owned()))
    }
}

/// An object, open for reading.
#[derive(Debug)]
pub struct Object {
    /// Its content.
    pub file: File,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written, in epoch milliseconds.
    pub modified_ms: i64,
    /// The headers that it was stored with, by the names of `PutObject` (`ContentType`, `CacheControl` ...), all of them texts.
    pub headers: Map,
    /// Its own metadata: texts.
    pub metadata: Map,
}

impl Object {
    /// The MD5 of its content in hex; reads all of it, and goes back to its beginning.
    ///
    /// # Errors
    /// What the system said.
    pub fn etag(&mut self) -> io::Result<String> {
        let etag = of_file(String::new(), &mut self.file)?.etag;
        self.file.rewind()?;
        Ok(etag)
    }
}

impl Buckets {
    /// Buckets of these folders.
    pub fn new(folders: BTreeMap<String, PathBuf>) -> Buckets {
        Buckets { folders, over: None, made: BTreeSet::new(), gone: Gone::default() }
    }

    /// The same buckets, but what is written goes to folders below `over`, and is read and listed there from then on.
    pub fn written_to(self, over: &Path) -> Buckets {
        Buckets { over: Some(over.to_owned()), gone: Gone::default(), ..self }
    }

    /// The same buckets; the folders of these need not be there until something is written.
    pub fn made_when_needed(self, names: impl IntoIterator<Item = String>) -> Buckets {
        Buckets { made: names.into_iter().collect(), ..self }
    }

    /// The names of the buckets.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.folders.keys().map(String::as_str)
    }

    /// Whether a bucket is declared.
    pub fn contains(&self, name: &str) -> bool {
        self.folders.contains_key(name)
    }

    /// Writes what a ResultWriter has. Blocks on the file system. Each file appears whole or not at all, and is on the disk
    /// when it appears.
    ///
    /// # Errors
    /// `States.ResultWriterFailed`, with what is wrong.
    pub fn write(&self, write: &WriteResults) -> Result<(), Failure> {
        let failed = |cause: String| Failure::new("States.ResultWriterFailed", cause);
        let declared = self.folder(&write.bucket).map_err(failed)?;
        let over = self.over(&write.bucket);
        let path = over.as_deref().unwrap_or(declared);
        if over.is_some() || self.made.contains(&*write.bucket) {
            fs::create_dir_all(path).map_err(|e| failed(format!("{}: {e}", path.display())))?;
        }
        let folder = Folder::open(path).map_err(|e| failed(format!("{}: {e}", path.display())))?;
        for file in &write.files {
            let written = folder.write(&file.key, file.body.as_bytes());
            written.map_err(|e| failed(format!("{}: {e}", path.join(&file.key).display())))?;
        }
        Ok(())
    }

    /// Writes one object. Blocks on the file system. The file appears whole or not at all, and is on the disk when it appears.
    ///
    /// # Errors
    /// In words: no such bucket, a key that leads out of it, or what the system said.
    pub fn put(&self, bucket: &str, key: &str, body: &[u8]) -> Result<(), String> {
        self.put_object(bucket, key, &mut &*body, &Map::new(), &Map::new())
    }

    /// The same for a body that is read piece by piece, with the headers and metadata of [`Object`].
    ///
    /// # Errors
    /// As [`Buckets::put`].
    pub fn put_object(
        &self,
        bucket: &str,
        key: &str,
        body: &mut dyn Read,
        headers: &Map,
        metadata: &Map,
    ) -> Result<(), String> {
        let declared = self.folder(bucket)?;
        let over = self.over(bucket);
        let path = over.as_deref().unwrap_or(declared);
        let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", path.join(key).display());
        if over.is_some() || self.made.contains(bucket) {
            fs::create_dir_all(path).map_err(|e| failed(&e))?;
        }
        let folder = Folder::open(path).map_err(|e| failed(&e))?;
        let before = folder.described(key);
        let describe = |file: &fs::Metadata| about::describe(file, headers, metadata, before.as_deref());
        folder.write_described(key, body, Some(&describe)).map_err(|e| failed(&e))?;
        self.gone.lock().remove(&(bucket.to_owned(), key.to_owned()));
        Ok(())
    }

    /// Opens an object; `None` if there is none.
    ///
    /// # Errors
    /// As [`Buckets::put`].
    pub fn object(&self, bucket: &str, key: &str) -> Result<Option<Object>, String> {
        for (path, folder) in self.layers(bucket)? {
            if self.hides(bucket, key, &path) {
                continue;
            }
            let failed = |e: String| format!("{}: {e}", path.join(key).display());
            let Some(file) = folder.read(key).map_err(failed)? else { continue };
            let meta = file.metadata().map_err(|e| failed(e.to_string()))?;
            let (headers, metadata) =
                folder.described(key).and_then(|text| about::of(&meta, &text)).unwrap_or_default();
            let modified = meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
            let modified_ms = i64::try_from(modified.as_millis()).unwrap_or(i64::MAX);
            return Ok(Some(Object { file, size: meta.len(), modified_ms, headers, metadata }));
        }
        Ok(None)
    }

    /// Removes an object, if it is there.
    ///
    /// # Errors
    /// As [`Buckets::put`].
    pub fn delete(&self, bucket: &str, key: &str) -> Result<(), String> {
        let layers = self.layers(bucket)?;
        let over = self.over(bucket);
        for (path, folder) in &layers {
            if over.as_ref().is_none_or(|over| over == path) {
                folder.remove(key).map_err(|e| format!("{}: {e}", path.join(key).display()))?;
            }
        }
        if over.is_some() {
            self.gone.lock().insert((bucket.to_owned(), key.to_owned()));
        }
        Ok(())
    }

    /// The folders of a bucket that are there, the one that comes first first.
    fn layers(&self, bucket: &str) -> Result<Vec<(PathBuf, Folder)>, String> {
        let declared = self.folder(bucket)?;
        let over = self.over(bucket).filter(|over| over.exists());
        let is_there = declared.exists() || !self.made.contains(bucket);
        let paths = over.into_iter().chain(is_there.then(|| declared.to_owned()));
        paths
            .map(|path| match Folder::open(&path) {
                Ok(folder) => Ok((path, folder)),
                Err(problem) => Err(format!("{}: {problem}", path.display())),
            })
            .collect()
    }

    fn folder(&self, name: &str) -> Result<&Path, String> {
        let found = self.folders.get(name).map(PathBuf::as_path);
        found.ok_or_else(|| format!("the bucket '{name}' is not declared: add [buckets.{name}] to the project file"))
    }

    /// Whether a file of the folder at `path` counts as deleted: the folder itself is left as it is.
    fn hides(&self, bucket: &str, key: &str, path: &Path) -> bool {
        self.over(bucket).is_some_and(|over| over != path) && self.gone.has(bucket, key)
    }

    fn over(&self, name: &str) -> Option<PathBuf> {
        self.over.as_ref().map(|over| over.join(name))
    }
}

impl Bucket for Buckets {
    fn open(&self, bucket: &str, key: &str) -> Result<Option<Box<dyn BufRead + '_>>, String> {
        for (path, folder) in self.layers(bucket)? {
            if self.hides(bucket, key, &path) {
                continue;
            }
            let file = folder.read(key).map_err(|e| format!("{}: {e}", path.join(key).display()))?;
            if let Some(file) = file {
                return Ok(Some(Box::new(BufReader::with_capacity(PIECE_BYTES, file))));
            }
        }
        Ok(None)
    }

    fn list(&self, bucket: &str, prefix: &str, most: usize) -> Result<Vec<Listed>, String> {
        let layers = self.layers(bucket)?;
        let found = self.found(bucket, &layers, prefix, most)?;
        let listed = found.into_iter().map(|(key, layer)| {
            let (path, folder) = &layers[layer];
            // A file that went away meanwhile is not listed.
            let Ok(Some(mut file)) = folder.read(&key) else { return Ok(None) };
            let listed = of_file(key, &mut file);
            listed.map(Some).map_err(|e| format!("{}: {e}", path.display()))
        });
        listed.filter_map(Result::transpose).collect()
    }

    fn keys(&self, bucket: &str, prefix: &str) -> Result<Vec<String>, String> {
        let layers = self.layers(bucket)?;
        Ok(self.found(bucket, &layers, prefix, usize::MAX)?.into_iter().map(|(key, _)| key).collect())
    }
}

impl Buckets {
    /// The first keys in order but those that were deleted, each with the layer it comes from.
    fn found(
        &self,
        bucket: &str,
        layers: &[(PathBuf, Folder)],
        prefix: &str,
        most: usize,
    ) -> Result<Vec<(String, usize)>, String> {
        let gone = self.gone.lock().iter().filter(|(name, _)| name == bucket).count();
        let mut found = keys(layers, prefix, most.saturating_add(gone))?;
        if gone > 0 {
            found.retain(|(key, layer)| !self.hides(bucket, key, &layers[*layer].0));
        }
        found.truncate(most);
        Ok(found)
    }
}

/// How much of a file is read at a time, in bytes.
const PIECE_BYTES: usize = 64 << 10;

/// The first keys in order, each with the layer it comes from. No more than twice as many are held.
fn keys(layers: &[(PathBuf, Folder)], prefix: &str, most: usize) -> Result<Vec<(String, usize)>, String> {
    let mut found = Vec::new();
    let cut = |found: &mut Vec<(String, usize)>| {
        // Of two with the same key, that of the upper layer comes first.
        found.sort_unstable();
        found.dedup_by(|a, b| a.0 == b.0);
        found.truncate(most);
    };
    for (number, (path, folder)) in layers.iter().enumerate() {
        let mut found_one = |key: String, is_link: bool| {
            // A link counts as the file of the bucket that it leads to.
            if is_link && !matches!(folder.read(&key), Ok(Some(_))) {
                return;
            }
            found.push((key, number));
            if found.len() / 2 >= most {
                cut(&mut found);
            }
        };
        walk(path, "", prefix, &mut found_one).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    cut(&mut found);
    Ok(found)
}

/// Tells of every file below a folder whose key begins with the prefix; goes through no link to a folder.
fn walk(folder: &Path, above: &str, prefix: &str, found: &mut dyn FnMut(String, bool)) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
        let kind = entry.file_type()?;
        if kind.is_dir() {
            let below = format!("{above}{name}/");
            if below.starts_with(prefix) || prefix.starts_with(&below) {
                walk(&entry.path(), &below, prefix, found)?;
            }
        } else if (kind.is_file() || kind.is_symlink()) && !is_own(&name) {
            let key = format!("{above}{name}");
            if key.starts_with(prefix) {
                found(key, kind.is_symlink());
            }
        }
    }
    Ok(())
}

fn of_file(key: String, file: &mut File) -> io::Result<Listed> {
    let meta = file.metadata()?;
    let modified = meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let mut hash = Md5::new();
    let mut piece = vec![0; PIECE_BYTES];
    let mut size = 0;
    loop {
        let length = file.read(&mut piece)?;
        if length == 0 {
            break;
        }
        size += length as u64;
        hash.update(&piece[..length]);
    }
    let etag = hash.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    Ok(Listed { key, size, etag, modified_s: modified.as_secs_f64() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(path: &Path, body: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, body).unwrap();
    }

    fn bucket(folder: &Path) -> Buckets {
        Buckets::new(BTreeMap::from([("b".to_owned(), folder.to_owned())]))
    }

    fn get(buckets: &Buckets, bucket: &str, key: &str) -> Result<Option<String>, String> {
        let mut text = String::new();
        let opened = buckets.open(bucket, key)?;
        Ok(opened.map(|mut body| body.read_to_string(&mut text).unwrap()).map(|_| text))
    }

    fn listed(buckets: &Buckets, prefix: &str, most: usize) -> Vec<String> {
        buckets.list("b", prefix, most).unwrap().into_iter().map(|object| object.key).collect()
    }

    #[test]
    fn what_is_written_is_listed_and_read() {
        let folder = tempfile::tempdir().unwrap();
        let buckets = bucket(folder.path());
        for (file, body) in [("in/two.json", "[2]"), ("in/one.json", "[1]"), ("in.txt", ""), ("other", "")] {
            put(&folder.path().join(file), body);
        }
        assert_eq!(listed(&buckets, "in/", 9), ["in/one.json", "in/two.json"]);
        assert_eq!(listed(&buckets, "in", 9), ["in.txt", "in/one.json", "in/two.json"]);
        assert_eq!(
            listed(&buckets, "", 2),
            ["in.txt", "in/one.json"],
            "the first in order, whatever the folder says first"
        );
        assert_eq!(buckets.keys("b", "in/").unwrap(), ["in/one.json", "in/two.json"]);
        let one = buckets.list("b", "in/one", 1).unwrap().remove(0);
        assert_eq!((one.size, &*one.etag), (3, "35dba5d75538a9bbe0b4da4422759a0e"));
        assert_eq!(get(&buckets, "b", "in/one.json"), Ok(Some("[1]".to_owned())));
        assert_eq!(get(&buckets, "b", "none"), Ok(None));
        assert!(get(&buckets, "c", "x").unwrap_err().contains("[buckets.c]"));
    }

    #[test]
    fn what_is_written_can_go_elsewhere() {
        let (folder, over) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        put(&folder.path().join("old"), "1");
        put(&folder.path().join("both"), "1");
        let buckets = bucket(folder.path()).written_to(over.path());
        assert_eq!(buckets.list("b", "", 9).unwrap().len(), 2);
        put(&over.path().join("b/both"), "2");
        put(&over.path().join("b/new"), "2");
        assert_eq!(listed(&buckets, "", 9), ["both", "new", "old"]);
        assert_eq!(get(&buckets, "b", "both"), Ok(Some("2".to_owned())));
        assert_eq!(get(&buckets, "b", "old"), Ok(Some("1".to_owned())));
    }

    #[test]
    fn what_is_no_file_of_the_folder_is_not_there() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        put(&outside.path().join("secret"), "secret");
        put(&folder.path().join("file"), "1");
        put(&folder.path().join(".7-1.asl-part"), "half");
        std::os::unix::fs::symlink(outside.path().join("secret"), folder.path().join("out")).unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join("outer")).unwrap();
        let fifo = std::process::Command::new("mkfifo").arg(folder.path().join("fifo")).status().unwrap();
        assert!(fifo.success());
        let buckets = bucket(folder.path());
        assert_eq!(listed(&buckets, "", 9), ["file"]);
        assert_eq!(buckets.keys("b", "").unwrap(), ["file"]);
        assert!(get(&buckets, "b", "out").unwrap_err().contains("a link leads out of the bucket's folder"));
        assert!(get(&buckets, "b", "fifo").unwrap_err().contains("not a regular file"));
    }
}
