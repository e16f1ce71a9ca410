//! Which handshake at the one point is which at the other.

use std::collections::{BTreeMap, VecDeque};

use super::Wanted;
use crate::compare::joined::JoinedBy;
use crate::report::{Handshake, TlsClient};
use crate::time::Timestamp;

/// A handshake of one capture.
#[derive(Debug)]
pub(super) struct Noted {
    pub(super) report: Handshake<'static>,
    /// First sequence number of the client, and identification of the SYN's IP header.
    pub(super) syn: Option<(u32, Option<u16>)>,
    /// First sequence number of the server.
    pub(super) answer: Option<u32>,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

impl Noted {
    /// What the client said.
    fn hello(&self) -> Option<&TlsClient<'static>> {
        self.report.tls.as_ref()?.client.as_ref()
    }

    /// The random of its first `ClientHello`; empty where none was read.
    pub(super) fn random(&self) -> &[u8] {
        self.hello().map_or(&[], |client| &client.random)
    }

    /// First sequence number of the client.
    pub(super) fn isn(&self) -> Option<u32> {
        self.syn.map(|(isn, _)| isn)
    }

    /// The name asked for, as sent.
    pub(super) fn name(&self) -> Option<&str> {
        self.hello()?.server_name.as_deref()
    }
}

/// A handshake at both points, or at the one that noticed it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair<'a> {
    pub(super) client: Option<&'a Noted>,
    pub(super) server: Option<&'a Noted>,
    /// What joined them; absent while one is alone.
    pub(super) by: Option<JoinedBy>,
}

/// Handshakes of the two points that have not been joined.
struct Left<'a> {
    client: Vec<&'a Noted>,
    server: Vec<&'a Noted>,
    pairs: Vec<Pair<'a>>,
}

impl<'a> Left<'a> {
    /// Joins those of which the same is known, in their order.
    fn join<K: Ord>(&mut self, by: JoinedBy, known: impl Fn(&'a Noted) -> Option<K>) {
        self.join_unlike(by, &known, &known);
    }

    /// The same, where it is not known alike at both points.
    fn join_unlike<K: Ord>(
        &mut self,
        by: JoinedBy,
        at_client: impl Fn(&'a Noted) -> Option<K>,
        at_server: impl Fn(&'a Noted) -> Option<K>,
    ) {
        let mut waiting: BTreeMap<K, VecDeque<usize>> = BTreeMap::new();
        for (place, noted) in self.server.iter().enumerate() {
            if let Some(key) = at_server(noted) {
                waiting.entry(key).or_default().push_back(place);
            }
        }
        let mut taken = Vec::new();
        let (server, pairs) = (&self.server, &mut self.pairs);
        self.client.retain(|noted| {
            let place = at_client(noted).and_then(|key| waiting.get_mut(&key)).and_then(VecDeque::pop_front);
            let Some((place, other)) = place.and_then(|place| Some((place, *server.get(place)?))) else { return true };
            taken.push(place);
            pairs.push(Pair { client: Some(noted), server: Some(other), by: Some(by) });
            false
        });
        taken.sort_unstable();
        remove(&mut self.server, &taken);
    }
}

/// Takes what stands at these places, which are in order, out of a list, in one pass.
fn remove<T>(list: &mut Vec<T>, places: &[usize]) {
    let mut place = 0_usize;
    list.retain(|_| {
        let stays = places.binary_search(&place).is_err();
        place = place.saturating_add(1);
        stays
    });
}

/// Joins by what two points cannot have alike by chance, and last by the addresses alone.
pub(super) fn join<'a>(client: &'a [Noted], server: &'a [Noted]) -> Vec<Pair<'a>> {
    let mut left = Left { client: client.iter().collect(), server: server.iter().collect(), pairs: Vec::new() };
    left.join(JoinedBy::Random, |noted| Some(noted.random()).filter(|random| !random.is_empty()));
    let ends = |noted: &Noted| (noted.report.client, noted.report.server);
    left.join(JoinedBy::Addresses, |noted| Some((ends(noted), noted.isn()?)));
    // Translators of addresses keep sequence numbers: those of both ends, or the client's beside something else that they keep.
    left.join(JoinedBy::SequenceNumbers, |noted| noted.isn().zip(noted.answer));
    left.join(JoinedBy::SequenceNumbers, |noted| Some((noted.isn()?, noted.report.server)));
    left.join(JoinedBy::SequenceNumbers, |noted| {
        let (isn, id) = noted.syn?;
        Some((isn, id?, noted.report.server.port))
    });
    // Whose beginning one of the points lacks.
    let headless = |noted: &Noted| noted.isn().is_none().then(|| ends(noted));
    left.join_unlike(JoinedBy::Addresses, headless, |noted| Some(ends(noted)));
    left.join_unlike(JoinedBy::Addresses, |noted| Some(ends(noted)), headless);
    let mut pairs = left.pairs;
    pairs.extend(left.client.into_iter().map(|noted| Pair { client: Some(noted), server: None, by: None }));
    pairs.extend(left.server.into_iter().map(|noted| Pair { client: None, server: Some(noted), by: None }));
    pairs.sort_by_key(|pair| pair.client.or(pair.server).map(|noted| noted.first));
    pairs
}

/// Handshakes of the server's point alone all of whose packets have been found to be another's: the same connection under another name.
pub(super) fn adopt(pairs: &mut Vec<Pair<'_>>, at_client: &mut Vec<Wanted>, at_server: &mut Vec<Wanted>) {
    let mut owners: BTreeMap<u64, usize> = BTreeMap::new();
    for (place, (_, wanted)) in pairs.iter().zip(at_server.iter()).enumerate().filter(|(_, (pair, _))| pair.client.is_some()) {
        wanted.view.packets.iter().for_each(|packet| _ = owners.insert(packet.mark.frame, place));
    }
    let mut gone = Vec::new();
    for place in 0..pairs.len() {
        let (Some(Pair { client: None, server, .. }), Some(lone)) = (pairs.get(place).copied(), at_server.get(place)) else { continue };
        // What came before the first packet that tells went unnoticed.
        let speaks = lone.view.packets.iter().any(|packet| packet.len > 0);
        let telling = lone.view.packets.iter().filter(|packet| if speaks { packet.len > 0 } else { packet.matters() });
        let mut packets = telling.map(|packet| owners.get(&packet.mark.frame));
        let owner = packets.next().flatten().filter(|owner| packets.all(|other| other == Some(owner)));
        let Some(owner) = owner else { continue };
        let Some(pair) = pairs.get_mut(*owner) else { continue };
        if pair.server.is_none() {
            (pair.server, pair.by) = (server, Some(JoinedBy::Contents));
        }
        gone.push(place);
    }
    remove(pairs, &gone);
    remove(at_client, &gone);
    remove(at_server, &gone);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{completed, endpoint};

    fn noted(client: &str, syn: Option<(u32, Option<u16>)>, answer: Option<u32>) -> Noted {
        let report = Handshake { client: endpoint(client), server: endpoint("203.0.113.10:443"), tls: None, ..completed() };
        let time = report.handshake.start;
        Noted { report, syn, answer, first: time, last: time }
    }

    fn joined(client: &Noted, server: &Noted) -> Vec<Option<JoinedBy>> {
        join(std::slice::from_ref(client), std::slice::from_ref(server)).iter().map(|pair| pair.by).collect()
    }

    #[test]
    fn behind_a_translator_numbers_join() {
        let at_client = noted("192.168.0.2:5000", Some((1, Some(7))), Some(2));
        let by_numbers = vec![Some(JoinedBy::SequenceNumbers)];
        assert_eq!(joined(&at_client, &noted("198.51.100.1:6000", Some((1, None)), Some(2))), by_numbers);
        // The server's answer was lost on the way: the client's number to the same server is enough.
        assert_eq!(joined(&at_client, &noted("198.51.100.1:6000", Some((1, None)), None)), by_numbers);
        // The server's address is translated, too.
        let mut elsewhere = noted("198.51.100.1:6000", Some((1, Some(7))), None);
        elsewhere.report.server = endpoint("10.0.0.1:443");
        assert_eq!(joined(&at_client, &elsewhere), by_numbers);
        elsewhere.syn = Some((1, Some(8)));
        assert_eq!(joined(&at_client, &elsewhere), [None, None]);
        assert_eq!(joined(&at_client, &noted("198.51.100.1:6000", Some((3, Some(7))), Some(2))), [None, None]);
    }

    #[test]
    fn addresses_join_what_does_not_begin_otherwise() {
        let known = |isn| noted("192.168.0.2:5000", Some((isn, None)), None);
        let headless = || noted("192.168.0.2:5000", None, None);
        for (client, server) in [(known(1), known(1)), (known(1), headless()), (headless(), known(1)), (headless(), headless())] {
            assert_eq!(joined(&client, &server), [Some(JoinedBy::Addresses)]);
        }
        // The port was used again.
        assert_eq!(joined(&known(1), &known(2)), [None, None]);
    }
}
