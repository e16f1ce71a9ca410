//! What offers the same again: commands that act as a client did, and a server that answers as its server did, with what OpenSSL and curl can do.
//!
//! Made from facts and the verdict's cause; the cause tells of a server that refused what kind of server refuses so. What cannot be imitated is
//! said. Commands are built of the parts of [`super::remedy`], so nothing of the wire becomes an option or an operator.
//!
//! - `client`: the hello as options of `s_client`; `server`: the answer as options of `s_server`; `certificate`: the files that both need

use std::borrow::Cow;

use super::cause::{Cause, Family};
use super::remedy::{self, Command};
use crate::handshake::Handshake;
use crate::handshake::facts::Protocol;
use crate::tls::registry::ProtocolVersion;

mod certificate;
mod client;
mod server;

/// Commands that offer a handshake again, each `None` or empty where no program does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Imitation {
    /// Offers to the server what the client offered.
    pub client: Option<Command>,
    /// Asks the server from another host, whatever is offered there.
    pub curl: Option<Command>,
    /// Make the files of the server, in an empty directory and in this order.
    pub files: Vec<Command>,
    /// A server on port 4433 of this host that answers as the server did.
    pub server: Option<Command>,
    /// Offers to that server what the client offered.
    pub against: Option<Command>,
    /// Why that pair is not expected to come to the same verdict; `None` where it is.
    pub differs: Option<&'static str>,
    /// What differs from the original, a sentence each.
    pub unlike: Vec<Cow<'static, str>>,
}

impl Imitation {
    /// Makes the commands for a handshake whose verdict this is.
    pub fn of(handshake: &Handshake, cause: Option<Cause>) -> Self {
        let mut unlike = Vec::new();
        let oldest = ProtocolVersion::TLS10.rank();
        let Some(hello) = handshake.hello().filter(|hello| !hello.is_sslv2() && hello.highest_version().as_tls().rank() >= oldest) else {
            let why = if handshake.hello().is_some() {
                "The client speaks SSL 2.0 or 3.0, which no OpenSSL of today does."
            } else {
                "The client sent no ClientHello that was captured: there is nothing to offer again."
            };
            return Self { curl: remedy::curl(handshake, ""), differs: Some(why), unlike, ..Self::default() };
        };
        let checks = checks_certificate(handshake, cause);
        let offer = client::Offer::of(handshake, hello, cause, &mut unlike);
        let client = remedy::s_client_alone(handshake).map(|command| offer.to(command, checks).without_input());
        if client.is_none() {
            unlike.push("openssl s_client does not speak what is spoken there before TLS.".into());
        }
        if cause.is_some_and(|cause| cause.family() == Family::ClientAuth) {
            unlike.push("The client's key is not in the capture: to offer its certificate to the real server, add -cert and -key.".into());
        }
        let curl = remedy::curl(handshake, "");
        let differs = beyond_openssl(handshake, cause);
        let differs = differs.or_else(|| {
            let datagrams = handshake.version().is_some_and(|version| version.is_dtls() && version.is_tls13());
            datagrams.then_some("OpenSSL does not speak DTLS 1.3.")
        });
        let plan = match handshake.protocol {
            Protocol::Tls | Protocol::Dtls => server::plan(handshake, hello, cause, &mut unlike),
            _ => None,
        };
        let Some(plan) = plan else {
            let differs = differs.or(Some("What made the server refuse is not known well enough to make another that refuses so."));
            return Self { client, curl, differs, unlike, ..Self::default() };
        };
        if handshake.preamble.is_some() {
            unlike.push("The server that imitates expects TLS from the first byte: openssl s_server speaks nothing before it.".into());
        }
        let base = Command::new("openssl s_client").option("-connect", "127.0.0.1:4433");
        let base = if handshake.protocol == Protocol::Dtls { base.with("-dtls") } else { base };
        let against = plan.completed_by(offer.to(base, checks));
        Self { client, curl, files: plan.files, server: Some(plan.command), against: Some(against), differs, unlike }
    }
}

/// Whether the client looked at the server's certificate and minded.
fn checks_certificate(handshake: &Handshake, cause: Option<Cause>) -> bool {
    let of_certificate = cause.is_some_and(|cause| cause.family() == Family::Certificate);
    of_certificate && handshake.stopped_by != crate::handshake::facts::StoppedBy::Server
}

/// Why two programs of OpenSSL on one host will not do what happened here.
fn beyond_openssl(handshake: &Handshake, cause: Option<Cause>) -> Option<&'static str> {
    if handshake.protocol == Protocol::Quic {
        return Some("openssl s_server does not speak QUIC.");
    }
    let cause = cause?;
    Some(match cause.family() {
        Family::Capture => "The capture lacks something, not the handshake.",
        Family::Connect | Family::Path | Family::Middlebox => {
            "The cause lies on the path between the hosts: run the first command where the client is."
        }
        Family::Carrier => "It happened in what carries TLS there, which OpenSSL does not speak.",
        Family::Plaintext | Family::Proxy => "It happened before TLS, which openssl s_server does not speak: run the first command.",
        Family::Silence => "A side stopped responding or left without a word, which OpenSSL does not do by itself.",
        Family::Protocol => "A side broke the protocol or failed inside, which OpenSSL does not do on request.",
        Family::Quic | Family::Dtls => "It happened to datagrams on the way, or in a server unlike openssl s_server.",
        Family::Version | Family::Parameters | Family::Certificate | Family::ClientAuth | Family::Names | Family::Psk => match cause {
            Cause::VersionIntolerantServer | Cause::Sslv2Hello => "No OpenSSL of today behaves so.",
            Cause::ExtendedMasterSecretRequired | Cause::RenegotiationRefused | Cause::InsufficientSecurity => {
                "No option of openssl s_server refuses for this reason."
            }
            Cause::CertificateRevoked | Cause::ClientCertificateRevoked => {
                "Only the authority says whether a certificate is revoked, and it is not imitated."
            }
            Cause::MustStapleMissing => "openssl s_client does not mind a status that is missing.",
            Cause::ChainMisordered | Cause::ChainTooLarge | Cause::CertificateUnsupported | Cause::BackendInconsistent => {
                "openssl s_client takes what the client minded, or one server does not show it."
            }
            Cause::ServerCertificateRejected => {
                "The client hid its reason; openssl s_client says its own in clear, and the verdict is a more exact one."
            }
            Cause::DhTooSmall => "openssl s_server uses no prime that is too small.",
            Cause::SniMissing => "openssl s_server answers without a server name.",
            Cause::PskUnknownIdentity | Cause::TicketsNotShared => "openssl s_server takes any identity.",
            Cause::FtpSessionNotResumed => "The server refuses on FTP's control connection, which OpenSSL does not speak.",
            _ => return None,
        },
    })
}
