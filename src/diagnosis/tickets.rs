//! Tickets that a server refused, and what else the capture shows of them: whether backends share their ticket keys.
//!
//! Only a handshake whose ticket was refused is entered. One whose ticket was accepted is looked up, where its server has refused any.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hash, Hasher};
use std::time::Duration;

use foldhash::quality::FixedState;

use crate::handshake::Handshake;
use crate::handshake::facts::Outcome;
use crate::time::Mark;
use crate::tls::client_hello::ClientHello;

/// Tickets remembered for a server.
const TICKETS: usize = 16;
/// A ticket issued within this time, and within its lifetime, is fresh: a server that still has its keys takes it back.
const FRESH: Duration = Duration::from_secs(600);

/// What the capture shows of a ticket that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TicketFate {
    /// The same ticket, offered by a like `ClientHello`, was refused, and accepted at the same address later: here.
    pub accepted: Option<Mark>,
    /// The same address issued it here, not long before it was refused.
    pub issued: Option<Mark>,
}

/// The tickets that one server refused or issued instead, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Tickets(VecDeque<Ticket>);

#[derive(Debug, Clone, Copy)]
struct Ticket {
    tag: u64,
    /// When, and for how long it is good.
    issued: Option<(Mark, Duration)>,
    refused: Option<Mark>,
    /// After it was refused.
    accepted: Option<Mark>,
    /// Accepted without that: it may be good for one use only.
    used: bool,
}

impl Tickets {
    /// Enters a handshake whose ticket was refused, and the ticket that it was given instead.
    pub(super) fn refuse(&mut self, handshake: &Handshake) {
        if let (Some(tag), Some(hello)) = (offered(handshake), &handshake.server_hello) {
            self.note(tag, |ticket| ticket.refused = Some(ticket.refused.map_or(hello.mark, |known| known.min(hello.mark))));
        }
        if let Some(seen) = &handshake.session_ticket
            && let Some(ticket) = &seen.what.kept
        {
            let hint = Duration::from_secs(u64::from(seen.what.lifetime_hint));
            let good_for = if hint.is_zero() { FRESH } else { hint.min(FRESH) };
            // One that is issued again, as servers do that name sessions by what was offered, is accepted because of that.
            self.note(tag(handshake, ticket), |ticket| {
                (ticket.issued, ticket.refused, ticket.accepted) = (Some((seen.mark, good_for)), None, None);
            });
        }
    }

    /// Notes that one was accepted, if it is known: after it was refused, or before. Handshakes are entered as they close.
    pub(super) fn accept(&mut self, handshake: &Handshake) {
        if let (Some(tag), Some(hello)) = (offered(handshake), &handshake.server_hello)
            && let Some(known) = self.0.iter_mut().find(|ticket| ticket.tag == tag)
        {
            if known.refused.is_some_and(|refused| refused < hello.mark) {
                known.accepted = Some(hello.mark);
            } else {
                known.used = true;
            }
        }
    }

    /// What became of the ticket that this handshake offered in vain.
    pub(super) fn fate(&self, handshake: &Handshake) -> TicketFate {
        let tag = offered(handshake);
        let Some(known) = self.0.iter().find(|ticket| Some(ticket.tag) == tag) else { return TicketFate::default() };
        let at = handshake.flow.first.time;
        let fresh = |(issued, good_for): &(Mark, Duration)| issued.time <= at && at.since(issued.time) <= *good_for;
        TicketFate { accepted: known.accepted, issued: known.issued.filter(|issued| !known.used && fresh(issued)).map(|(mark, _)| mark) }
    }

    fn note(&mut self, tag: u64, change: impl FnOnce(&mut Ticket)) {
        if let Some(known) = self.0.iter_mut().find(|ticket| ticket.tag == tag) {
            return change(known);
        }
        if self.0.len() >= TICKETS {
            self.0.pop_front();
        }
        let mut ticket = Ticket { tag, issued: None, refused: None, accepted: None, used: false };
        change(&mut ticket);
        self.0.push_back(ticket);
    }
}

/// The client offered a ticket, and the server did a full handshake all the same.
pub(super) fn refused(handshake: &Handshake) -> bool {
    handshake.outcome == Outcome::Completed
        && handshake.resumption.is_none()
        && handshake.hello().is_some_and(|hello| hello.ticket(handshake.is_tls13()).is_some())
}

fn offered(handshake: &Handshake) -> Option<u64> {
    Some(tag(handshake, handshake.hello()?.ticket(handshake.is_tls13())?))
}

/// Stands for a ticket and what else a server goes by when it accepts one: the name and the suites that come with it.
fn tag(handshake: &Handshake, ticket: &[u8]) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    (ticket, handshake.name(), handshake.is_tls13()).hash(&mut hasher);
    for suite in handshake.hello().into_iter().flat_map(ClientHello::cipher_suites).filter(|suite| !suite.is_grease()) {
        suite.0.hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{at, connected};
    use crate::handshake::facts::{Located, Resumption};
    use crate::tls::client_hello::tests::build;
    use crate::tls::message::SessionTicket;
    use crate::tls::server_hello::ServerHello;

    /// A completed handshake of TLS 1.2 that begins at this second and offers this ticket, and was given that one.
    fn offering(second: i64, suite: u16, ticket: &[u8], given: Option<&[u8]>) -> Handshake {
        let mut h = connected();
        let mark = at(second.unsigned_abs(), second * 1000);
        h.outcome = Outcome::Completed;
        h.flow.first = mark;
        let hello = ClientHello::parse(&build(0x0303, &[suite], &[(0x0023, ticket)])).unwrap();
        h.client_hellos.push(Located { what: hello, mark, first: mark, span: (0, 0) });
        let answer = [&[3, 3][..], &[1; 32], &[0], &suite.to_be_bytes(), &[0]].concat();
        h.server_hello = Some(Located { what: ServerHello::parse(&answer).unwrap(), mark, first: mark, span: (0, 0) });
        let what = given.map(|ticket| SessionTicket { lifetime_hint: 100, len: ticket.len(), kept: Some(ticket.into()) });
        h.session_ticket = what.map(|what| Box::new(Located { what, mark, first: mark, span: (0, 0) }));
        h
    }

    fn resumed(mut handshake: Handshake) -> Handshake {
        handshake.resumption = Some(Resumption::Ticket);
        handshake
    }

    #[test]
    fn a_ticket_that_is_refused_and_accepted() {
        let refused_one = offering(5, 0xc02f, b"one", None);
        assert!(refused(&refused_one) && !refused(&resumed(refused_one.clone())) && !refused(&offering(5, 0xc02f, b"", None)));
        let mut tickets = Tickets::default();
        tickets.accept(&resumed(refused_one.clone()));
        tickets.refuse(&refused_one);
        assert_eq!(tickets.fate(&refused_one), TicketFate::default(), "before, it may only have been younger");
        tickets.accept(&resumed(offering(4, 0xc02f, b"one", None)));
        assert_eq!(tickets.fate(&refused_one), TicketFate::default(), "the first to be used, the last to close");
        tickets.accept(&resumed(offering(6, 0xc02f, b"two", None)));
        tickets.accept(&resumed(offering(7, 0xc030, b"one", None)));
        assert_eq!(tickets.fate(&refused_one), TicketFate::default(), "another ticket, and another hello");
        tickets.accept(&resumed(offering(8, 0xc02f, b"one", None)));
        assert_eq!(tickets.fate(&refused_one).accepted, Some(at(8, 8000)));
    }

    #[test]
    fn a_ticket_that_is_issued_again_is_accepted_because_of_that() {
        let refused_one = offering(5, 0xc02f, b"one", Some(b"one"));
        let mut tickets = Tickets::default();
        tickets.refuse(&refused_one);
        tickets.accept(&resumed(offering(8, 0xc02f, b"one", None)));
        assert_eq!(tickets.fate(&refused_one), TicketFate::default());
    }

    #[test]
    fn a_fresh_ticket_that_is_refused() {
        let mut tickets = Tickets::default();
        tickets.refuse(&offering(5, 0xc02f, b"old", Some(b"new")));
        let again = offering(100, 0xc02f, b"new", None);
        tickets.refuse(&again);
        assert_eq!(tickets.fate(&again), TicketFate { accepted: None, issued: Some(at(5, 5000)) });
        tickets.accept(&resumed(offering(50, 0xc02f, b"new", None)));
        assert_eq!(tickets.fate(&again), TicketFate::default(), "good for one use, maybe");
        tickets = Tickets::default();
        tickets.refuse(&offering(5, 0xc02f, b"old", Some(b"new")));
        assert_eq!(tickets.fate(&offering(106, 0xc02f, b"new", None)).issued, None, "its lifetime is over");
        assert_eq!(tickets.fate(&offering(4, 0xc02f, b"new", None)).issued, None, "offered before it was issued: another's");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut tickets = Tickets::default();
        for number in 0..100u8 {
            tickets.refuse(&offering(5, 0xc02f, &[number + 1], Some(&[number, 0])));
        }
        assert_eq!(tickets.0.len(), TICKETS);
    }
}
