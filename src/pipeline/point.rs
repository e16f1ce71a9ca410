//! Where packets were captured: the file and the interface.

use crate::capture::{Interface, Inventory};
use crate::site::Observer;

/// Where packets were captured.
#[derive(Debug, Clone)]
pub(super) struct CapturePoint {
    /// The file, or the interface of a live capture.
    pub(super) source: String,
    /// The interface that is watched, or that the file names.
    pub(super) interface: Option<String>,
    /// Who captured there, by the input's own word.
    observer: Option<Observer>,
}

impl CapturePoint {
    pub(super) fn of(interface: &Interface, inventory: &Inventory) -> Self {
        let input = inventory.inputs.get(interface.input);
        let path = input.map(|input| &input.path);
        let source = path.map_or_else(|| interface.name.clone(), |path| path.display().to_string());
        let named = interface.own_name(inventory).is_some_and(|name| name != source);
        let watched = input.is_none_or(|input| input.format == "live");
        let observer = input.map(|input| input.observer.clone()).filter(|observer| *observer != Observer::NONE);
        Self { source, interface: (named || watched).then(|| interface.name.clone()), observer }
    }

    /// Who captured there; where that is not said, who reads.
    pub(super) fn observer<'a>(&'a self, reader: &'a Observer) -> &'a Observer {
        self.observer.as_ref().unwrap_or(reader)
    }
}
