//! The rows that `read` writes besides: one Parquet file with its tables beside it, or a data set.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::{kept, unless_interrupted};
use crate::cli::ReadOptions;
use crate::error::Error;
use crate::output::dataset::{DataSet, is_folder};
use crate::output::delivery::{Delivery, Manner};
use crate::output::parquet::ParquetSink;
use crate::report::{Handshake, Incident, Sink, Summary, Tally};

/// Tables being written.
pub(super) struct Tables {
    path: PathBuf,
    to: To,
    /// Why no more could be written.
    problem: Option<Error>,
}

enum To {
    File(Box<ParquetSink<Delivery>>),
    Set(Box<DataSet>),
}

impl Tables {
    /// Begins them.
    pub(super) fn begin(path: &Path, options: &ReadOptions) -> Result<Self, Error> {
        let to = if is_folder(path) {
            To::Set(Box::new(DataSet::begin(path, name(&options.inputs), options.force)?))
        } else {
            let side = beside(path);
            let all: Vec<&Path> =
                std::iter::once(path).chain(side.iter().flat_map(|(incidents, summary)| [incidents.as_path(), summary])).collect();
            let kept = kept(&options.inputs, &options.query, &all);
            let manner = Manner { force: options.force, inputs: &kept, ..Manner::default() };
            let tables = match side {
                Some((incidents, summary)) => Some((Delivery::begin_file(&incidents, &manner)?, Delivery::begin_file(&summary, &manner)?)),
                None => None,
            };
            let sink = ParquetSink::new(Delivery::begin(path, &manner)?, tables).map_err(|source| failed(path, source))?;
            To::File(Box::new(sink))
        };
        Ok(Self { path: path.to_owned(), to, problem: None })
    }

    /// Ends them and gives the files their names.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        match self.to {
            To::File(file) => {
                let files = file.finish().map_err(|source| failed(&self.path, source))?;
                files.into_iter().try_for_each(Delivery::deliver)?;
            }
            To::Set(set) => {
                // Half of the rows are not to take the place of all.
                unless_interrupted()?;
                set.finish()?;
            }
        }
        Ok(())
    }

    /// What went wrong, when a row could not be taken.
    pub(super) fn problem(&mut self) -> Option<Error> {
        self.problem.take()
    }

    /// Takes a row. The error ends the run, and why is kept.
    fn row(&mut self, write: impl FnOnce(&mut dyn Sink) -> io::Result<()>) -> io::Result<()> {
        let done = match &mut self.to {
            To::File(file) => write(file.as_mut()).map_err(|source| failed(&self.path, source)),
            To::Set(set) => write(set.as_mut()).map_err(|source| set.problem().unwrap_or_else(|| failed(&self.path, source))),
        };
        done.map_err(|error| {
            self.problem = Some(error);
            io::Error::other("the rows cannot be written")
        })
    }
}

impl Sink for Tables {
    fn handshake(&mut self, handshake: &Handshake<'_>) -> io::Result<()> {
        self.row(|sink| sink.handshake(handshake))
    }

    fn incident(&mut self, incident: &Incident) -> io::Result<()> {
        self.row(|sink| sink.incident(incident))
    }

    fn tally(&mut self, tally: &Tally) -> io::Result<()> {
        self.row(|sink| sink.tally(tally))
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        self.row(|sink| sink.summary(summary))
    }
}

/// Where incidents and the summary go beside `night.parquet`: `night.incidents.parquet`, `night.summary.parquet`. What is called otherwise, as a
/// pipe is, has handshakes only; and so has a pipe or a device whatever it is called: who reads it looks for no files.
fn beside(path: &Path) -> Option<(PathBuf, PathBuf)> {
    path.extension().filter(|extension| *extension == "parquet")?;
    if std::fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return None;
    }
    Some((path.with_extension("incidents.parquet"), path.with_extension("summary.parquet")))
}

/// What a run over these inputs is called in a data set: the same for the same names, so that the run can be repeated.
fn name(inputs: &[PathBuf]) -> String {
    let mut hash = Sha256::new();
    for input in inputs {
        hash.update(input.as_os_str().as_bytes());
        hash.update([0]);
    }
    HEXLOWER.encode(hash.finalize().get(..6).unwrap_or_default())
}

fn failed(path: &Path, source: io::Error) -> Error {
    Error::Write { what: path.display().to_string(), source }
}
