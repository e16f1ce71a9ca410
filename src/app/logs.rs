//! Logs beside a capture: opens and reads them.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::limits;
use crate::logs::Logs;
use crate::time::{Timestamp, Zone};

/// Reads logs whose times, where they name no zone, are of this one; `None` where none is given.
pub(super) fn read(paths: &[PathBuf], zone: &Zone) -> Result<Option<Arc<Logs>>> {
    if paths.is_empty() {
        return Ok(None);
    }
    let mut logs = Logs::default();
    for path in paths {
        one(&mut logs, path, zone)?;
    }
    Ok(Some(Arc::new(logs)))
}

fn one(logs: &mut Logs, path: &PathBuf, zone: &Zone) -> Result<()> {
    let file = File::open(path).map_err(|source| Error::Open { path: path.clone(), source })?;
    let failed = |source| Error::Read { path: path.clone(), source };
    let written = file.metadata().and_then(|metadata| metadata.modified()).map_err(failed)?;
    let since = written.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let written = Timestamp::from_parts(i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos());
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let mut reader = logs.file(name, zone, written);
    let mut input = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        let part = input.fill_buf().map_err(failed)?;
        if part.is_empty() {
            break;
        }
        let end = memchr::memchr(b'\n', part);
        let text = part.get(..end.unwrap_or(part.len())).unwrap_or(part);
        // Of a line that is too long the beginning is enough.
        let room = limits::LOG_LINE.saturating_sub(line.len());
        line.extend_from_slice(text.get(..room).unwrap_or(text));
        let used = text.len().saturating_add(usize::from(end.is_some()));
        input.consume(used);
        if end.is_some() {
            reader.line(line.strip_suffix(b"\r").unwrap_or(&line));
            line.clear();
        }
    }
    if !line.is_empty() {
        reader.line(&line);
    }
    reader.finish();
    Ok(())
}
