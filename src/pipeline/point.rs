//! Where packets were captured: the file and the interface.

use crate::capture::{Interface, Inventory};

/// Where packets were captured.
#[derive(Debug, Clone)]
pub(super) struct CapturePoint {
    /// The file, or the interface of a live capture.
    pub(super) source: String,
    /// The interface that the file names.
    pub(super) interface: Option<String>,
}

impl CapturePoint {
    pub(super) fn of(interface: &Interface, inventory: &Inventory) -> Self {
        let path = inventory.inputs.get(interface.input).map(|input| &input.path);
        let source = path.map_or_else(|| interface.name.clone(), |path| path.display().to_string());
        // Files that name none are called by their own name.
        let by_file = path.and_then(|path| path.file_name()).is_some_and(|name| name.to_string_lossy() == interface.name);
        let named = !by_file && interface.name != source;
        Self { source, interface: named.then(|| interface.name.clone()) }
    }
}
