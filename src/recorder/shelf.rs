//! The packets of the latest handshakes, for who may yet ask for them.

use std::collections::{BTreeSet, VecDeque};

use super::Recording;
use crate::report::Id;

/// Keeps the latest recordings, within bounds.
#[derive(Debug)]
pub struct Shelf {
    /// Oldest first, with their bytes.
    kept: VecDeque<(Recording, usize)>,
    bytes: usize,
    memory: usize,
}

impl Shelf {
    /// Keeps at most so many bytes.
    pub const fn new(memory: usize) -> Self {
        Self { kept: VecDeque::new(), bytes: 0, memory }
    }

    /// Keeps a recording; the oldest give way.
    pub fn keep(&mut self, recording: Recording) {
        let bytes = recording
            .packets
            .iter()
            .map(|packet| packet.bytes.len().saturating_add(size_of_val(packet)))
            .fold(REPORT, usize::saturating_add);
        self.bytes = self.bytes.saturating_add(bytes);
        self.kept.push_back((recording, bytes));
        while self.bytes > self.memory
            && let Some((_, bytes)) = self.kept.pop_front()
        {
            self.bytes = self.bytes.saturating_sub(bytes);
        }
    }

    /// The recordings of these handshakes that are still there, the oldest first.
    pub fn of(&self, ids: &BTreeSet<Id>) -> Vec<&Recording> {
        self.kept.iter().map(|(recording, _)| recording).filter(|recording| ids.contains(&recording.report.handshake.id)).collect()
    }
}

/// What a report takes beside its packets, about.
const REPORT: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{FrameHead, LinkType};
    use crate::recorder::Kept;
    use crate::report::samples;
    use crate::time::Timestamp;

    #[test]
    fn the_oldest_give_way() {
        let mut shelf = Shelf::new(100_000);
        for id in 0..50 {
            let mut report = samples::expired(0);
            report.handshake.id = samples::id(id);
            let head = FrameHead {
                number: id,
                time: Timestamp::from_nanos(5),
                link: LinkType(1),
                interface: 0,
                site: crate::site::Site::NONE,
                original_len: 60,
            };
            shelf.keep(Recording { report: Box::new(report), packets: vec![Kept { head, bytes: vec![0; 2_000].into() }], losses: 0 });
        }
        let ids = |ids: &[u64]| ids.iter().map(|id| samples::id(*id)).collect::<BTreeSet<_>>();
        let found = |wanted: &[u64]| shelf.of(&ids(wanted)).iter().map(|recording| recording.report.handshake.id).collect::<Vec<_>>();
        assert_eq!(found(&[0, 49, 48]), [samples::id(48), samples::id(49)]);
        assert!((10..20).contains(&shelf.kept.len()), "{}", shelf.kept.len());
    }
}
