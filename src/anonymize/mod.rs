//! Beside the floors: reports that can be handed to strangers. The same report goes in and comes out, without what tells who is who.
//!
//! Addresses are encrypted so that those with a common prefix keep one (ipcrypt-pfx, draft-denis-ipcrypt); names become keyed pseudonyms
//! label by label, so that those of one domain stay together; distinguished names, serial numbers, fingerprints of certificates, randoms
//! and ids become keyed pseudonyms. Everything is a function of the key and the value alone: two captures made anonymous with one key can
//! be compared. Ports, times, sizes, parameters and verdicts stay.
//!
//! Invariant: no address and nothing shaped like a host name passes, wherever in a report it stands.

mod text;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use ipcrypt_rs::IpcryptPfx;
use sha2::{Digest, Sha256};

use self::text::Known;
use crate::flow::{Endpoint, Transport};
use crate::report::{Advice, CertificateReport, Diagnosis, HandshakeReport, IncidentReport, Peer, Report, SummaryReport, community_id};

/// What the pseudonyms depend on.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; 32]);

impl Key {
    /// A key from a passphrase, or from the first line of the file behind an `@`. The error says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, String> {
        let from_file;
        let secret = match text.strip_prefix('@') {
            None => text,
            Some(path) => {
                from_file = std::fs::read_to_string(path).map_err(|error| format!("cannot read the key from {path}: {error}"))?;
                from_file.lines().next().unwrap_or_default()
            }
        };
        if secret.trim().chars().count() < SHORTEST {
            return Err(format!(
                "the key is shorter than {SHORTEST} characters and could be guessed; make one with `openssl rand -hex 32`"
            ));
        }
        Ok(Self(Sha256::digest(secret.trim().as_bytes()).into()))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

/// Makes reports anonymous.
pub struct Anonymizer {
    key: Key,
    addresses: IpcryptPfx,
}

impl fmt::Debug for Anonymizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Anonymizer")
    }
}

impl Anonymizer {
    /// One whose pseudonyms depend on `key`.
    pub fn new(key: Key) -> Self {
        let addresses = IpcryptPfx::new(mac(&key, "addresses", b""));
        Self { key, addresses }
    }

    /// The pseudonym of a handshake's id.
    pub fn id(&self, id: &str) -> String {
        let mut id = id.to_owned();
        self.digest(&mut id, "id");
        id
    }

    /// Makes prose anonymous: addresses and names in it are replaced.
    pub fn prose(&self, text: &str) -> String {
        self.text(text, &Known::default())
    }

    /// The pseudonym of a file's name, as in [`Self::report`].
    pub fn file(&self, name: &str) -> String {
        let mut name = name.to_owned();
        self.source(&mut name, &mut Known::default());
        name
    }

    /// Makes a report anonymous.
    pub fn report(&self, report: &mut Report) {
        match report {
            Report::Handshake(handshake) => self.handshake(handshake),
            Report::Incident(incident) => self.incident(incident),
            Report::Summary(summary) => self.summary(summary),
        }
    }

    /// Makes the report of a handshake anonymous.
    pub fn handshake(&self, report: &mut HandshakeReport) {
        let mut known = Known::default();
        self.hide(report, &mut known);
    }

    /// Makes prose anonymous that speaks of these handshakes, given as they were.
    pub fn prose_about(&self, text: &str, reports: &[&HandshakeReport]) -> String {
        let mut known = Known::default();
        for report in reports {
            self.hide(&mut (*report).clone(), &mut known);
        }
        self.text(text, &known)
    }

    fn hide(&self, report: &mut HandshakeReport, known: &mut Known) {
        for peer in [&mut report.client, &mut report.server] {
            self.peer(peer);
        }
        if let [Some(client), Some(server)] = [&report.client, &report.server].map(endpoint) {
            let transport = if report.network.transport == "udp" { Transport::Udp } else { Transport::Tcp };
            report.network.community_id = community_id(client, server, transport);
        }
        self.source(&mut report.capture.source, known);
        self.digest(&mut report.handshake.id, "id");
        if let Some(tls) = &mut report.tls {
            if let Some(client) = &mut tls.client {
                self.digest(&mut client.random, "random");
                if let Some(name) = &mut client.server_name {
                    let pseudonym = self.name(name);
                    known.replace(name, pseudonym);
                }
                self.certificates(&mut client.certificates, known);
            }
            if let Some(server) = &mut tls.server {
                self.certificates(&mut server.certificates, known);
            }
        }
        for close in report.quic.iter_mut().flat_map(|quic| &mut quic.closes) {
            close.reason = close.reason.as_ref().map(|reason| self.text(reason, known));
        }
        for tag in &mut report.network.path {
            *tag = self.text(tag, known);
        }
        self.diagnosis(&mut report.diagnosis, known);
        for entry in &mut report.timeline {
            entry.text = self.text(&entry.text, known);
        }
    }

    fn diagnosis(&self, diagnosis: &mut Diagnosis, known: &Known) {
        let texts = std::iter::once(&mut diagnosis.summary)
            .chain(diagnosis.remedy.iter_mut().map(Advice::line_mut))
            .chain(diagnosis.evidence.iter_mut().chain(&mut diagnosis.against).map(|piece| &mut piece.text))
            .chain(diagnosis.findings.iter_mut().map(|finding| &mut finding.text));
        texts.for_each(|text| *text = self.text(text, known));
    }

    fn incident(&self, incident: &mut IncidentReport) {
        let mut known = Known::default();
        self.digest(&mut incident.id, "id");
        incident.handshakes.iter_mut().for_each(|id| self.digest(id, "id"));
        if let Some(name) = &mut incident.server_name {
            let pseudonym = self.name(name);
            known.replace(name, pseudonym);
        }
        let advice = incident.remedy.iter_mut().map(Advice::line_mut);
        let texts = incident.servers.iter_mut().chain(&mut incident.clients).chain(&mut incident.changes).chain(advice);
        texts.chain(std::iter::once(&mut incident.summary)).for_each(|text| *text = self.text(text, &known));
    }

    fn summary(&self, summary: &mut SummaryReport) {
        let mut known = Known::default();
        for input in &mut summary.inputs {
            self.source(&mut input.source, &mut known);
            if let Some(damage) = &mut input.damage {
                *damage = self.text(damage, &known);
            }
        }
        summary.notes.iter_mut().for_each(|note| *note = self.text(note, &known));
    }

    /// Reports share certificates: each is hidden in a copy of its own.
    fn certificates(&self, certificates: &mut [Arc<CertificateReport>], known: &mut Known) {
        for shared in certificates {
            let mut certificate = CertificateReport::clone(shared);
            self.certificate(&mut certificate, known);
            *shared = Arc::new(certificate);
        }
    }

    fn certificate(&self, certificate: &mut CertificateReport, known: &mut Known) {
        for name in [&mut certificate.subject, &mut certificate.issuer] {
            let pseudonym = self.distinguished_name(name, known);
            known.replace(name, pseudonym);
        }
        for entry in &mut certificate.san {
            let pseudonym = match entry.split_once(':') {
                _ if entry.parse::<IpAddr>().is_ok() => self.address(entry),
                Some((kind, value)) => format!("{kind}:{}", self.value(value)),
                None => self.name(entry),
            };
            known.replace(entry, pseudonym);
        }
        for (digits, domain) in [(&mut certificate.serial, "serial"), (&mut certificate.sha256, "certificate")] {
            let before = digits.clone();
            self.digest(digits, domain);
            known.add(before, digits.clone());
        }
    }

    /// `CN=www.example.test, O=Example` keeps its attributes' kinds and loses their values.
    fn distinguished_name(&self, text: &str, known: &mut Known) -> String {
        let mut parts: Vec<String> = vec![String::new()];
        let mut escaped = false;
        for c in text.chars() {
            if c == ',' && !escaped {
                parts.push(String::new());
            } else if let Some(part) = parts.last_mut() {
                part.push(c);
            }
            escaped = c == '\\' && !escaped;
        }
        let parts = parts.iter().map(|part| match part.trim().split_once('=') {
            // A country is a crowd.
            Some(("C", country)) => format!("C={country}"),
            Some((kind, value)) => {
                let pseudonym = self.value(value);
                known.add(value.to_owned(), pseudonym.clone());
                format!("{kind}={pseudonym}")
            }
            None => self.value(part.trim()),
        });
        parts.collect::<Vec<_>>().join(", ")
    }

    fn peer(&self, peer: &mut Peer) {
        peer.address = self.address(&peer.address);
    }

    /// The pseudonym of an address; what is none is given a pseudonym as a name.
    fn address(&self, text: &str) -> String {
        text.parse::<IpAddr>().map_or_else(|_| self.name(text), |address| self.addresses.encrypt_ipaddr(address).to_string())
    }

    /// The pseudonym of a name, label by label: each depends on its label and all behind it.
    fn name(&self, text: &str) -> String {
        if text.parse::<IpAddr>().is_ok() {
            return self.address(text);
        }
        let lower = text.trim_end_matches('.').to_lowercase();
        let mut labels = Vec::new();
        let mut rest = lower.as_str();
        while !rest.is_empty() {
            let (label, behind) = rest.split_once('.').unwrap_or((rest, ""));
            labels.push(if label == "*" { "*".to_owned() } else { self.pseudonym('n', "name", rest) });
            rest = behind;
        }
        labels.join(".")
    }

    /// The pseudonym of a value that may be a name, an address or anything.
    fn value(&self, value: &str) -> String {
        if text::is_name(value) || value.parse::<IpAddr>().is_ok() { self.name(value) } else { self.pseudonym('v', "value", value) }
    }

    fn pseudonym(&self, kind: char, domain: &str, value: &str) -> String {
        let digest = mac(&self.key, domain, value.as_bytes());
        format!("{kind}{}", data_encoding::HEXLOWER.encode(digest.get(..4).unwrap_or_default()))
    }

    /// Replaces hexadecimal digits by as many others.
    fn digest(&self, digits: &mut String, domain: &str) {
        let whole = data_encoding::HEXLOWER.encode(&mac(&self.key, domain, digits.as_bytes()));
        *digits = whole.chars().take(digits.len()).collect();
    }

    /// A file's name says much; an interface's does not.
    fn source(&self, source: &mut String, known: &mut Known) {
        let is_interface = source.len() <= 15 && source.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_interface && source != "-" {
            let pseudonym = self.pseudonym('f', "file", source);
            known.replace(source, pseudonym);
        }
    }
}

fn mac(key: &Key, domain: &str, value: &[u8]) -> [u8; 32] {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key.0) else { return [0; 32] };
    mac.update(domain.as_bytes());
    mac.update(&[0]);
    mac.update(value);
    mac.finalize().into_bytes().into()
}

fn endpoint(peer: &Peer) -> Option<Endpoint> {
    Some(Endpoint::new(peer.address.parse().ok()?, peer.port))
}

/// Characters of a key.
const SHORTEST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::samples;

    fn anonymizer(passphrase: &str) -> Anonymizer {
        Anonymizer::new(Key::new(passphrase).unwrap())
    }

    #[test]
    fn addresses_keep_their_common_prefix_and_nothing_else() {
        let anonymizer = anonymizer("correct horse battery");
        let bits = |text: &str| match anonymizer.address(text).parse().unwrap() {
            IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
            IpAddr::V6(v6) => v6.to_bits(),
        };
        let common = |a: &str, b: &str| (bits(a) ^ bits(b)).leading_zeros();
        assert_eq!(common("10.1.2.3", "10.1.2.4"), 29);
        assert_eq!(common("10.1.2.3", "138.1.2.3"), 0);
        assert_eq!(common("2001:db8::1", "2001:db8::2"), 126);
        assert_ne!(anonymizer.address("10.1.2.3"), "10.1.2.3");
    }

    #[test]
    fn names_keep_their_hierarchy() {
        let anonymizer = anonymizer("correct horse battery");
        let (www, api, other) = (anonymizer.name("www.bank.test"), anonymizer.name("API.bank.test."), anonymizer.name("www.other.test"));
        let behind = |name: &str| name.split_once('.').unwrap().1.to_owned();
        assert_eq!(behind(&www), behind(&api));
        assert_ne!(www, api);
        assert_ne!(www.split('.').next(), other.split('.').next(), "the same label elsewhere is another");
        assert_eq!(anonymizer.name("*.bank.test"), format!("*.{}", behind(&www)));
    }

    #[test]
    fn nothing_of_the_original_is_left() {
        let reports = samples::run();
        for mut report in reports {
            anonymizer("correct horse battery").report(&mut report);
            let json = serde_json::to_string(&report).unwrap();
            for word in ["example", "10.0.0.", "192.0.2.", "night.pcapng"] {
                assert!(!json.contains(word), "{word}: {json}");
            }
        }
    }

    #[test]
    fn the_key_decides_and_must_be_long() {
        let anonymous = |key: &str| {
            let mut report = samples::expired(0);
            anonymizer(key).handshake(&mut report);
            report
        };
        assert_eq!(anonymous("correct horse battery"), anonymous("correct horse battery"));
        assert_ne!(anonymous("correct horse battery"), anonymous("correct horse batterz"));
        assert_eq!(anonymous("correct horse battery").diagnosis.cause, samples::expired(0).diagnosis.cause);
        assert!(Key::new("short").unwrap_err().contains("openssl rand"));
        assert!(Key::new("@/no/such/file").unwrap_err().contains("/no/such/file"));
    }
}
