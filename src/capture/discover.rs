//! From paths to inputs: which files there are, which are captures, and when each begins.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::beneath;
use super::reader::Reader;
use super::source::{Source, Ties, Unpack};
use super::{Inputs, Inventory};
use crate::condensate::Head;
use crate::error::{Error, Result};
use crate::frame::Block;
use crate::limits;
use crate::time::Timestamp;

/// The inputs in the order of their beginnings.
pub(super) struct Found {
    pub(super) pending: Vec<Pending>,
    /// What reading the beginnings of pipes has told.
    pub(super) inventory: Inventory,
    pub(super) ties: Ties,
    /// Bytes to consume, unless a pipe is among them.
    pub(super) total: Option<u64>,
}

/// An input not begun yet.
pub(super) struct Pending {
    pub(super) path: PathBuf,
    /// Its first frame's time; none where there is no frame or where it was not looked for.
    pub(super) first: Option<Timestamp>,
    /// Already open, with the frames read: what cannot be opened twice, and an only input.
    pub(super) reader: Option<(Reader, Block)>,
    /// Why it cannot be read.
    pub(super) problem: Option<String>,
    /// What it says of itself, if it is a condensate.
    pub(super) head: Option<Head>,
    /// What the frames read of a condensate came with.
    pub(super) inventory: Inventory,
}

/// Looks at all paths. Waits for the first bytes of pipes, and for their first frames when there are several inputs to order.
pub(super) fn discover(inputs: &Inputs, stop: Option<&Arc<AtomicBool>>) -> Result<Found> {
    let Inputs { paths, observer, filter: _ } = inputs;
    let mut candidates = Vec::new();
    for (root, path) in paths.iter().enumerate() {
        if is_directory(path) {
            walk(path, root, 0, &mut candidates)?;
        } else {
            candidates.push(Candidate { path: path.clone(), root: None });
        }
    }
    let only = candidates.len() == 1;
    let ties = Ties { consumed: Arc::default(), observer: observer.clone(), stop: stop.cloned() };
    let mut found = Found { pending: Vec::new(), inventory: Inventory::default(), ties, total: Some(0) };
    let mut fruitless: BTreeSet<usize> = (0..paths.len()).filter(|&root| paths.get(root).is_some_and(|path| is_directory(path))).collect();
    let mut scratch = Block::default();
    for Candidate { path, root } in candidates {
        let len = regular_len(&path);
        let outcome = match len {
            Some(_) if !only => peek(&path, &mut scratch).map(|(first, head)| (None, first, head, Inventory::default())),
            _ => begin(&path, only, &mut found),
        };
        let (reader, first, head, inventory, problem) = match outcome {
            Ok((reader, first, head, inventory)) => (reader, first, head, inventory, None),
            Err(Error::NotACapture { .. }) if root.is_some() => continue,
            Err(error) if root.is_some() => (None, None, None, Inventory::default(), Some(error.to_string())),
            Err(error) => return Err(error),
        };
        if problem.is_none() {
            found.total = found.total.zip(len).map(|(total, len)| total.saturating_add(len));
        }
        if let Some(root) = root {
            fruitless.remove(&root);
        }
        found.pending.push(Pending { path, first, reader, problem, head, inventory });
    }
    if let Some(path) = fruitless.first().and_then(|&root| paths.get(root)) {
        return Err(Error::EmptyDirectory { path: path.clone() });
    }
    found.pending.sort_by_key(|pending| (pending.first.is_none(), pending.first));
    Ok(found)
}

/// A capture in a directory, of which no more than the beginning has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The directory as given, and where in it.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Its first frame's time; none without a frame.
    pub first: Option<Timestamp>,
    /// Why it cannot be read.
    pub problem: Option<String>,
}

/// The captures in a directory, in the order of their paths.
pub(super) fn list(directory: &Path) -> Result<Vec<Listed>> {
    let mut candidates = Vec::new();
    walk(directory, 0, 0, &mut candidates)?;
    let mut scratch = Block::default();
    let listed = candidates.into_iter().filter_map(|Candidate { path, .. }| {
        let (first, problem) = match peek(&path, &mut scratch) {
            Ok((first, _)) => (first, None),
            Err(Error::NotACapture { .. }) => return None,
            Err(error) => (None, Some(error.to_string())),
        };
        let bytes = regular_len(&path).unwrap_or_default();
        Some(Listed { path, bytes, first, problem })
    });
    Ok(listed.collect())
}

/// The time of a file's latest frame, for which all of it is read.
pub(super) fn last(path: &Path) -> Result<Option<Timestamp>> {
    let uncounted = Ties::default();
    let mut reader = Reader::new(path, Source::open(path, Unpack::Here, &uncounted)?, &uncounted.observer)?;
    let (mut scratch, mut inventory) = (Block::default(), Inventory::default());
    while reader.fill(&mut scratch, &mut inventory)? {}
    Ok(inventory.inputs.iter().filter_map(|input| input.last).max())
}

/// Whether a file is a capture that is read because a directory that holds it was named.
pub(super) fn is_found(path: &Path, inputs: &[PathBuf]) -> bool {
    let Ok(place) = fs::canonicalize(path) else { return false };
    let holds = |input: &PathBuf| is_directory(input) && fs::canonicalize(input).is_ok_and(|directory| place.starts_with(directory));
    inputs.iter().any(holds) && regular_len(path).is_some() && peek(path, &mut Block::default()).is_ok()
}

/// A single stream.
pub(super) fn from_stream(name: &Path, stream: Box<dyn Read + Send>) -> Result<Found> {
    let ties = Ties::default();
    let reader = Reader::new(name, Source::new(name, stream, false, Unpack::Beside, &ties)?, &ties.observer)?;
    let mut found = Found { pending: Vec::new(), inventory: Inventory::default(), ties, total: None };
    let (reader, first, head, inventory) = begun(reader, true, &mut found)?;
    found.pending.push(Pending { path: name.to_owned(), first, reader, problem: None, head, inventory });
    Ok(found)
}

/// An input opened, with the frames read of it, the first one's time, and what a condensate says of itself.
type Begun = (Option<(Reader, Block)>, Option<Timestamp>, Option<Head>, Inventory);

/// Opens what stays open, and reads its first frames if it has to be ordered among others.
fn begin(path: &Path, only: bool, found: &mut Found) -> Result<Begun> {
    begun(open(path, &found.ties)?, only, found)
}

fn begun(mut reader: Reader, only: bool, found: &mut Found) -> Result<Begun> {
    let mut block = Block::default();
    let mut inventory = Inventory::default();
    if reader.may_be_condensed() {
        reader.fill(&mut block, &mut inventory)?;
        if reader.told.head.is_none() {
            // Another program has rewritten it: what is left is a capture like others.
            found.inventory = std::mem::take(&mut inventory);
        }
    } else if !only {
        reader.fill(&mut block, &mut found.inventory)?;
    }
    let first = block.frame(0).map(|frame| frame.head.time);
    let head = reader.told.head.clone();
    Ok((Some((reader, block)), first, head, inventory))
}

/// Opens a file, a FIFO, a device or standard input.
pub(super) fn open(path: &Path, ties: &Ties) -> Result<Reader> {
    if !is_stdin(path) {
        return Reader::new(path, Source::open(path, Unpack::Beside, ties)?, &ties.observer);
    }
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Err(Error::NotACapture { path: path.to_owned(), why: "it is a terminal; pipe a capture into it".to_owned() });
    }
    Reader::new(path, Source::new(path, Box::new(stdin), false, Unpack::Beside, ties)?, &ties.observer)
}

/// A path to try, and which of the given directories it was found in.
struct Candidate {
    path: PathBuf,
    root: Option<usize>,
}

fn walk(directory: &Path, root: usize, depth: usize, candidates: &mut Vec<Candidate>) -> Result<()> {
    let cannot = |source| Error::Open { path: directory.to_owned(), source };
    let mut paths = beneath::entries(directory).map_err(cannot)?;
    paths.sort();
    for path in paths {
        // what begins with a dot is being written, or nobody's business
        if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) && !is_directory(&path) {
            continue;
        }
        // links to files are followed; links to directories could lead in circles
        let linked = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_symlink());
        if is_directory(&path) {
            // one that may not be listed becomes an input that cannot be read
            if !linked && depth < limits::DIRECTORY_DEPTH && walk(&path, root, depth.saturating_add(1), candidates).is_err() {
                candidates.push(Candidate { path, root: Some(root) });
            }
        } else if regular_len(&path).is_some() {
            candidates.push(Candidate { path, root: Some(root) });
        }
    }
    Ok(())
}

/// The time of a file's first frame, and what a condensate says of itself.
pub(super) fn peek(path: &Path, scratch: &mut Block) -> Result<(Option<Timestamp>, Option<Head>)> {
    let uncounted = Ties::default();
    let mut reader = Reader::new(path, Source::open(path, Unpack::Here, &uncounted)?, &uncounted.observer)?;
    reader.read_bytes = PEEK_BYTES;
    reader.fill(scratch, &mut Inventory::default())?;
    Ok((scratch.frame(0).map(|frame| frame.head.time), reader.told.head))
}

fn is_directory(path: &Path) -> bool {
    !is_stdin(path) && beneath::metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

/// The files in a directory, those in its directories among them, in order; `None` for what is no directory.
pub(super) fn files_of(path: &Path) -> Result<Option<Vec<PathBuf>>> {
    if !is_directory(path) {
        return Ok(None);
    }
    let mut candidates = Vec::new();
    walk(path, 0, 0, &mut candidates)?;
    Ok(Some(candidates.into_iter().map(|candidate| candidate.path).collect()))
}

/// The length of a regular file; none for anything else, also for what does not exist.
pub(super) fn regular_len(path: &Path) -> Option<u64> {
    if is_stdin(path) {
        return None;
    }
    beneath::metadata(path).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len())
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Bytes read to find the first frame.
const PEEK_BYTES: usize = 16 << 10;
