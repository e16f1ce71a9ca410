//! What a handshake says of its two sides: who offered, chose and completed what.
//!
//! It is made of a report, or of the line of JSON that was written of one, perhaps by another sensor; both give the same. DTLS versions are the TLS
//! versions that they follow, and so are the drafts of TLS 1.3.

use std::sync::Arc;

use serde_json::Value;

use super::{
    Cause, Certificate, CipherSuite, Class, Endpoint, Handshake, NamedGroup, Outcome, Protocol, ProtocolVersion, SCHEMA, SignatureScheme,
    Timestamp,
};
use crate::limits;
use crate::site::Site;

/// What a handshake says of its two sides.
#[derive(Debug, Clone)]
pub struct Sighting {
    /// Its id.
    pub id: String,
    /// Time of its first frame.
    pub start: Timestamp,
    /// Time of its last frame.
    pub end: Timestamp,
    /// The file or interface of its first frame.
    pub source: String,
    /// Its first and its last frame, by their numbers in their file.
    pub frames: (u64, u64),
    /// The site, where the addresses mean something.
    pub site: Site,
    /// The client.
    pub client: Endpoint,
    /// The server.
    pub server: Endpoint,
    /// The name asked for, in small letters.
    pub name: Option<String>,
    /// TLS, DTLS, QUIC, SSL 2.0, or none of them.
    pub protocol: Protocol,
    /// How it ended.
    pub outcome: Outcome,
    /// What it counts as.
    pub class: Class,
    /// Why it ended so.
    pub cause: Option<Cause>,
    /// It is still under way.
    pub provisional: bool,
    /// A session was resumed.
    pub resumed: bool,
    /// The version chosen.
    pub version: Option<ProtocolVersion>,
    /// The suite chosen.
    pub cipher: Option<CipherSuite>,
    /// The key exchange group.
    pub group: Option<NamedGroup>,
    /// What the client offered.
    pub offered: Option<Offered>,
    /// The client's JA4 fingerprint.
    pub ja4: Option<String>,
    /// The client's TLS library, where it is recognised, and behind it the program.
    pub stack: Option<String>,
    /// The hello holds an encrypted ClientHello, or what looks the same.
    pub ech: bool,
    /// The server's certificates, leaf first.
    pub server_certificates: Vec<Arc<Certificate>>,
    /// The client's certificates, leaf first.
    pub client_certificates: Vec<Arc<Certificate>>,
}

/// What a client offers, whichever server it asks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Offered {
    /// The newest version.
    pub newest: Option<ProtocolVersion>,
    /// All versions, where the client lists them: without a list it offers older ones than the newest as well.
    pub versions: Vec<ProtocolVersion>,
    /// Suites, without those that only signal.
    pub ciphers: Vec<CipherSuite>,
    /// Groups.
    pub groups: Vec<NamedGroup>,
    /// Signature algorithms.
    pub signature_algorithms: Vec<SignatureScheme>,
}

impl Sighting {
    /// What a report says.
    pub fn of(report: &Handshake<'_>) -> Self {
        let Handshake { client, server, capture, handshake, .. } = report;
        let tls = report.tls.as_ref();
        let said = tls.and_then(|tls| tls.client.as_ref());
        let place = |frame| capture.place(frame).frame;
        Self {
            id: handshake.id.as_str().to_owned(),
            start: handshake.start,
            end: handshake.end,
            source: capture.source.clone().into_owned(),
            frames: (place(capture.first_frame), place(capture.last_frame)),
            site: report.observer.site,
            client: *client,
            server: *server,
            name: report.server_name().map(plain),
            protocol: report.network.protocol,
            outcome: handshake.outcome,
            class: report.class(),
            cause: report.diagnosis.cause,
            provisional: handshake.provisional,
            resumed: handshake.resumed,
            version: tls.and_then(|tls| tls.version).map(followed),
            cipher: tls.and_then(|tls| tls.cipher).map(named),
            group: tls.and_then(|tls| tls.curve),
            offered: said.map(|said| Offered::of(&said.offer)),
            ja4: said.map(|said| said.offer.ja4().to_owned()),
            stack: said.and_then(|said| said.stack).map(|speaker| spoken(speaker.stack.name(), speaker.program.map(super::Program::name))),
            ech: said.is_some_and(|said| said.offer.ech().is_some()),
            server_certificates: report.server_certificates().to_vec(),
            client_certificates: report.client_certificates().to_vec(),
        }
    }

    /// What a line says that was written of a handshake; `None` for lines of another kind. The error says what is wrong with it.
    pub fn of_row(row: &Value) -> Result<Option<Self>, String> {
        match text(row, "schema") {
            Some(SCHEMA) => {}
            Some(other) => return Err(format!("it is of the schema {other:?}; {SCHEMA} is read")),
            None => return Err("it has no `schema`".to_owned()),
        }
        if text(row, "kind") != Some("handshake") {
            return Ok(None);
        }
        let handshake = |name: &str| row.get("handshake").and_then(|handshake| handshake.get(name));
        let word = |name: &'static str| handshake(name).and_then(Value::as_str).ok_or_else(|| format!("it has no `handshake.{name}`"));
        let time = |name| moment(word(name)?).ok_or_else(|| format!("`handshake.{name}` is not a time"));
        let flag = |name| handshake(name).and_then(Value::as_bool).unwrap_or_default();
        let frame = |name| row.get("capture").and_then(|capture| capture.get(name)).and_then(Value::as_u64).unwrap_or_default();
        let tls = row.get("tls");
        let client = tls.and_then(|tls| tls.get("client"));
        let chosen = |name| tls.and_then(|tls| text(tls, name));
        let protocol = row.get("network").and_then(|network| text(network, "protocol")).unwrap_or_default();
        let certificates = |side| tls.and_then(|tls| tls.get(side)).map(certificates).unwrap_or_default();
        let stack = client.and_then(|client| client.get("stack"));
        Ok(Some(Self {
            id: word("id")?.to_owned(),
            start: time("start")?,
            end: time("end")?,
            source: row.get("capture").and_then(|capture| text(capture, "source")).unwrap_or_default().to_owned(),
            frames: (frame("first_frame"), frame("last_frame")),
            site: row.get("observer").and_then(|observer| text(observer, "site")).and_then(Site::named).unwrap_or_default(),
            client: endpoint(row, "client")?,
            server: endpoint(row, "server")?,
            name: client.and_then(|client| text(client, "server_name")).filter(|name| !name.is_empty()).map(plain),
            protocol: Protocol::ALL.into_iter().find(|known| known.name() == protocol).ok_or("`network.protocol` is not known")?,
            outcome: known(Outcome::ALL, Outcome::name, word("outcome")?).ok_or("`handshake.outcome` is not known")?,
            class: known(Class::ALL, Class::name, word("class")?).ok_or("`handshake.class` is not known")?,
            // A cause that a newer version knows is one that this version does not.
            cause: row.get("diagnosis").and_then(|diagnosis| text(diagnosis, "cause")).and_then(|cause| cause.parse().ok()),
            provisional: flag("provisional"),
            resumed: flag("resumed"),
            version: chosen("version").and_then(ProtocolVersion::from_text).map(followed),
            cipher: chosen("cipher").and_then(CipherSuite::from_text).map(named),
            group: chosen("curve").and_then(NamedGroup::from_text),
            offered: client.map(Offered::of_row),
            ja4: client.and_then(|client| text(client, "ja4")).map(str::to_owned),
            stack: stack.and_then(|stack| text(stack, "name").map(|name| spoken(name, text(stack, "program")))),
            ech: client.is_some_and(|client| client.get("ech").is_some()),
            server_certificates: certificates("server"),
            client_certificates: certificates("client"),
        }))
    }

    /// Whether both sides finished.
    pub fn completed(&self) -> bool {
        self.outcome == Outcome::Completed
    }
}

impl Offered {
    fn of(offer: &super::Offer<'_>) -> Self {
        let hello = offer.hello();
        let mut versions: Vec<ProtocolVersion> = hello.supported_versions().take(limits::OFFERED).map(followed).collect();
        versions.retain(|version| !version.is_grease());
        Self {
            newest: Some(followed(hello.highest_version())).filter(|version| version.name().is_some() && !is_apart(*version)),
            versions,
            ciphers: suites(hello.cipher_suites().filter(|suite| !suite.is_grease()).take(limits::OFFERED_SUITES)),
            groups: hello.supported_groups().filter(|group| !group.is_grease()).take(limits::OFFERED).collect(),
            signature_algorithms: hello.signature_algorithms().take(limits::OFFERED).collect(),
        }
    }

    fn of_row(client: &Value) -> Self {
        let versions: Vec<ProtocolVersion> =
            list(client, "supported_versions").filter_map(ProtocolVersion::from_text).map(followed).collect();
        let newest = versions.iter().copied().max_by_key(|version| version.rank());
        // Without a list of versions the newest stands in the fingerprint only.
        let newest = newest.or_else(|| text(client, "ja4").and_then(version_of_ja4));
        Self {
            newest: newest.filter(|version| version.name().is_some()),
            versions,
            ciphers: suites(list(client, "supported_ciphers").filter_map(CipherSuite::from_text)),
            groups: list(client, "supported_groups").filter_map(NamedGroup::from_text).collect(),
            signature_algorithms: list(client, "signature_algorithms").filter_map(SignatureScheme::from_text).collect(),
        }
    }
}

/// The TLS version that this one follows; what follows none stays what it is.
fn followed(version: ProtocolVersion) -> ProtocolVersion {
    if is_apart(version) { version } else { version.as_tls() }
}

/// TLCP and the DTLS from before its standard, which fingerprints do not tell.
const fn is_apart(version: ProtocolVersion) -> bool {
    matches!(version, ProtocolVersion::TLCP | ProtocolVersion::DTLS09)
}

fn suites(all: impl Iterator<Item = CipherSuite>) -> Vec<CipherSuite> {
    all.filter(|suite| !suite.is_signal()).map(named).collect()
}

/// The one suite of a name: three drafts with ChaCha20 bear the names of the suites that came of them.
fn named(suite: CipherSuite) -> CipherSuite {
    if !matches!(suite.0, 0xcc13..=0xcc15 | 0xcca8..=0xccaa) {
        return suite;
    }
    suite.name().and_then(CipherSuite::from_text).unwrap_or(suite)
}

/// As names are compared.
fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

fn spoken(name: &str, program: Option<&str>) -> String {
    program.map_or_else(|| name.to_owned(), |program| format!("{name}, {program}"))
}

fn version_of_ja4(ja4: &str) -> Option<ProtocolVersion> {
    Some(match ja4.get(1..3)? {
        "13" | "d3" => ProtocolVersion::TLS13,
        "12" | "d2" => ProtocolVersion::TLS12,
        "11" | "d1" => ProtocolVersion::TLS11,
        "10" => ProtocolVersion::TLS10,
        "s3" => ProtocolVersion::SSL3,
        "s2" => ProtocolVersion::SSL2,
        _ => return None,
    })
}

fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

fn list<'a>(object: &'a Value, name: &str) -> impl Iterator<Item = &'a str> {
    object.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn known<T: Copy, const N: usize>(all: [T; N], name: fn(T) -> &'static str, word: &str) -> Option<T> {
    all.into_iter().find(|one| name(*one) == word)
}

fn moment(text: &str) -> Option<Timestamp> {
    let at: jiff::Timestamp = text.parse().ok()?;
    i64::try_from(at.as_nanosecond()).ok().map(Timestamp::from_nanos)
}

fn endpoint(row: &Value, side: &str) -> Result<Endpoint, String> {
    let peer = row.get(side).ok_or_else(|| format!("it has no `{side}`"))?;
    let address = text(peer, "ip").or_else(|| text(peer, "address")).and_then(|address| address.parse().ok());
    let port = peer.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
    let (address, port) = address.zip(port).ok_or_else(|| format!("`{side}` is not an address and a port"))?;
    Ok(Endpoint::new(address, port))
}

fn certificates(side: &Value) -> Vec<Arc<Certificate>> {
    let all = side.get("certificates").and_then(Value::as_array).into_iter().flatten();
    all.take(limits::CHAIN_LEN).filter_map(certificate).map(Arc::new).collect()
}

fn certificate(object: &Value) -> Option<Certificate> {
    let owned = |name| text(object, name).unwrap_or_default().to_owned();
    let mut sha256 = [0; 32];
    let digits = text(object, "sha256").filter(|digits| digits.len() == 64)?;
    data_encoding::HEXLOWER_PERMISSIVE.decode_mut(digits.as_bytes(), &mut sha256).ok()?;
    Some(Certificate {
        subject: owned("subject"),
        issuer: owned("issuer"),
        serial: owned("serial"),
        not_before: moment(text(object, "not_before")?)?,
        not_after: moment(text(object, "not_after")?)?,
        san: list(object, "san").map(str::to_owned).collect(),
        key: owned("key"),
        signature: owned("signature"),
        sha256,
        ..Certificate::default()
    })
}
