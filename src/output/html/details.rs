//! Every handshake in full, in compressed pieces.
//!
//! A piece holds [`PIECE`] handshakes as JSON, compressed by zlib, in base64. Texts, hellos and certificates that several of them share
//! stand in it once.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use data_encoding::BASE64;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde::Serialize;

use super::rows::Texts;
use crate::output::figures::Moment;
use crate::output::view;
use crate::report::{Advice, CertificateReport, Diagnosis, HandshakeReport, Loss, Timing};

/// All pieces.
#[derive(Debug, Default)]
pub(super) struct Details {
    /// Base64, a piece a line.
    pub(super) pieces: String,
    open: Piece,
}

#[derive(Debug, Default, Serialize)]
struct Piece {
    texts: Texts,
    hellos: Shared,
    certificates: Shared,
    handshakes: Vec<Detail>,
}

/// Values by number, each kept once, as JSON.
#[derive(Debug, Default)]
struct Shared {
    numbers: BTreeMap<String, usize>,
}

impl Shared {
    fn number(&mut self, value: &impl Serialize) -> io::Result<usize> {
        let json = serde_json::to_string(value)?;
        let next = self.numbers.len();
        Ok(*self.numbers.entry(json).or_insert(next))
    }
}

impl Serialize for Shared {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list: Vec<(usize, &String)> = self.numbers.iter().map(|(json, number)| (*number, json)).collect();
        list.sort_unstable();
        serializer.collect_seq(list.into_iter().map(|(_, json)| json))
    }
}

/// One handshake.
#[derive(Debug, Serialize)]
struct Detail {
    ending: String,
    frames: String,
    source: u32,
    path: String,
    quality: String,
    timing: Timing,
    loss: Loss,
    #[serde(skip_serializing_if = "Option::is_none")]
    hello: Option<usize>,
    cipher: String,
    curve: String,
    alpn: String,
    requested: bool,
    staple: String,
    server_certificates: Vec<usize>,
    client_certificates: Vec<usize>,
    diagnosis: Diagnosis,
    commands: Vec<usize>,
    steps: Vec<Step>,
}

/// Frame (0: none), microseconds since the first, sender (0 client, 1 server, 2 network), kind, size (-1: none), text, whether it ended it.
type Step = (u64, u64, u8, u32, i64, u32, u8);

/// What the client offered: a version of the hello without what differs between two connections of the same program.
#[derive(Debug, Serialize)]
struct Hello<'a> {
    versions: &'a [String],
    ciphers: &'a [String],
    groups: &'a [String],
    shares: &'a [String],
    signatures: &'a [String],
    alpn: &'a [String],
    extensions: &'a [String],
    ech: Option<&'a str>,
    ja3: &'a str,
    ja4: &'a str,
}

impl Details {
    pub(super) fn add(&mut self, report: &HandshakeReport) -> io::Result<()> {
        let detail = self.open.detail(report)?;
        self.open.handshakes.push(detail);
        if self.open.handshakes.len() >= PIECE { self.close() } else { Ok(()) }
    }

    /// Completes the piece at hand.
    pub(super) fn close(&mut self) -> io::Result<()> {
        if self.open.handshakes.is_empty() {
            return Ok(());
        }
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(6));
        encoder.write_all(&serde_json::to_vec(&self.open)?)?;
        BASE64.encode_append(&encoder.finish()?, &mut self.pieces);
        self.pieces.push('\n');
        self.open.texts.clear();
        self.open.hellos.numbers.clear();
        self.open.certificates.numbers.clear();
        self.open.handshakes.clear();
        Ok(())
    }
}

impl Piece {
    fn detail(&mut self, report: &HandshakeReport) -> io::Result<Detail> {
        let tls = report.tls.as_ref();
        let client = tls.and_then(|tls| tls.client.as_ref());
        let server = tls.and_then(|tls| tls.server.as_ref());
        let hello = client.map(|client| {
            self.hellos.number(&Hello {
                versions: &client.supported_versions,
                ciphers: &client.supported_ciphers,
                groups: &client.supported_groups,
                shares: &client.key_shares,
                signatures: &client.signature_algorithms,
                alpn: &client.alpn,
                extensions: &client.extensions,
                ech: client.ech.as_deref(),
                ja3: &client.ja3,
                ja4: &client.ja4,
            })
        });
        let of = |text: Option<&String>| text.cloned().unwrap_or_default();
        Ok(Detail {
            ending: view::ending(report),
            frames: view::frames(report),
            source: self.texts.number(&report.capture.source),
            path: report.network.path.join(", "),
            quality: report.capture.quality.join(", "),
            timing: report.handshake.timing,
            loss: report.handshake.loss,
            hello: hello.transpose()?,
            cipher: of(tls.and_then(|tls| tls.cipher.as_ref())),
            curve: of(tls.and_then(|tls| tls.curve.as_ref())),
            alpn: of(tls.and_then(|tls| tls.next_protocol.as_ref())),
            requested: client.is_some_and(|client| client.certificate_requested),
            staple: of(server.and_then(|server| server.staple.as_ref())),
            server_certificates: self.chain(server.map(|server| server.certificates.as_slice()).unwrap_or_default())?,
            client_certificates: self.chain(client.map(|client| client.certificates.as_slice()).unwrap_or_default())?,
            commands: commands(&report.diagnosis.remedy),
            diagnosis: report.diagnosis.clone(),
            steps: self.steps(report),
        })
    }

    fn chain(&mut self, certificates: &[Arc<CertificateReport>]) -> io::Result<Vec<usize>> {
        certificates.iter().take(CERTIFICATES).map(|certificate| self.certificates.number(certificate)).collect()
    }

    fn steps(&mut self, report: &HandshakeReport) -> Vec<Step> {
        let begin = report.timeline.first().and_then(|entry| Moment::parse(&entry.time));
        let mut steps = Vec::with_capacity(report.timeline.len().min(STEPS));
        for entry in report.timeline.iter().take(STEPS) {
            let at = Moment::parse(&entry.time).zip(begin.as_ref()).and_then(|(at, begin)| at.us_since(begin));
            let from = match entry.from.as_str() {
                "client" => 0,
                "server" => 1,
                _ => 2,
            };
            let size = entry.size.and_then(|size| i64::try_from(size).ok()).unwrap_or(-1);
            let kind = self.texts.number(&entry.kind);
            let text = self.texts.number(&entry.text);
            steps.push((entry.frame.unwrap_or_default(), at.unwrap_or_default(), from, kind, size, text, u8::from(entry.ended)));
        }
        steps
    }
}

/// Which lines of advice are commands: in the report's JSON they are text like the others.
fn commands(remedy: &[Advice]) -> Vec<usize> {
    remedy.iter().enumerate().filter(|(_, advice)| matches!(advice, Advice::Command(_))).map(|(number, _)| number).collect()
}

/// Handshakes in one piece: the script counts on it.
pub(super) const PIECE: usize = 128;
/// Steps of one handshake's ladder.
const STEPS: usize = 300;
/// Certificates of one side.
const CERTIFICATES: usize = 12;
