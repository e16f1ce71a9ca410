//! Who speaks: the TLS library of each side, read from what it sends.
//!
//! Libraries differ in what no standard lays down: which suites, groups and signature schemes they offer and in which order, how they order
//! extensions, whether they send GREASE (RFC 8701), how they put messages into records, when they send tickets. A hello can be imitated, so
//! nothing here is ever certain; what is not recognised stays unknown, and nobody is named by a single trait that others share.

mod client;
mod server;

use super::Handshake;
use crate::tls::client_hello::ClientHello;

/// A TLS library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stack {
    /// OpenSSL, and what is built on it.
    OpenSsl,
    /// BoringSSL, of Chromium, Android, Envoy and gRPC.
    BoringSsl,
    /// GnuTLS.
    GnuTls,
    /// NSS, of Firefox.
    Nss,
    /// Go's crypto/tls.
    Go,
    /// Java's JSSE.
    Jsse,
    /// Schannel, of Windows.
    Schannel,
    /// Apple's: Secure Transport, and the Network framework after it.
    Apple,
    /// rustls.
    Rustls,
    /// Mbed TLS.
    MbedTls,
    /// wolfSSL.
    WolfSsl,
    /// s2n-tls, of AWS.
    S2n,
    /// Erlang/OTP's ssl.
    Erlang,
    /// Botan.
    Botan,
    /// tlslite-ng, in Python.
    TlsLite,
}

impl Stack {
    /// Every stack.
    pub const ALL: [Self; 15] = [
        Self::OpenSsl,
        Self::BoringSsl,
        Self::GnuTls,
        Self::Nss,
        Self::Go,
        Self::Jsse,
        Self::Schannel,
        Self::Apple,
        Self::Rustls,
        Self::MbedTls,
        Self::WolfSsl,
        Self::S2n,
        Self::Erlang,
        Self::Botan,
        Self::TlsLite,
    ];

    /// The name that people know it by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenSsl => "OpenSSL",
            Self::BoringSsl => "BoringSSL",
            Self::GnuTls => "GnuTLS",
            Self::Nss => "NSS",
            Self::Go => "Go",
            Self::Jsse => "Java",
            Self::Schannel => "Schannel",
            Self::Apple => "Apple",
            Self::Rustls => "rustls",
            Self::MbedTls => "Mbed TLS",
            Self::WolfSsl => "wolfSSL",
            Self::S2n => "s2n-tls",
            Self::Erlang => "Erlang/OTP",
            Self::Botan => "Botan",
            Self::TlsLite => "tlslite-ng",
        }
    }
}

/// A program whose way of using its library shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Program {
    /// curl, and what is built on libcurl. It compares names itself, when the handshake is done.
    Curl,
    /// Python's ssl module. It has names compared within the handshake.
    Python,
    /// Node.js. It looks at the certificate when the handshake is done.
    Node,
    /// GLib's GIO, on which libsoup, WebKitGTK and GNOME stand. It looks at the certificate within the handshake, unlike others on GnuTLS.
    Gio,
    /// PHP's streams. They compare names themselves, when the handshake is done.
    Php,
    /// Qt's QNetworkAccessManager. It looks at the certificate when the handshake is done.
    Qt,
    /// Chromium and its kin.
    Chromium,
    /// Firefox.
    Firefox,
    /// Safari and what else uses Apple's Network framework.
    Safari,
}

impl Program {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Curl => "curl",
            Self::Python => "Python",
            Self::Node => "Node.js",
            Self::Gio => "GIO",
            Self::Php => "PHP",
            Self::Qt => "Qt",
            Self::Chromium => "Chromium",
            Self::Firefox => "Firefox",
            Self::Safari => "Safari",
        }
    }

    /// A browser: it opens connections to spare.
    pub const fn is_browser(self) -> bool {
        matches!(self, Self::Chromium | Self::Firefox | Self::Safari)
    }
}

/// How sure it is who speaks. The order is from less to more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Certainty {
    /// Right in four of five cases or more.
    Likely,
    /// Right in nineteen of twenty or more.
    Strong,
}

impl Certainty {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Likely, Self::Strong];

    /// The schema's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Likely => "likely",
            Self::Strong => "strong",
        }
    }
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speaker {
    /// The library.
    pub stack: Stack,
    /// The program, where its use of the library shows.
    pub program: Option<Program>,
    /// How sure the library is.
    pub certainty: Certainty,
}

impl Speaker {
    const fn new(stack: Stack, certainty: Certainty) -> Self {
        Self { stack, program: None, certainty }
    }

    const fn strong(stack: Stack) -> Self {
        Self::new(stack, Certainty::Strong)
    }

    const fn likely(stack: Stack) -> Self {
        Self::new(stack, Certainty::Likely)
    }

    const fn running(mut self, program: Option<Program>) -> Self {
        self.program = program;
        self
    }
}

/// `OpenSSL (curl)`, `probably Go`.
impl std::fmt::Display for Speaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.certainty == Certainty::Likely {
            f.write_str("probably ")?;
        }
        f.write_str(self.stack.name())?;
        match self.program {
            Some(program) => write!(f, " ({})", program.name()),
            None => Ok(()),
        }
    }
}

/// The library that made this ClientHello; `None` when it is none of those known.
pub fn of_hello(hello: &ClientHello) -> Option<Speaker> {
    client::read(hello)
}

/// The client's library.
pub fn of_client(handshake: &Handshake) -> Option<Speaker> {
    of_hello(handshake.hello()?)
}

/// The server's library, by its ServerHello, its records and its tickets.
pub fn of_server(handshake: &Handshake) -> Option<Speaker> {
    server::read(handshake)
}

/// The known list of `what` begins like this.
fn starts(what: impl IntoIterator<Item = u16>, with: &[u16]) -> bool {
    let mut what = what.into_iter();
    with.iter().all(|wanted| what.next() == Some(*wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speakers_read_as_people_name_them() {
        assert_eq!(Speaker::strong(Stack::OpenSsl).running(Some(Program::Curl)).to_string(), "OpenSSL (curl)");
        assert_eq!(Speaker::likely(Stack::Go).to_string(), "probably Go");
        assert_eq!(Stack::ALL.map(Stack::name).iter().collect::<std::collections::BTreeSet<_>>().len(), Stack::ALL.len());
    }

    #[test]
    fn a_list_starts_with_its_beginning() {
        assert!(starts([1, 2, 3], &[1, 2]) && starts([1], &[]));
        assert!(!starts([1], &[1, 2]) && !starts([2, 1], &[1]));
    }
}
