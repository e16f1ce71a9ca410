//! What is shared by many reports is written out once.

use std::sync::OnceLock;

/// A part of a report as an output wrote it, kept for the next time. It is no part of what the report says: all are equal, and a copy is empty.
#[derive(Debug, Default)]
pub struct Rendered(OnceLock<Box<[u8]>>);

impl Rendered {
    /// The bytes, written now if they were not before. All callers must write the same.
    pub fn get(&self, write: impl FnOnce(&mut Vec<u8>)) -> &[u8] {
        self.0.get_or_init(|| {
            let mut bytes = Vec::new();
            write(&mut bytes);
            bytes.into_boxed_slice()
        })
    }
}

/// A copy may be changed before it is written.
impl Clone for Rendered {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Rendered {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Rendered {}
