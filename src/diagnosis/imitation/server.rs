//! A server's answer as options of `openssl s_server`: what it chose, or what makes one refuse as this one did.

use std::borrow::Cow;

use super::certificate::{Chain, Files, Key, Plan, Validity};
use crate::diagnosis::cause::{Cause, Family};
use crate::diagnosis::remedy::Command;
use crate::diagnosis::remedy::parts::{List, Protocols};
use crate::handshake::Handshake;
use crate::handshake::facts::{Outcome, Protocol};
use crate::tls::client_hello::ClientHello;
use crate::tls::registry::{CipherSuite, KeyExchange, NamedGroup, ProtocolVersion, SignatureKey};

/// A server to be run, and what its client has to add.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent of each other")]
pub(super) struct Server {
    /// What makes its files.
    pub(super) files: Vec<Command>,
    /// The server.
    pub(super) command: Command,
    /// Whom the client trusts.
    trusted: Option<&'static str>,
    /// The client has `client.pem`.
    with_certificate: bool,
    /// The client has a pre-shared key.
    with_psk: bool,
    /// The client uses the connection, once it is up: it asks for a page.
    speaks: bool,
    /// TLS 1.3: what comes after the hellos is encrypted.
    keys: bool,
}

impl Server {
    /// The client's command with what this server takes.
    pub(super) fn completed_by(&self, mut client: Command) -> Command {
        if let Some(file) = self.trusted {
            client = client.option("-CAfile", file);
        }
        if self.with_certificate {
            client = client.option("-cert", "client.pem").option("-key", "client.key");
        }
        if self.with_psk {
            client = client.option("-psk_identity", "imitation").option("-psk", "11111111");
        }
        if self.keys {
            client = client.option("-keylogfile", "imitation.keys");
        }
        if self.speaks {
            return Command::new("printf").operand("GET / HTTP/1.0\\r\\n\\r\\n").pipe(client.with("-ign_eof"));
        }
        // What the server says of the client's certificate comes when the client has finished: it has to be there still.
        Command::new("sleep 2").pipe(client)
    }
}

/// The server; `None` where nothing is known of its answer.
pub(super) fn plan(
    handshake: &Handshake,
    hello: &ClientHello,
    cause: Option<Cause>,
    unlike: &mut Vec<Cow<'static, str>>,
) -> Option<Server> {
    let mut certificate = certificate(handshake, cause, unlike);
    let mut options = Command::new("openssl s_server").option("-accept", 4433_u16);
    if handshake.protocol == Protocol::Dtls {
        options = options.with("-dtls");
    }
    if handshake.version().is_some_and(|version| version.is_tls13() && version.is_dtls()) {
        return None;
    }
    let answered = handshake.server_hello.is_some() || handshake.hello_retry.is_some();
    let mut files = Vec::new();
    options = if answered {
        chosen(options, handshake, cause, &mut certificate)
    } else {
        refusing(options, handshake, hello, cause?, &mut certificate)?
    };
    let family = cause.map(Cause::family);
    let mut with_certificate = false;
    if family == Some(Family::ClientAuth) {
        options = options.option("-Verify", 1_u16).with("-verify_return_error");
        if cause != Some(Cause::ClientCertificateMissing) {
            with_certificate = true;
            // The server's own certificate is signed by the same root; only one of the two can have the configuration's names.
            let client = client_certificate(handshake, cause, unlike);
            files.extend(client.commands(Files::CLIENT));
            certificate.chain = Chain::Itself;
            if client.chain != Chain::Itself {
                options = options.option("-CAfile", "root.pem");
            }
        }
    }
    let with_psk = cause == Some(Cause::PskMismatch) || handshake.cipher().is_some_and(|suite| is_psk(suite.key_exchange()));
    if with_psk {
        let key = if cause == Some(Cause::PskMismatch) { "22222222" } else { "11111111" };
        options = options.option("-psk_identity", "imitation").option("-psk", key);
        unlike.push("The pre-shared key is one of the imitation: the real one is not in the capture.".into());
    }
    files.extend(certificate.commands(Files::SERVER));
    options = options.option("-cert", Files::SERVER.certificate).option("-key", Files::SERVER.key);
    if matches!(certificate.chain, Chain::Intermediate | Chain::Expired | Chain::NoAuthority) {
        options = options.option("-cert_chain", "intermediate.pem");
    }
    if cause == Some(Cause::SniUnrecognized) {
        options = options.option("-servername", "another.invalid").with("-servername_fatal");
        options = options.option("-cert2", Files::SERVER.certificate).option("-key2", Files::SERVER.key);
    }
    // Over TCP it answers requests and reads nothing from the terminal; over UDP it lives as long as what it reads from.
    let command = if handshake.protocol == Protocol::Dtls { Command::new("sleep 60").pipe(options) } else { options.with("-www") };
    let untrusted = matches!(
        cause,
        Some(Cause::CertificateUntrustedCa | Cause::CertificateSelfSigned | Cause::TlsInterception | Cause::ServerCertificateRejected)
    );
    let below = handshake.version().is_some_and(|version| !version.is_tls13()) || !hello.offers(ProtocolVersion::TLS13);
    Some(Server {
        files,
        command,
        trusted: (!untrusted).then_some(if certificate.chain == Chain::Itself { Files::SERVER.certificate } else { "root.pem" }),
        with_certificate,
        with_psk,
        speaks: handshake.outcome == Outcome::Completed && cause.is_none() && handshake.protocol == Protocol::Tls,
        keys: !below && handshake.protocol == Protocol::Tls,
    })
}

/// What the server chose, and nothing else to choose from.
fn chosen(mut options: Command, handshake: &Handshake, cause: Option<Cause>, certificate: &mut Plan) -> Command {
    let version = handshake.version();
    options = match version {
        Some(version) if version.is_tls13() && !version.is_dtls() => options.with("-tls1_3"),
        Some(ProtocolVersion::TLS12) => options.with("-tls1_2"),
        Some(ProtocolVersion::TLS11) => options.with("-tls1_1"),
        Some(ProtocolVersion::TLS10) => options.with("-tls1"),
        Some(ProtocolVersion::DTLS12) => options.option("-min_protocol", "DTLSv1.2"),
        Some(ProtocolVersion::DTLS10) => options.option("-max_protocol", "DTLSv1"),
        _ => options,
    };
    let suite = handshake.cipher();
    if let Some(name) = suite.and_then(CipherSuite::openssl) {
        options = if suite.is_some_and(CipherSuite::is_tls13) {
            options.option("-ciphersuites", name).option("-cipher", "DEFAULT@SECLEVEL=0")
        } else {
            options.option("-cipher", List::of(&[name, "@SECLEVEL=0"]))
        };
    } else {
        options = options.option("-cipher", "DEFAULT@SECLEVEL=0");
    }
    // A suite of TLS 1.2 wants its kind of key, whatever was served.
    let wanted = suite.and_then(|suite| key_for(suite.key_exchange()));
    if let Some(key) = wanted.filter(|key| handshake.server_chain.is_none() || key.is_rsa() != certificate.key.is_rsa()) {
        certificate.key = key;
    }
    if let Some(group) = handshake.group().filter(|group| !group.is_post_quantum()).and_then(NamedGroup::openssl) {
        // Of TLS 1.2 it would bind the certificate's curve, too.
        let of_curve = matches!(certificate.key, Key::Curve(_)) && !version.is_some_and(ProtocolVersion::is_tls13);
        if !of_curve {
            options = options.option("-groups", group);
        }
    }
    match handshake.next_protocol().and_then(|protocol| Protocols::of(std::iter::once(protocol))) {
        _ if cause == Some(Cause::AlpnNoOverlap) => options.option("-alpn", "another"),
        Some((protocols, _)) => options.option("-alpn", protocols),
        None => options,
    }
}

/// A server that has nothing in common with the hello, where the verdict tells in what.
fn refusing(mut options: Command, handshake: &Handshake, hello: &ClientHello, cause: Cause, certificate: &mut Plan) -> Option<Command> {
    let newest = hello.highest_version().as_tls();
    let level = "@SECLEVEL=0";
    let datagrams = handshake.protocol == Protocol::Dtls;
    options = match cause {
        Cause::ClientVersionTooOld | Cause::NoCommonVersion if datagrams => options.option("-min_protocol", "DTLSv1.2"),
        Cause::ClientVersionTooOld | Cause::NoCommonVersion if newest.rank() < ProtocolVersion::TLS12.rank() => {
            options.option("-min_protocol", "TLSv1.2")
        }
        Cause::ClientVersionTooOld | Cause::NoCommonVersion if newest == ProtocolVersion::TLS12 => options.with("-tls1_3"),
        Cause::ClientVersionTooOld | Cause::NoCommonVersion => options.with("-tls1_2"),
        Cause::NoCommonCipher | Cause::HandshakeFailure => {
            let offered = |suite: u16| hello.cipher_suites().any(|other| other.0 == suite);
            let strange = SUITES.iter().copied().map(CipherSuite).find(|suite| !offered(suite.0))?;
            certificate.key = key_for(strange.key_exchange()).unwrap_or(Key::Rsa(2048));
            let options = if datagrams { options } else { options.with("-tls1_2") };
            options.option("-cipher", List::of(&[strange.openssl()?, level]))
        }
        Cause::CertificateTypeMismatch => {
            let takes_rsa = hello.cipher_suites().any(|suite| !suite.is_tls13() && key_for(suite.key_exchange()) == Some(Key::Rsa(2048)));
            certificate.key = if takes_rsa { Key::Curve("P-256") } else { Key::Rsa(2048) };
            options.with("-tls1_2").option("-cipher", "ALL:@SECLEVEL=0")
        }
        Cause::NoCommonGroup => {
            let offered = |group: &NamedGroup| hello.supported_groups().any(|other| other == *group);
            let strange = GROUPS.iter().copied().find(|group| !offered(group))?;
            certificate.key = Key::Rsa(2048);
            let options = options.option("-groups", strange.openssl()?).option("-cipher", "kEECDH:@SECLEVEL=0");
            if hello.offers(ProtocolVersion::TLS13) { options.with("-tls1_3") } else { options }
        }
        Cause::NoCommonSignatureAlgorithm => {
            let takes = |key: SignatureKey| hello.signature_algorithms().any(|scheme| scheme.key() == key && !scheme.is_weak());
            certificate.key = if !takes(SignatureKey::Rsa) && !takes(SignatureKey::RsaPss) {
                Key::Rsa(2048)
            } else if !takes(SignatureKey::Ecdsa) {
                Key::Curve("P-256")
            } else {
                Key::Ed448
            };
            options
        }
        // A pre-shared key of TLS 1.3 goes with SHA-256.
        Cause::PskMismatch => options.option("-cipher", "ALL:@SECLEVEL=0").option("-ciphersuites", "TLS_AES_128_GCM_SHA256"),
        Cause::InappropriateFallback | Cause::SniUnrecognized => options.option("-cipher", "ALL:@SECLEVEL=0"),
        Cause::AlpnNoOverlap => options.option("-alpn", "another"),
        _ if cause.family() == Family::ClientAuth => options.option("-cipher", "ALL:@SECLEVEL=0"),
        _ => return None,
    };
    Some(options)
}

/// The certificate to be made: as served, else good; with the fault that the verdict names, where that was not seen.
fn certificate(handshake: &Handshake, cause: Option<Cause>, unlike: &mut Vec<Cow<'static, str>>) -> Plan {
    let served = handshake.server_chain.as_ref();
    let like = served.and_then(|seen| Plan::like(&seen.what.certificates, seen.mark.time, unlike));
    let seen = like.is_some();
    let mut plan = like.unwrap_or_else(|| {
        if handshake.is_tls13() {
            unlike
                .push("The certificate was encrypted (TLS 1.3): the one made has the fault of the verdict and nothing else of it.".into());
        }
        Plan::good(handshake)
    });
    // One that was valid when it was served was out of time by the client's clock only.
    let valid = matches!(plan.validity, Validity::Days(_));
    if seen && valid && matches!(cause, Some(Cause::CertificateExpired | Cause::CertificateNotYetValid)) {
        unlike.push("The certificate was valid, and the client's clock wrong: the one made is out of time by any clock.".into());
    }
    match cause {
        Some(Cause::CertificateExpired) if valid => plan.validity = Validity::Past,
        Some(Cause::CertificateNotYetValid) if valid => plan.validity = Validity::Future,
        Some(Cause::CertificateSelfSigned) => plan.chain = Chain::Itself,
        Some(Cause::ChainIncomplete) => plan.chain = Chain::Missing,
        Some(Cause::IntermediateExpired) => plan.chain = Chain::Expired,
        Some(Cause::CertificateConstraints) => plan.chain = Chain::NoAuthority,
        Some(Cause::CertificateUntrustedCa) if plan.chain == Chain::Itself => plan.chain = Chain::Root,
        Some(Cause::CertificateWrongUsage) if !seen => plan.usage = Some("clientAuth"),
        Some(Cause::CertificateWeakKey) if !seen => plan.key = Key::Rsa(1024),
        Some(Cause::CertificateWeakSignature) if !seen => plan.digest = "sha1",
        Some(Cause::CertificateNameMismatch | Cause::DefaultCertificate) if !seen => {
            plan.names.clear();
            plan.wildcards.clear();
        }
        _ => {}
    }
    plan
}

/// A certificate of the client that the server refuses for the reason in the verdict.
fn client_certificate(handshake: &Handshake, cause: Option<Cause>, unlike: &mut Vec<Cow<'static, str>>) -> Plan {
    let sent = handshake.client_chain.as_ref();
    let like = sent.and_then(|seen| Plan::like(&seen.what.certificates, seen.mark.time, unlike));
    let seen = like.is_some();
    let mut plan = like.unwrap_or_else(|| Plan { names: Vec::new(), ..Plan::good(handshake) });
    match cause {
        Some(Cause::ClientCertificateExpired) => {
            plan.chain = Chain::Root;
            if matches!(plan.validity, Validity::Days(_)) {
                plan.validity = Validity::Past;
            }
        }
        Some(Cause::ClientCertificateWrongUsage) => {
            plan.chain = Chain::Root;
            if !seen {
                plan.usage = Some("serverAuth");
            }
        }
        // It is not trusted: it has no issuer that the server could know.
        _ => plan.chain = Chain::Itself,
    }
    plan
}

/// The key that a suite wants of the server.
const fn key_for(exchange: KeyExchange) -> Option<Key> {
    match exchange {
        KeyExchange::Rsa | KeyExchange::DheRsa | KeyExchange::EcdheRsa => Some(Key::Rsa(2048)),
        KeyExchange::EcdheEcdsa => Some(Key::Curve("P-256")),
        _ => None,
    }
}

const fn is_psk(exchange: KeyExchange) -> bool {
    matches!(exchange, KeyExchange::Psk | KeyExchange::DhePsk | KeyExchange::EcdhePsk | KeyExchange::RsaPsk)
}

/// Suites for a server that has only one: what few hellos lack comes last.
const SUITES: &[u16] = &[0xc0a2, 0x00be, 0xc077, 0xc028, 0xc030, 0xcca8, 0x009d, 0xc02c, 0x002f];

/// Groups for a server that has only one.
const GROUPS: &[NamedGroup] = &[NamedGroup::X448, NamedGroup::SECP521R1, NamedGroup::SECP384R1, NamedGroup::X25519, NamedGroup::SECP256R1];
