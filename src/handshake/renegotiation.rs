//! A second handshake inside the first (RFC 5246 section 7.4.1.1, RFC 5746): how far it got, as the types, sizes and order of its encrypted
//! records show it, or its messages where keys open them.

use crate::flow::{PerSide, Side};
use crate::time::Mark;

/// A second handshake inside the first, of TLS up to 1.2; in TLS 1.3 a client certificate asked for after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renegotiation {
    /// Who asked for it: the server by a HelloRequest, the client by a ClientHello.
    pub by: Side,
    /// Where.
    pub asked: Mark,
    /// The client's hello.
    pub hello: Option<Mark>,
    /// The latest of the server's messages behind that.
    pub flight: Option<Mark>,
    /// The client's Certificate, where it is known to be one.
    pub certificate: Option<ClientCertificate>,
    /// ChangeCipherSpec of each side: its part is done.
    pub changed: PerSide<Option<Mark>>,
    /// The client has answered the server's flight.
    answered: bool,
}

/// A client's Certificate message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Where.
    pub mark: Mark,
    /// It holds no certificate.
    pub is_empty: bool,
}

impl Renegotiation {
    /// One side asks.
    pub const fn asked(by: Side, asked: Mark) -> Self {
        let hello = match by {
            Side::Client => Some(asked),
            Side::Server => None,
        };
        Self { by, asked, hello, flight: None, certificate: None, changed: PerSide { client: None, server: None }, answered: false }
    }

    /// The server asked for a certificate after a handshake of TLS 1.3, and this is the answer.
    pub const fn later(asked: Mark, certificate: ClientCertificate) -> Self {
        Self { certificate: Some(certificate), answered: true, ..Self::asked(Side::Server, asked) }
    }

    /// The side that was asked goes along with it.
    pub const fn is_agreed(&self) -> bool {
        match self.by {
            Side::Client => self.flight.is_some(),
            Side::Server => self.hello.is_some(),
        }
    }

    /// A handshake record or message of a side. `certificate`: whether it is a client's Certificate, and an empty one; asked only where it may be.
    pub(super) fn goes_on(&mut self, side: Side, mark: Mark, certificate: impl FnOnce() -> Option<bool>) {
        match side {
            Side::Client if self.hello.is_none() => self.hello = Some(mark),
            Side::Client if self.flight.is_some() && !self.answered => {
                self.answered = true;
                self.certificate = certificate().map(|is_empty| ClientCertificate { mark, is_empty });
            }
            Side::Server if self.hello.is_some() && !self.answered => self.flight = Some(mark),
            Side::Client | Side::Server => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn at(frame: u64) -> Mark {
        Mark { frame, time: Timestamp::from_nanos(0) }
    }

    #[test]
    fn an_answer_is_what_follows_the_servers_flight() {
        let mut second = Renegotiation::asked(Side::Server, at(1));
        assert!(!second.is_agreed());
        second.goes_on(Side::Client, at(2), || Some(true));
        assert!(second.is_agreed() && second.certificate.is_none(), "that was its hello");
        second.goes_on(Side::Server, at(3), || None);
        second.goes_on(Side::Server, at(4), || None);
        second.goes_on(Side::Client, at(5), || Some(true));
        second.goes_on(Side::Client, at(6), || Some(false));
        assert_eq!(second.certificate, Some(ClientCertificate { mark: at(5), is_empty: true }), "what comes behind it is another message");
        assert_eq!(second.flight, Some(at(4)));
    }

    #[test]
    fn who_asks_by_a_hello_waits_for_the_server() {
        let mut second = Renegotiation::asked(Side::Client, at(1));
        assert_eq!((second.hello, second.is_agreed()), (Some(at(1)), false));
        second.goes_on(Side::Server, at(2), || None);
        assert!(second.is_agreed());
    }
}
