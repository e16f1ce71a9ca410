//! Beside the floors: reports that can be handed to strangers. A report goes in, and one like it comes out, without what tells who is who.
//!
//! Addresses are encrypted so that those with a common prefix keep one (ipcrypt-pfx, draft-denis-ipcrypt); names become keyed pseudonyms
//! label by label, so that those of one domain stay together; distinguished names, serial numbers, fingerprints of certificates, randoms
//! and ids become keyed pseudonyms. Everything is a function of the key and the value alone: two captures made anonymous with one key can
//! be compared. Ports, times, sizes, parameters and verdicts stay.
//!
//! Invariant: no address and nothing shaped like a host name passes, wherever in a report it stands.

mod text;

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use ipcrypt_rs::IpcryptPfx;
use sha2::{Digest, Sha256};

use self::text::Known;
use crate::flow::{Endpoint, PerSide, Shown, read_address, station_of};
use crate::report::{
    Advice, Capture, Certificate, ClosedBy, Course, Diagnosis, Dns, Dtls, Eap, Evidence, Finding, Handshake, Id, Incident, Network,
    Observer, Quic, Renaming, Site, Step, Summary, Tls, TlsClient, TlsServer, community_id,
};

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
    pub fn id(&self, id: Id) -> Id {
        Id::of(&mac(&self.key, "id", id.as_bytes()))
    }

    /// Prose without addresses and names.
    pub fn prose(&self, text: &str) -> String {
        self.text(text, &Known::default())
    }

    /// Prose that speaks of these handshakes, given as they were.
    pub fn prose_about(&self, text: &str, reports: &[&Handshake<'_>]) -> String {
        let mut known = Known::default();
        for report in reports {
            self.hidden(report, &mut known);
        }
        self.text(text, &known)
    }

    /// The pseudonym of a file's name, as in a report.
    pub fn file(&self, name: &str) -> String {
        self.source(name, &mut Known::default())
    }

    /// A handshake without what tells who is who.
    pub fn handshake<'a>(&self, report: &Handshake<'a>) -> Handshake<'a> {
        self.hidden(report, &mut Known::default())
    }

    fn hidden<'a>(&self, report: &Handshake<'a>, known: &mut Known) -> Handshake<'a> {
        let (client, server) = (self.endpoint(report.client), self.endpoint(report.server));
        let source = self.source(&report.capture.source, known);
        let tls = report.tls.as_ref().map(|tls| self.tls(tls, known));
        let eap = report.eap.as_ref().map(|eap| self.eap(eap, known));
        let dns = report.dns.as_ref().map(|dns| Box::new(self.dns(dns, known)));
        // What is known by name is complete from here on.
        let text = |text: &str| self.text(text, known);
        let close = |closes: &[ClosedBy]| -> Vec<_> {
            closes.iter().map(|close| ClosedBy { reason: text(&close.reason), ..close.clone() }).collect()
        };
        Handshake {
            observer: self.observer(&report.observer),
            network: Network { community_id: community_id(client, server, report.network.transport), ..report.network },
            client,
            server,
            server_ttl: report.server_ttl,
            // Processes, users and containers are names of who is who, and nothing else.
            owners: PerSide::default(),
            capture: Capture {
                source: Cow::Owned(source),
                interface: report.capture.interface.clone(),
                files: report.capture.files.as_ref().map(|files| files.renamed(self.file_namer())),
                ..report.capture
            },
            handshake: Course { id: self.id(report.handshake.id), history: report.handshake.history.clone(), ..report.handshake },
            tls,
            quic: report.quic.as_ref().map(|quic| Quic {
                server_versions: quic.server_versions.clone(),
                closes: Cow::Owned(close(&quic.closes)),
                ..*quic
            }),
            dtls: report.dtls.map(|dtls| Dtls { relay: dtls.relay.map(|relay| self.endpoint(relay)), ..dtls }),
            eap,
            openvpn: report.openvpn,
            dns,
            diagnosis: diagnosis(&report.diagnosis, &text),
            timeline: report.timeline.iter().map(|step| Step { text: text(&step.text), ..step.clone() }).collect(),
            facts: None,
        }
    }

    fn tls<'a>(&self, tls: &Tls<'a>, known: &mut Known) -> Tls<'a> {
        let client = tls.client.as_ref().map(|client| {
            let random = data_encoding::HEXLOWER.encode(&client.random);
            let random = mac(&self.key, "random", random.as_bytes()).get(..client.random.len()).unwrap_or_default().to_vec();
            let server_name = client.server_name.as_ref().map(|name| {
                let pseudonym = self.name(name);
                known.add(name.to_string(), pseudonym.clone());
                Cow::Owned(pseudonym)
            });
            TlsClient {
                random: Cow::Owned(random),
                server_name,
                offer: client.offer.clone(),
                certificates: self.certificates(&client.certificates, known),
                ..*client
            }
        });
        let server = tls.server.as_ref().map(|server| TlsServer {
            answer: Arc::clone(&server.answer),
            certificates: self.certificates(&server.certificates, known),
            raw_key: server.raw_key.map(|key| {
                let fingerprint = data_encoding::HEXLOWER.encode(&key);
                let pseudonym = mac(&self.key, "certificate", fingerprint.as_bytes());
                known.add(fingerprint, data_encoding::HEXLOWER.encode(&pseudonym));
                pseudonym
            }),
            ..*server
        });
        Tls { next_protocol: tls.next_protocol.clone(), client, server, alerts: tls.alerts.clone(), ..*tls }
    }

    /// Who asks to be let in, where: all of it is names.
    fn eap(&self, eap: &Eap<'_>, known: &mut Known) -> Eap<'static> {
        eap.map(|name| {
            let pseudonym = self.value(name);
            known.add(name.to_string(), pseudonym.clone());
            Cow::Owned(pseudonym)
        })
    }

    /// Names, and hashes that everybody can look up.
    fn dns(&self, dns: &Dns, known: &mut Known) -> Dns {
        dns.map(|text| {
            let pseudonym = self.value(text);
            known.add(text.to_owned(), pseudonym.clone());
            pseudonym
        })
    }

    /// An incident without what tells who is who.
    pub fn incident(&self, incident: &Incident) -> Incident {
        let mut known = Known::default();
        let server_name = incident.server_name.as_ref().map(|name| {
            let pseudonym = self.name(name);
            known.add(name.clone(), pseudonym.clone());
            pseudonym
        });
        let text = |text: &str| self.text(text, &known);
        Incident {
            observer: self.observer(&incident.observer),
            id: self.digits(&incident.id, "id"),
            servers: incident.servers.iter().map(|server| self.endpoint(*server)).collect(),
            server_name,
            clients: incident.clients.iter().map(|client| self.ip(*client)).collect(),
            sensors: incident.sensors.iter().map(|name| Arc::from(self.value(name))).collect(),
            owners: Vec::new(),
            changes: incident.changes.iter().map(|change| text(change)).collect(),
            summary: text(&incident.summary),
            remedy: incident.remedy.iter().map(|line| advice(line, &text)).collect(),
            handshakes: incident.handshakes.iter().map(|id| self.id(*id)).collect(),
            joined: incident.joined.clone(),
            ..*incident
        }
    }

    /// A summary without what tells who is who.
    pub fn summary(&self, summary: &Summary) -> Summary {
        let mut known = Known::default();
        let mut hidden = summary.clone();
        hidden.observer = self.observer(&summary.observer);
        for input in &mut hidden.inputs {
            input.source = self.source(&input.source, &mut known);
            input.damage = input.damage.as_ref().map(|damage| self.text(damage, &known));
        }
        hidden.notes.iter_mut().for_each(|note| *note = self.text(note, &known));
        hidden.answer = summary.answer.renamed(&|place| match place.parse::<SocketAddr>() {
            Ok(at) => self.endpoint(Endpoint::new(at.ip(), at.port())).to_string(),
            Err(_) => self.name(place),
        });
        hidden
    }

    fn certificates(&self, certificates: &[Arc<Certificate>], known: &mut Known) -> Vec<Arc<Certificate>> {
        certificates.iter().map(|certificate| Arc::new(self.certificate(certificate, known))).collect()
    }

    fn certificate(&self, certificate: &Certificate, known: &mut Known) -> Certificate {
        let named = |name: &str, known: &mut Known| {
            let pseudonym = self.distinguished_name(name, known);
            known.add(name.to_owned(), pseudonym.clone());
            pseudonym
        };
        let (subject, issuer) = (named(&certificate.subject, known), named(&certificate.issuer, known));
        let san = certificate.san.iter().map(|entry| {
            let pseudonym = match entry.split_once(':') {
                _ if entry.parse::<IpAddr>().is_ok() => self.address(entry),
                Some((kind, value)) => format!("{kind}:{}", self.value(value)),
                None => self.name(entry),
            };
            known.add(entry.clone(), pseudonym.clone());
            pseudonym
        });
        let san = san.collect();
        let serial = self.digits(&certificate.serial, "serial");
        known.add(certificate.serial.clone(), serial.clone());
        let fingerprint = certificate.fingerprint();
        let sha256 = mac(&self.key, "certificate", fingerprint.as_bytes());
        known.add(fingerprint, data_encoding::HEXLOWER.encode(&sha256));
        Certificate {
            subject,
            issuer,
            serial,
            not_before: certificate.not_before,
            not_after: certificate.not_after,
            san,
            key: certificate.key.clone(),
            signature: certificate.signature.clone(),
            sha256,
            ..Certificate::default()
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

    fn endpoint(&self, endpoint: Endpoint) -> Endpoint {
        Endpoint::new(self.ip(endpoint.address), endpoint.port)
    }

    /// The pseudonym of an address, or of the station that it stands for: one that is locally administered, as nobody's own is.
    fn ip(&self, address: IpAddr) -> IpAddr {
        let Some(station) = station_of(address) else { return self.addresses.encrypt_ipaddr(address) };
        let mut made = station;
        for (byte, other) in made.iter_mut().zip(mac(&self.key, "station", &station)) {
            *byte = other;
        }
        let [first, ..] = &mut made;
        *first = *first & 0xfc | 0x02;
        Endpoint::station(made).address
    }

    /// The pseudonym of an address; what is none is given a pseudonym as a name.
    fn address(&self, text: &str) -> String {
        read_address(text).map_or_else(|| self.name(text), |address| Shown(self.ip(address)).to_string())
    }

    /// The pseudonym of a name, label by label: each depends on its label and all behind it.
    fn name(&self, text: &str) -> String {
        if read_address(text).is_some() {
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
        if text::is_name(value) || read_address(value).is_some() { self.name(value) } else { self.pseudonym('v', "value", value) }
    }

    /// Names files as [`Self::file`] does.
    fn file_namer(&self) -> Renaming {
        let anonymizer = Self::new(self.key.clone());
        Arc::new(move |name| anonymizer.file(name))
    }

    fn pseudonym(&self, kind: char, domain: &str, value: &str) -> String {
        let digest = mac(&self.key, domain, value.as_bytes());
        format!("{kind}{}", data_encoding::HEXLOWER.encode(digest.get(..4).unwrap_or_default()))
    }

    /// As many other hexadecimal digits.
    fn digits(&self, digits: &str, domain: &str) -> String {
        let whole = data_encoding::HEXLOWER.encode(&mac(&self.key, domain, digits.as_bytes()));
        whole.chars().take(digits.len()).collect()
    }

    /// Sites and sensors have names that say where they are.
    fn observer(&self, observer: &Observer) -> Observer {
        let site = observer.site.name().and_then(|name| Site::named(&self.value(&name)));
        Observer { site: site.unwrap_or_default(), sensor: observer.sensor.as_deref().map(|name| Arc::from(self.value(name))) }
    }

    /// A file's name says much; an interface's does not.
    fn source(&self, source: &str, known: &mut Known) -> String {
        let is_interface = source.len() <= 15 && source.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if is_interface || source == "-" {
            return source.to_owned();
        }
        let pseudonym = self.pseudonym('f', "file", source);
        known.add(source.to_owned(), pseudonym.clone());
        pseudonym
    }
}

/// A diagnosis with its texts made anonymous.
fn diagnosis<'a>(diagnosis: &Diagnosis<'a>, text: &impl Fn(&str) -> String) -> Diagnosis<'a> {
    let evidence =
        |pieces: &[Evidence]| -> Vec<Evidence> { pieces.iter().map(|piece| Evidence { text: text(&piece.text), ..*piece }).collect() };
    let findings = diagnosis.findings.iter().map(|finding| Finding {
        summary: text(&finding.summary),
        evidence: evidence(&finding.evidence),
        against: evidence(&finding.against),
        remedy: finding.remedy.iter().map(|line| advice(line, text)).collect(),
        alternatives: finding.alternatives.clone(),
        ..*finding
    });
    Diagnosis {
        summary: diagnosis.summary.as_ref().map(|summary| Cow::Owned(text(summary))),
        remedy: diagnosis.remedy.iter().map(|line| advice(line, text)).collect(),
        evidence: Cow::Owned(evidence(&diagnosis.evidence)),
        against: Cow::Owned(evidence(&diagnosis.against)),
        alternatives: diagnosis.alternatives.clone(),
        findings: findings.collect(),
        ..*diagnosis
    }
}

fn advice(line: &Advice, text: &impl Fn(&str) -> String) -> Advice {
    match line {
        Advice::Text(line) => Advice::Text(Cow::Owned(text(line))),
        Advice::Command(command) => Advice::Command(command.with_values(text)),
    }
}

fn mac(key: &Key, domain: &str, value: &[u8]) -> [u8; 32] {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key.0) else { return [0; 32] };
    mac.update(domain.as_bytes());
    mac.update(&[0]);
    mac.update(value);
    mac.finalize().into_bytes().into()
}

/// Characters of a key.
const SHORTEST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::ndjson::NdjsonSink;
    use crate::report::{Cause, Confidence, Report, Sink as _, samples};

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

    /// A run as JSON lines.
    fn written(reports: &[Report]) -> String {
        let mut out = Vec::new();
        let mut sink = NdjsonSink::new(&mut out, false);
        for report in reports {
            report.give(&mut sink).unwrap();
        }
        sink.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn nothing_of_the_original_is_left() {
        let anonymizer = anonymizer("correct horse battery");
        let hidden: Vec<Report> = samples::run()
            .iter()
            .map(|report| match report {
                Report::Handshake(handshake) => Report::Handshake(Box::new(anonymizer.handshake(handshake))),
                Report::Incident(incident) => Report::Incident(Box::new(anonymizer.incident(incident))),
                Report::Summary(summary) => Report::Summary(Box::new(anonymizer.summary(summary))),
                // Made of what is anonymous already.
                other => other.clone(),
            })
            .collect();
        let json = written(&hidden);
        for word in ["example", "10.0.0.", "192.0.2.", "night.pcapng"] {
            assert!(!json.contains(word), "{word}: {json}");
        }
    }

    #[test]
    fn what_no_output_shows_is_hidden_too() {
        let mut report = samples::expired(0);
        let mut finding = Finding::new(Cause::ServerSlow, Confidence::Likely, "www.example.test took its time");
        finding.evidence = vec![Evidence { mark: None, text: "10.0.0.2 was silent".to_owned() }];
        finding.against = vec![Evidence { mark: None, text: "10.0.0.2 was up".to_owned() }];
        finding.remedy = vec![Advice::Text("Ask who runs www.example.test.".into())];
        report.diagnosis.findings = vec![finding].into();
        let hidden = format!("{:?}", anonymizer("correct horse battery").handshake(&report).diagnosis);
        assert!(!hidden.contains("example") && !hidden.contains("10.0.0."), "{hidden}");
    }

    #[test]
    fn the_key_decides_and_must_be_long() {
        let anonymous = |key: &str| written(&[Report::Handshake(Box::new(anonymizer(key).handshake(&samples::expired(0))))]);
        assert_eq!(anonymous("correct horse battery"), anonymous("correct horse battery"));
        assert_ne!(anonymous("correct horse battery"), anonymous("correct horse batterz"));
        assert!(anonymous("correct horse battery").contains("\"cause\":\"certificate-expired\""));
        assert!(Key::new("short").unwrap_err().contains("openssl rand"));
        assert!(Key::new("@/no/such/file").unwrap_err().contains("/no/such/file"));
    }
}
