//! A file that appears under its name only when it is whole.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// A file being written beside its place. Unless it is delivered, nothing of it is left.
#[derive(Debug)]
pub(super) struct Delivery {
    partial: PathBuf,
    path: PathBuf,
}

impl Delivery {
    /// Begins a file at `path`, which must be none of the inputs.
    pub(super) fn begin(path: &Path, inputs: &[PathBuf]) -> anyhow::Result<Self> {
        if inputs.iter().any(|input| same_file(input, path)) {
            bail!("{} is an input: name another file to write to", path.display());
        }
        if path.is_dir() {
            bail!("{} is a directory: name a file to write to", path.display());
        }
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        let name = path.file_name().with_context(|| format!("{} is no file name", path.display()))?;
        let partial = directory.join(format!(".{}.{}.part", name.to_string_lossy(), std::process::id()));
        fs::File::create(&partial).map_err(|error| anyhow::anyhow!("cannot write to {}: {error}", directory.display()))?;
        Ok(Self { partial, path: path.to_owned() })
    }

    /// Where to write meanwhile.
    pub(super) fn partial(&self) -> &Path {
        &self.partial
    }

    /// Puts the whole file in its place.
    pub(super) fn deliver(&self) -> anyhow::Result<()> {
        let file = fs::File::open(&self.partial)?;
        file.sync_all()?;
        fs::rename(&self.partial, &self.path).map_err(|error| anyhow::anyhow!("cannot write {}: {error}", self.path.display()))
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        // After delivery it is no longer there.
        let _ = fs::remove_file(&self.partial);
    }
}

fn same_file(a: &Path, b: &Path) -> bool {
    a.is_file() && matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
