//! `handshark incidents`: the rows of many sensors in, the incidents that they make together out.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use super::present::clock;
use super::{is_dash, stop_on_signal};
use crate::capture::Rows;
use crate::cli::IncidentsOptions;
use crate::limits;
use crate::output::fleet::Teller;
use crate::output::say::say;
use crate::rows::{Fleet, read};
use crate::time::Clock;
use crate::wording::counted;

/// Reads rows and tells of incidents.
pub(super) fn incidents(options: &IncidentsOptions) -> anyhow::Result<()> {
    let stop = stop_on_signal()?;
    let out = io::BufWriter::new(io::stdout());
    let layout = options.screen.layout(&options.zone);
    let mut desk = Desk {
        fleet: Fleet::new(options.silent_after, options.follow),
        teller: Teller::new(out, (!options.json).then_some(layout)),
        clock: clock(),
        follow: options.follow,
        mistakes: 0,
    };
    if options.follow {
        desk.follow(&options.inputs, &stop)?;
    } else {
        desk.read(&options.inputs, &stop)?;
    }
    let incidents = desk.fleet.finish();
    desk.teller.end(&incidents, &desk.fleet.sensors())?;
    let (rows, repeated) = desk.fleet.counts();
    for note in desk.fleet.notes() {
        say(note);
    }
    if repeated > 0 {
        say(format!("{} came more than once and counted once", counted(repeated, "row", "rows")));
    }
    if desk.mistakes > NAMED {
        say(format!("{} could not be read in all", counted(desk.mistakes, "line", "lines")));
    }
    if rows == 0 && desk.mistakes > 0 {
        anyhow::bail!("no line was a row; rows are what `handshark live --json` and `handshark read --json` write");
    }
    Ok(())
}

/// Takes lines, and tells what comes of them.
struct Desk {
    fleet: Fleet,
    teller: Teller<io::BufWriter<io::Stdout>>,
    clock: Clock,
    follow: bool,
    /// Lines that could not be read.
    mistakes: u64,
}

impl Desk {
    /// The same, unless it is empty.
    fn line_if_any(&mut self, line: &[u8], name: &Path, number: u64) -> io::Result<()> {
        let line = line.trim_ascii();
        if line.is_empty() { Ok(()) } else { self.line(line, name, number) }
    }

    /// Takes a line, nothing in place of one that is too long; `name` and `number` say where it stands.
    fn line(&mut self, line: &[u8], name: &Path, number: u64) -> io::Result<()> {
        let row = if line.is_empty() { Err("it is longer than any row".to_owned()) } else { read(line) };
        match row {
            Ok(row) => {
                let news = self.fleet.take(row, self.clock.now());
                match news.filter(|_| self.follow) {
                    Some(sensor) => self.teller.sensor(&sensor),
                    None => Ok(()),
                }
            }
            Err(why) => {
                self.mistakes = self.mistakes.saturating_add(1);
                if self.mistakes <= NAMED {
                    say(format!("{}, line {number}: {why}; it is left out", name.display()));
                }
                Ok(())
            }
        }
    }

    /// Reads everything there is.
    fn read(&mut self, inputs: &[PathBuf], stop: &AtomicBool) -> anyhow::Result<()> {
        for path in files(inputs, false)? {
            let mut rows = Rows::of(&path)?;
            while !stop.load(Ordering::Relaxed)
                && let Some((number, line)) = rows.next_line(&path)?
            {
                self.line(line, &path, number)?;
            }
        }
        Ok(())
    }

    /// Reads on as rows are added, until it is told to stop; standard input to its end.
    fn follow(&mut self, inputs: &[PathBuf], stop: &AtomicBool) -> anyhow::Result<()> {
        let (dashes, inputs): (Vec<PathBuf>, Vec<PathBuf>) = inputs.iter().cloned().partition(|path| is_dash(path));
        let stdin = (!dashes.is_empty()).then(lines_of_stdin);
        let mut tails: BTreeMap<(u64, u64), Tail> = BTreeMap::new();
        files(&inputs, true)?;
        let mut number = 0_u64;
        let mut over = false;
        while !(stop.load(Ordering::Relaxed) || over && inputs.is_empty()) {
            let mut there = BTreeMap::new();
            for path in files(&inputs, true).unwrap_or_default() {
                let Ok(metadata) = fs::metadata(&path) else { continue };
                let key = (metadata.dev(), metadata.ino());
                let mut tail = tails.remove(&key).unwrap_or_default();
                for (number, line) in tail.lines(&path, metadata.len()) {
                    self.line_if_any(&line, &path, number)?;
                }
                there.insert(key, tail);
            }
            // Files that were taken away are forgotten.
            tails = there;
            match &stdin {
                Some(lines) if !over => loop {
                    match lines.recv_timeout(if inputs.is_empty() { LOOK } else { Duration::from_millis(1) }) {
                        Ok(line) => {
                            number = number.saturating_add(1);
                            self.line_if_any(&line, Path::new("standard input"), number)?;
                            if number.is_multiple_of(OFTEN) {
                                break;
                            }
                        }
                        Err(RecvTimeoutError::Timeout) => break,
                        Err(RecvTimeoutError::Disconnected) => {
                            over = true;
                            break;
                        }
                    }
                },
                _ => {}
            }
            if !inputs.is_empty() {
                thread::sleep(LOOK);
            }
            for sensor in self.fleet.silent(self.clock.now()) {
                self.teller.sensor(&sensor)?;
            }
            for incident in self.fleet.news() {
                self.teller.incident(&incident)?;
            }
            self.teller.flush()?;
        }
        Ok(())
    }
}

/// Standard input in a thread of its own: who reads it waits for it.
fn lines_of_stdin() -> Receiver<Vec<u8>> {
    let (sender, lines) = bounded(1024);
    thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        loop {
            let mut line = Vec::new();
            match stdin.by_ref().take(limits::ROW_LEN as u64).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) if sender.send(line).is_err() => return,
                Ok(_) => {}
            }
        }
    });
    lines
}

/// A file that grows, and gets another name when it is whole.
#[derive(Debug, Default)]
struct Tail {
    upto: u64,
    lines: u64,
}

impl Tail {
    /// The whole lines that were added, with their numbers.
    fn lines(&mut self, path: &Path, len: u64) -> Vec<(u64, Vec<u8>)> {
        if len < self.upto {
            // It was begun anew; what was taken before counts once.
            *self = Self::default();
        }
        if len == self.upto {
            return Vec::new();
        }
        let mut added = Vec::new();
        let opened = File::open(path).and_then(|mut file| file.seek(SeekFrom::Start(self.upto)).map(|_| file));
        let Ok(file) = opened else { return added };
        let mut reader = BufReader::new(file);
        let mut bytes = 0_u64;
        while bytes < MOUTHFUL {
            let mut line = Vec::new();
            let Ok(read) = reader.by_ref().take(limits::ROW_LEN as u64).read_until(b'\n', &mut line) else { break };
            let whole = line.last() == Some(&b'\n') || read >= limits::ROW_LEN;
            if read == 0 || !whole {
                break;
            }
            bytes = bytes.saturating_add(read as u64);
            self.upto = self.upto.saturating_add(read as u64);
            self.lines = self.lines.saturating_add(1);
            added.push((self.lines, line));
        }
        added
    }
}

/// The files: of a directory those that end in `.ndjson` or `.json`, by name, in directories below it too; also compressed ones, or, where they are
/// `growing`, those that are still being written.
fn files(inputs: &[PathBuf], growing: bool) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in inputs {
        if is_dash(path) {
            found.push(path.clone());
            continue;
        }
        let metadata = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
        if metadata.is_dir() {
            walk(path, growing, 0, &mut found).with_context(|| format!("cannot read {}", path.display()))?;
        } else {
            found.push(path.clone());
        }
    }
    Ok(found)
}

fn walk(directory: &Path, growing: bool, depth: u32, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries: Vec<PathBuf> = fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
    entries.sort();
    for path in entries {
        let is_directory = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir());
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let rows = |suffix: &str| name.ends_with(&format!(".ndjson{suffix}")) || name.ends_with(&format!(".json{suffix}"));
        if is_directory && depth < DEEPEST {
            walk(&path, growing, depth.saturating_add(1), found)?;
        } else if !is_directory && (rows("") || if growing { rows(".part") } else { COMPRESSED.iter().any(|suffix| rows(suffix)) }) {
            found.push(path);
        }
    }
    Ok(())
}

/// Bytes of a file that are read before others have their turn.
const MOUTHFUL: u64 = 16 << 20;
/// What the names of compressed files end in.
const COMPRESSED: &[&str] = &[".gz", ".zst", ".xz", ".lz4"];
/// Directories within directories.
const DEEPEST: u32 = 16;
/// How often it is looked for new rows.
const LOOK: Duration = Duration::from_millis(200);
/// Lines after which it is looked what they say.
const OFTEN: u64 = 4096;
/// Lines that cannot be read, told one by one.
const NAMED: u64 = 10;
