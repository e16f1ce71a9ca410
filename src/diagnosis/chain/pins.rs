//! Which certificates a table of chains keeps in memory, each counted once however many chains share it.

use std::sync::Arc;

use foldhash::quality::RandomState;
use hashbrown::HashMap;

use crate::tls::certificate::Certificate;

use super::Worth;

/// The certificates of chains that are held.
#[derive(Debug, Default)]
pub(in crate::diagnosis) struct Pins {
    /// By where they lie, for equal ones may lie in several places: in how many chains they are.
    held: HashMap<usize, u32, RandomState>,
    bytes: usize,
}

impl Pins {
    /// Bytes of the certificates held, and of what is said of their chains.
    pub(in crate::diagnosis) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// A chain is held.
    pub(in crate::diagnosis) fn add(&mut self, worth: &Worth) {
        self.bytes = self.bytes.saturating_add(WORTH);
        for certificate in &worth.certificates {
            let count = self.held.entry(place(certificate)).or_default();
            *count = count.saturating_add(1);
            if *count == 1 {
                self.bytes = self.bytes.saturating_add(certificate.weight());
            }
        }
    }

    /// It is held no more.
    pub(in crate::diagnosis) fn remove(&mut self, worth: &Worth) {
        self.bytes = self.bytes.saturating_sub(WORTH);
        for certificate in &worth.certificates {
            let place = place(certificate);
            if let Some(count) = self.held.get_mut(&place) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    self.held.remove(&place);
                    self.bytes = self.bytes.saturating_sub(certificate.weight());
                }
            }
        }
    }
}

fn place(certificate: &Arc<Certificate>) -> usize {
    Arc::as_ptr(certificate).addr()
}

/// Bytes of what is said of a chain, its name and its place in a table.
const WORTH: usize = 1024;
