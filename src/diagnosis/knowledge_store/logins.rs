//! Proxies that ask for a login first: the client comes right back with it, and is let through.

use std::time::Duration;

use super::tags::tag;
use super::{Entered, KnowledgeStore};
use crate::handshake::Handshake;
use crate::preamble::{PreambleFacts, Upgrade};

impl KnowledgeStore {
    /// Whether a client that was asked for a login came right back, asked to be taken to the same place, and was. `asked`: its handshake's.
    pub fn was_let_in(&self, handshake: &Handshake, entered: Option<Entered>, asked: &PreambleFacts) -> bool {
        let (Some(target), Some(answered)) = (asked.target.as_deref(), asked.answered) else { return false };
        let target = Some(tag(Some(target)));
        let later = |start| start > answered;
        self.around(handshake, entered)
            .iter()
            .any(|attempt| attempt.server == handshake.server && attempt.related.let_in == target && later(attempt.related.start))
    }
}

/// A client that has a login at hand comes back with it within this time.
pub(super) const BACK_WITH_IT: Duration = Duration::from_secs(2);

/// The tag of where a proxy took this handshake.
pub(super) fn let_in(handshake: &Handshake) -> Option<u64> {
    let layers = handshake.preamble.iter().flat_map(|facts| facts.layers());
    let mut granted = layers.filter(|facts| facts.dialect.is_proxy() && facts.upgrade == Upgrade::Granted);
    granted.find_map(|facts| facts.target.as_deref()).map(|target| tag(Some(target)))
}
