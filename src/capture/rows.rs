//! Rows of NDJSON in place of a capture: what handshark wrote of handshakes, here or elsewhere, plain or compressed.

use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};

use super::discover;
use super::source::{Source, Ties, Unpack};
use crate::error::{Error, Result};
use crate::limits;

/// The lines of an input.
pub struct Rows {
    reader: Box<dyn BufRead>,
    /// The number of the last line, from 1.
    number: u64,
    line: Vec<u8>,
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rows at line {}", self.number)
    }
}

impl Rows {
    /// Opens a file, or standard input by `-`, if what it holds begins as an object of JSON does; `None` for anything else, also for what cannot be
    /// opened twice.
    pub fn open(path: &Path) -> Result<Option<Self>> {
        if path.as_os_str() == "-" {
            let stdin = io::stdin();
            // What is looked at here stays for whoever reads next.
            let begins = !stdin.is_terminal() && stdin.lock().fill_buf().is_ok_and(is_json);
            return begins.then(|| Self::of(path)).transpose();
        }
        if discover::regular_len(path).is_none() {
            return Ok(None);
        }
        let mut rows = Self::of(path)?;
        // Whoever reads it as a capture says what is wrong with it.
        let begins = rows.reader.fill_buf().is_ok_and(is_json);
        Ok(begins.then_some(rows))
    }

    /// Opens a file, or standard input by `-`, that is said to hold rows.
    pub fn of(path: &Path) -> Result<Self> {
        let reader: Box<dyn BufRead> = if path.as_os_str() == "-" {
            Box::new(BufReader::new(io::stdin()))
        } else {
            Box::new(BufReader::with_capacity(limits::READ_BYTES, Source::open(path, Unpack::Here, &Ties::default())?))
        };
        Ok(Self { reader, number: 0, line: Vec::new() })
    }

    /// The next line that is not empty, with its number; an empty one in place of a line that is too long. `None` at the end.
    pub fn next_line(&mut self, path: &Path) -> Result<Option<(u64, &[u8])>> {
        let cannot = |source| Error::Read { path: path.to_owned(), source };
        loop {
            self.line.clear();
            let most = limits::ROW_LEN as u64;
            let read = self.reader.by_ref().take(most).read_until(b'\n', &mut self.line).map_err(cannot)?;
            if read == 0 {
                return Ok(None);
            }
            self.number = self.number.saturating_add(1);
            if self.line.last() != Some(&b'\n') && read >= limits::ROW_LEN {
                self.line.clear();
                self.skip_line().map_err(cannot)?;
                return Ok(Some((self.number, &self.line)));
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(Some((self.number, self.line.trim_ascii())));
            }
        }
    }

    /// The rest of a line.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let ahead = self.reader.fill_buf()?;
            let (len, ends) = match ahead.iter().position(|byte| *byte == b'\n') {
                Some(place) => (place.saturating_add(1), true),
                None => (ahead.len(), ahead.is_empty()),
            };
            self.reader.consume(len);
            if ends {
                return Ok(());
            }
        }
    }
}

/// Which of the inputs hold rows and which are to be read as captures. In directories, files whose first line is of handshark hold rows.
pub fn split_rows(inputs: &[PathBuf]) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let (mut rows, mut captures) = (Vec::new(), Vec::new());
    for path in inputs {
        let Some(files) = discover::files_of(path)? else {
            let is_rows = Rows::open(path)?.is_some();
            (if is_rows { &mut rows } else { &mut captures }).push(path.clone());
            continue;
        };
        let (found, others): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| is_ours(file));
        // What is neither is passed over there.
        if !others.is_empty() || found.is_empty() {
            captures.push(path.clone());
        }
        rows.extend(found);
    }
    Ok((rows, captures))
}

/// Whether the first line is of handshark, by the schema that each names: much else beside captures is JSON.
fn is_ours(path: &Path) -> bool {
    let Ok(Some(mut rows)) = Rows::open(path) else { return false };
    rows.next_line(path).is_ok_and(|line| line.is_some_and(|(_, line)| memchr::memmem::find(line, b"\"handshark/").is_some()))
}

fn is_json(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().first() == Some(&b'{')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn lines(path: &Path) -> Vec<(u64, String)> {
        let mut rows = Rows::open(path).unwrap().unwrap();
        let mut all = Vec::new();
        while let Some((number, line)) = rows.next_line(path).unwrap() {
            all.push((number, String::from_utf8(line.to_vec()).unwrap()));
        }
        all
    }

    #[test]
    fn rows_are_recognised_by_what_they_hold() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, content: &[u8]| {
            let path = dir.path().join(name);
            fs::write(&path, content).unwrap();
            path
        };
        let plain = put("plain.ndjson", b"\n{\"a\":1}\n\n{\"b\":2}");
        assert_eq!(lines(&plain), [(2, "{\"a\":1}".to_owned()), (4, "{\"b\":2}".to_owned())]);
        let packed = put("packed.gz", &{
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            io::Write::write_all(&mut encoder, b"{\"a\":1}\n").unwrap();
            encoder.finish().unwrap()
        });
        assert_eq!(lines(&packed), [(1, "{\"a\":1}".to_owned())]);
        let ours = put("rows.ndjson", b"{\"schema\": \"handshark/2\",\"kind\":\"handshake\"}\n");
        let text = put("text", b"[1]");
        assert!(Rows::open(&text).unwrap().is_none() && Rows::open(&put("empty", b"")).unwrap().is_none());
        assert!(Rows::open(&dir.path().join("missing")).unwrap().is_none() && Rows::open(dir.path()).unwrap().is_none());
        let (rows, captures) = split_rows(&[dir.path().to_owned(), text.clone()]).unwrap();
        assert_eq!((rows, captures), (vec![ours], vec![dir.path().to_owned(), text]), "other JSON in a directory is none of ours");
        assert_eq!(split_rows(std::slice::from_ref(&packed)).unwrap(), (vec![packed], vec![]), "what is named is meant");
    }

    #[test]
    fn a_line_without_an_end_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("long");
        let long = [b"{\"a\":1}\n{".as_slice(), &vec![b' '; limits::ROW_LEN + 7], b"}\n{\"c\":3}\n"].concat();
        fs::write(&path, long).unwrap();
        assert_eq!(lines(&path), [(1, "{\"a\":1}".to_owned()), (2, String::new()), (3, "{\"c\":3}".to_owned())]);
    }
}
