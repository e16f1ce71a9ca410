//! Where a frame stands: in which file, under which number.

use std::fmt;
use std::sync::Arc;

use crate::origins::Origins;

/// From a file's name to the one under which it is shown.
pub type Renaming = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// The files of a capture out of several, for whoever is told where a frame stands.
#[derive(Clone)]
pub struct Files {
    origins: Origins,
    /// How a file's name is shown, where not as it is.
    shown: Option<Renaming>,
}

impl Files {
    /// Files under their own names.
    pub fn new(origins: &Origins) -> Self {
        Self { origins: origins.clone(), shown: None }
    }

    /// The same files under other names.
    #[must_use]
    pub fn renamed(&self, shown: Renaming) -> Self {
        Self { origins: self.origins.clone(), shown: Some(shown) }
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Files")
    }
}

/// Where a frame stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, where there are several.
    pub file: Option<String>,
    /// Its number in its file; or, where that is not known, over all files.
    pub frame: u64,
    /// Its number over all files, where there are several and all of their frames were read.
    pub merged: Option<u64>,
}

impl Place {
    /// The place of a frame that is counted over all files.
    pub fn of(files: Option<&Files>, frame: u64) -> Self {
        let Some(files) = files else { return Self { file: None, frame, merged: None } };
        match files.origins.of(frame) {
            Some(origin) => {
                let file = files.shown.as_ref().map_or_else(|| origin.file.to_string(), |shown| shown(&origin.file));
                Self { file: Some(file), frame: origin.frame, merged: files.origins.counts_all().then_some(frame) }
            }
            None => Self { file: None, frame, merged: Some(frame) },
        }
    }
}
