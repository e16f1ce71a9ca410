//! What the packets of a handshake's connection showed, where the handshake finds it.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::{Deref, DerefMut};
use std::sync::LazyLock;

use crate::flow::{Endpoint, FlowKey, Path, Transport};
use crate::time::Mark;
use crate::transport::{FlowFacts, Roles};

/// What the packets of a handshake's connection showed; blank while it is under way. They are a kilobyte: a handshake that is being read has
/// no use for them, and is not to be spread over as many more lines of the cache.
#[derive(Debug, Clone, Default)]
pub struct PacketFacts(Option<Box<FlowFacts>>);

impl From<Box<FlowFacts>> for PacketFacts {
    fn from(facts: Box<FlowFacts>) -> Self {
        Self(Some(facts))
    }
}

impl From<FlowFacts> for PacketFacts {
    fn from(facts: FlowFacts) -> Self {
        Box::new(facts).into()
    }
}

impl Deref for PacketFacts {
    type Target = FlowFacts;

    fn deref(&self) -> &FlowFacts {
        self.0.as_deref().unwrap_or_else(|| &*BLANK)
    }
}

impl DerefMut for PacketFacts {
    fn deref_mut(&mut self) -> &mut FlowFacts {
        self.0.get_or_insert_with(|| Box::new(BLANK.clone()))
    }
}

static BLANK: LazyLock<FlowFacts> = LazyLock::new(|| {
    let nobody = Endpoint::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
    let (key, _) = FlowKey::new(Transport::Tcp, nobody, nobody, 0);
    FlowFacts::new(key, true, Roles::Guessed, Path::default(), Mark::default(), 0)
});
