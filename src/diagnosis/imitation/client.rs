//! A `ClientHello` as options of `openssl s_client`.

use std::borrow::Cow;

use crate::diagnosis::cause::{Cause, Family};
use crate::diagnosis::offer::listed;
use crate::diagnosis::remedy::Command;
use crate::diagnosis::remedy::parts::{Host, List, Name, Protocols};
use crate::handshake::Handshake;
use crate::tls::client_hello::ClientHello;
use crate::tls::registry::{CipherSuite, ExtensionType, NamedGroup, ProtocolVersion, SignatureScheme};

/// What the client offered, in OpenSSL's words.
#[derive(Debug)]
pub(super) struct Offer {
    name: Option<String>,
    versions: Versions,
    suites: Vec<&'static str>,
    tls13_suites: Vec<&'static str>,
    groups: Vec<&'static str>,
    schemes: Vec<&'static str>,
    protocols: Option<Protocols>,
    /// Options without a value.
    flags: Vec<&'static str>,
    fragment: Option<&'static str>,
    /// The level at which OpenSSL minds weak keys and hashes, for a client that did.
    level: &'static str,
}

/// The versions offered, oldest and newest, as `-min_protocol` and `-max_protocol` take them.
#[derive(Debug, Clone, Copy)]
struct Versions(Option<&'static str>, Option<&'static str>);

impl Offer {
    /// Reads the hello; what OpenSSL cannot offer goes to `unlike`.
    pub(super) fn of(handshake: &Handshake, hello: &ClientHello, cause: Option<Cause>, unlike: &mut Vec<Cow<'static, str>>) -> Self {
        let suites = hello.cipher_suites().filter(|suite| !suite.is_grease() && !suite.is_signal());
        let (of_13, below): (Vec<_>, Vec<_>) = suites.partition(|suite| suite.is_tls13());
        let suite = |suite: &CipherSuite| suite.openssl();
        let hybrids = cause.is_some_and(|cause| matches!(cause.family(), Family::Path | Family::Middlebox | Family::Quic));
        let all_groups: Vec<NamedGroup> = hello.supported_groups().filter(|group| !group.is_grease()).collect();
        let group = |group: &NamedGroup| group.openssl().filter(|_| hybrids || !group.is_post_quantum());
        let schemes: Vec<SignatureScheme> = hello.signature_algorithms().filter(|scheme| !scheme.is_grease()).collect();
        let offer = Self {
            name: handshake.server_name(),
            versions: Versions::of(hello).above(handshake.version().filter(|_| cause == Some(Cause::ServerVersionTooOld))),
            suites: known(&below, suite, "cipher suites", unlike),
            tls13_suites: known(&of_13, suite, "cipher suites of TLS 1.3", unlike),
            groups: known(&all_groups, group, "groups", unlike),
            schemes: known(&schemes, |scheme| scheme.openssl(), "signature algorithms", unlike),
            protocols: protocols(hello, unlike),
            flags: flags(hello),
            fragment: hello
                .max_fragment_length()
                .and_then(|code| ["512", "1024", "2048", "4096"].get(usize::from(code.checked_sub(1)?)).copied()),
            level: if is_strict(cause) { "@SECLEVEL=2" } else { "@SECLEVEL=0" },
        };
        if let Some(hybrid) = all_groups.iter().find(|group| group.is_post_quantum()).and_then(|group| group.openssl()) {
            unlike.push(
                if hybrids {
                    format!("The group {hybrid} takes OpenSSL 3.5 or newer; with an older one leave it out of -groups.")
                } else {
                    format!(
                        "The group {hybrid} is left out, because it takes OpenSSL 3.5 or newer; there put {hybrid}: in front of -groups."
                    )
                }
                .into(),
            );
        }
        let shares: Vec<NamedGroup> = hello.key_shares().map(|(group, _)| group).filter(|group| !group.is_grease()).collect();
        let first = all_groups.first();
        if shares.len() > 1 || shares.first().is_some_and(|share| Some(share) != first) {
            unlike.push(format!("The client sent key shares for {}; OpenSSL sends one for the first of -groups.", listed(&shares)).into());
        }
        if hello.ech().is_some() {
            unlike.push("Encrypted Client Hello is not offered.".into());
        }
        if hello.psk_is_external() {
            unlike.push("The client offered a pre-shared key that was agreed on outside of TLS: put -psk_identity and -psk behind it, with the name and the key of the server's list.".into());
        } else if hello.session_ticket_len().is_some_and(|len| len > 0) || hello.psk_identities() > 0 {
            unlike.push("The client offered to resume a session, which only it has.".into());
        }
        if !hello.extended_master_secret() && hello.offers(ProtocolVersion::TLS12) {
            unlike.push("OpenSSL offers extended_master_secret, which the client did not.".into());
        }
        if hello.lists_versions()
            && !of_13.is_empty()
            && hello.cipher_suites().find(|suite| !suite.is_grease()).is_some_and(|suite| !suite.is_tls13())
        {
            unlike.push("OpenSSL puts the cipher suites of TLS 1.3 first; the client did not.".into());
        }
        if hello.lowest_version().is_some_and(|lowest| lowest.as_tls().rank() < ProtocolVersion::TLS10.rank()) {
            unlike.push("SSL 3.0 is not offered: OpenSSL is built without it.".into());
        }
        offer
    }

    /// The command with what the client offered; `checks`: with the checks of the server's certificate that make it fatal.
    pub(super) fn to(&self, mut command: Command, checks: bool) -> Command {
        command = match self.name.as_deref().map(Name::parse) {
            Some(Some(name)) => command.option("-servername", name),
            Some(None) => command.option("-servername", "<name>"),
            None => command.with("-noservername"),
        };
        if let Some(oldest) = self.versions.0 {
            command = command.option("-min_protocol", oldest);
        }
        if let Some(newest) = self.versions.1 {
            command = command.option("-max_protocol", newest);
        }
        let mut suites = self.suites.clone();
        if suites.is_empty() {
            suites.push("DEFAULT");
        }
        suites.push(self.level);
        command = command.option("-cipher", List::of(&suites));
        for (option, list) in [("-ciphersuites", &self.tls13_suites), ("-groups", &self.groups), ("-sigalgs", &self.schemes)] {
            if !list.is_empty() {
                command = command.option(option, List::of(list));
            }
        }
        if let Some(protocols) = &self.protocols {
            command = command.option("-alpn", protocols.clone());
        }
        if let Some(fragment) = self.fragment {
            command = command.option("-maxfraglen", fragment);
        }
        for flag in &self.flags {
            command = command.with(flag);
        }
        if checks {
            command = command.with("-verify_return_error");
            command = match self.name.as_deref().and_then(Host::parse) {
                Some(host) => command.option("-verify_hostname", &host),
                None => command,
            };
        }
        command
    }
}

impl Versions {
    /// Without the version that the client turned out not to take, and those below it.
    fn above(self, refused: Option<ProtocolVersion>) -> Self {
        match refused {
            Some(ProtocolVersion::TLS10) => Self(Some("TLSv1.1"), self.1),
            Some(ProtocolVersion::TLS11) => Self(Some("TLSv1.2"), self.1),
            Some(ProtocolVersion::TLS12) => Self(Some("TLSv1.3"), self.1),
            Some(ProtocolVersion::DTLS10) => Self(Some("DTLSv1.2"), self.1),
            _ => self,
        }
    }

    fn of(hello: &ClientHello) -> Self {
        let word = |version: ProtocolVersion| match version {
            ProtocolVersion::TLS10 => Some("TLSv1"),
            ProtocolVersion::TLS11 => Some("TLSv1.1"),
            ProtocolVersion::TLS12 => Some("TLSv1.2"),
            ProtocolVersion::DTLS10 => Some("DTLSv1"),
            ProtocolVersion::DTLS12 => Some("DTLSv1.2"),
            version if version.is_tls13() && !version.is_dtls() => Some("TLSv1.3"),
            _ => None,
        };
        let oldest = match hello.lowest_version() {
            Some(lowest) if lowest.as_tls().rank() < ProtocolVersion::TLS10.rank() => Some("TLSv1"),
            Some(lowest) => word(lowest),
            None if hello.is_dtls() => Some("DTLSv1"),
            None => Some("TLSv1"),
        };
        Self(oldest, word(hello.highest_version()))
    }
}

/// The names that OpenSSL knows, in order; those that it does not are told.
fn known<T: Copy + std::fmt::Display>(
    list: &[T],
    name: impl Fn(&T) -> Option<&'static str>,
    what: &str,
    unlike: &mut Vec<Cow<'static, str>>,
) -> Vec<&'static str> {
    let foreign: Vec<&T> = list.iter().filter(|one| name(one).is_none()).collect();
    if !foreign.is_empty() {
        unlike.push(format!("Not offered, because OpenSSL 3.0 does not have them: {what} {}.", listed(foreign)).into());
    }
    let mut names: Vec<&'static str> = Vec::new();
    for name in list.iter().filter_map(name) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn protocols(hello: &ClientHello, unlike: &mut Vec<Cow<'static, str>>) -> Option<Protocols> {
    hello.alpn().next()?;
    let found = Protocols::of(hello.alpn());
    if found.as_ref().is_none_or(|(_, all)| !all) {
        unlike.push("Application protocols whose names cannot be typed are not offered.".into());
    }
    found.map(|(protocols, _)| protocols)
}

fn flags(hello: &ClientHello) -> Vec<&'static str> {
    let mut flags = Vec::new();
    if hello.status_request() {
        flags.push("-status");
    }
    if !hello.has(ExtensionType::SESSION_TICKET) {
        flags.push("-no_ticket");
    }
    if !hello.has(ExtensionType::ENCRYPT_THEN_MAC) {
        flags.push("-no_etm");
    }
    if hello.cipher_suites().any(|suite| suite == CipherSuite::FALLBACK_SCSV) {
        flags.push("-fallback_scsv");
    }
    flags
}

/// The client minded a weak key, hash or group: OpenSSL does at this level.
const fn is_strict(cause: Option<Cause>) -> bool {
    matches!(cause, Some(Cause::CertificateWeakKey | Cause::CertificateWeakSignature | Cause::DhTooSmall))
}
