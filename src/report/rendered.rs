//! What is shared by many reports is written out once.

use std::sync::OnceLock;

/// A part of a report as the JSON writer wrote it, kept for the next time.
#[derive(Debug, Default)]
pub struct Rendered(OnceLock<Box<[u8]>>);

impl Rendered {
    /// Nothing written yet.
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// The bytes, written now if they were not before. All callers must write the same.
    pub fn get(&self, write: impl FnOnce() -> Vec<u8>) -> &[u8] {
        self.0.get_or_init(|| write().into_boxed_slice())
    }
}
