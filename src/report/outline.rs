//! A handshake's report before it is put into words: what it says is borrowed, shared or a number.
//!
//! Everything that is reported is derived here, once. [`Outline::report`] makes plain owned data of it; an output that only writes it down
//! again takes it as it is, for making some sixty strings costs more than writing them.

use std::borrow::Cow;
use std::sync::Arc;

use crate::diagnosis::cause::Cause;
use crate::diagnosis::judge::Verdict;
use crate::diagnosis::quality::Quality;
use crate::diagnosis::remedy::Advice;
use crate::diagnosis::rule::{Evidence, Finding, Weight};
use crate::flow::{EndpointText, Path};
use crate::handshake::facts::Outcome;
use crate::handshake::stack::Speaker;
use crate::time::Timestamp;

use super::{
    AlertReport, CaptureInfo, CertificateReport, Diagnosis, DtlsInfo, EvidenceReport, FindingReport, HandshakeInfo, HandshakeReport, Loss,
    Network, OfferOutline, Peer, QuicInfo, SCHEMA, ServerAnswer, Timing, Tls, TlsClient, TlsServer,
};

/// What a [`HandshakeReport`] says; see there for what the fields mean.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are those of the report, which has the words")]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each a field of the schema")]
pub struct Outline<'a> {
    pub transport: &'static str,
    pub protocol: &'static str,
    pub community_id: Code<30>,
    pub path: Path,
    pub client: EndpointText,
    pub server: EndpointText,
    pub source: &'a str,
    pub first_frame: u64,
    pub last_frame: u64,
    pub quality: Quality,
    pub id: Code<16>,
    pub start: Timestamp,
    pub end: Timestamp,
    pub outcome: Outcome,
    pub stage: &'static str,
    pub history: &'a str,
    pub preamble: Option<&'static str>,
    pub resumed: bool,
    pub hello_retry: bool,
    pub early_data: bool,
    pub decrypted: bool,
    pub provisional: bool,
    pub timing: Timing,
    pub loss: Loss,
    pub tls: Option<TlsOutline<'a>>,
    pub quic: Option<QuicInfo>,
    pub dtls: Option<DtlsInfo>,
    pub diagnosis: DiagnosisOutline<'a>,
}

/// What a [`Tls`] says.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are those of the report, which has the words")]
pub struct TlsOutline<'a> {
    pub version: Option<Cow<'static, str>>,
    pub cipher: Option<Cow<'static, str>>,
    pub curve: Option<Cow<'static, str>>,
    pub next_protocol: Option<Cow<'a, str>>,
    pub client: Option<ClientOutline<'a>>,
    pub server: Option<ServerOutline>,
    pub alerts: Vec<AlertReport>,
}

/// What a [`TlsClient`] says.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are those of the report, which has the words")]
pub struct ClientOutline<'a> {
    pub random: &'a [u8],
    pub server_name: Option<Cow<'a, str>>,
    pub offer: OfferOutline<'a>,
    pub certificate_requested: bool,
    pub stack: Option<Speaker>,
    pub certificates: Vec<Arc<CertificateReport>>,
}

/// What a [`TlsServer`] says.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are those of the report, which has the words")]
pub struct ServerOutline {
    pub answer: Arc<ServerAnswer>,
    pub stack: Option<Speaker>,
    pub certificates: Vec<Arc<CertificateReport>>,
    pub unverified: Option<&'static str>,
    pub staple: Option<&'static str>,
}

/// What a [`Diagnosis`] says.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are those of the report, which has the words")]
pub struct DiagnosisOutline<'a> {
    pub cause: Option<Cause>,
    pub stopped_by: &'static str,
    pub confidence: Option<&'static str>,
    pub summary: Cow<'a, str>,
    pub remedy: &'a [Advice],
    pub evidence: &'a [Evidence],
    pub against: &'a [Evidence],
    pub alternatives: &'a [Cause],
    pub findings: &'a [Finding],
}

/// Short text of a known length, in ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code<const LEN: usize>(pub(super) [u8; LEN]);

impl<const LEN: usize> Code<LEN> {
    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The same in ASCII.
    pub const fn as_bytes(&self) -> &[u8; LEN] {
        &self.0
    }
}

impl Outline<'_> {
    /// The report.
    pub fn report(self) -> HandshakeReport {
        HandshakeReport {
            schema: SCHEMA.to_owned(),
            kind: "handshake".to_owned(),
            network: Network {
                transport: self.transport.to_owned(),
                protocol: self.protocol.to_owned(),
                community_id: self.community_id.as_str().to_owned(),
                path: self.path.layers().map(|layer| layer.to_string()).collect(),
            },
            client: peer(&self.client),
            server: peer(&self.server),
            capture: CaptureInfo {
                source: self.source.to_owned(),
                first_frame: self.first_frame,
                last_frame: self.last_frame,
                quality: self.quality.words().map(str::to_owned).collect(),
            },
            handshake: HandshakeInfo {
                id: self.id.as_str().to_owned(),
                start: self.start.to_string(),
                end: self.end.to_string(),
                outcome: self.outcome.name().to_owned(),
                stage: self.stage.to_owned(),
                history: self.history.to_owned(),
                preamble: self.preamble.map(str::to_owned),
                resumed: self.resumed,
                hello_retry: self.hello_retry,
                early_data: self.early_data,
                decrypted: self.decrypted,
                provisional: self.provisional,
                timing: self.timing,
                loss: self.loss,
            },
            tls: self.tls.map(TlsOutline::report),
            quic: self.quic,
            dtls: self.dtls,
            diagnosis: self.diagnosis.report(self.outcome),
            timeline: Vec::new(),
        }
    }
}

impl TlsOutline<'_> {
    fn report(self) -> Tls {
        Tls {
            version: self.version.map(Cow::into_owned),
            cipher: self.cipher.map(Cow::into_owned),
            curve: self.curve.map(Cow::into_owned),
            next_protocol: self.next_protocol.map(Cow::into_owned),
            client: self.client.map(|client| TlsClient {
                random: data_encoding::HEXLOWER.encode(client.random),
                server_name: client.server_name.map(Cow::into_owned),
                offer: client.offer.report(),
                certificate_requested: client.certificate_requested,
                stack: client.stack.map(Into::into),
                certificates: client.certificates,
            }),
            server: self.server.map(|server| TlsServer {
                answer: server.answer,
                stack: server.stack.map(Into::into),
                certificates: server.certificates,
                unverified: server.unverified.map(str::to_owned),
                staple: server.staple.map(str::to_owned),
            }),
            alerts: self.alerts,
        }
    }
}

impl<'a> DiagnosisOutline<'a> {
    /// What a verdict says; `plain` makes the summary where there is no cause to name.
    pub(super) fn new(verdict: &'a Verdict, plain: impl FnOnce() -> String) -> Self {
        let cause = verdict.cause.as_ref();
        Self {
            cause: cause.map(|finding| finding.cause),
            stopped_by: verdict.stopped_by.name(),
            confidence: cause.map(|finding| finding.confidence.name()),
            summary: cause.map_or_else(|| Cow::Owned(plain()), |finding| Cow::Borrowed(finding.summary.as_str())),
            remedy: cause.map_or(&[], |finding| finding.remedy.as_slice()),
            evidence: cause.map_or(&[], |finding| finding.evidence.as_slice()),
            against: cause.map_or(&[], |finding| finding.against.as_slice()),
            alternatives: &verdict.alternatives,
            findings: &verdict.findings,
        }
    }

    fn report(self, outcome: Outcome) -> Diagnosis {
        let evidence = |piece: &Evidence| EvidenceReport {
            frame: piece.mark.map(|mark| mark.frame),
            time: piece.mark.map(|mark| mark.time.to_string()),
            text: piece.text.clone(),
        };
        let finding = |finding: &Finding| FindingReport {
            id: finding.cause.slug().to_owned(),
            severity: severity(finding, outcome).to_owned(),
            confidence: finding.confidence.name().to_owned(),
            text: finding.summary.clone(),
            frames: finding.evidence.iter().filter_map(|piece| piece.mark.map(|mark| mark.frame)).collect(),
        };
        Diagnosis {
            cause: self.cause.map(|cause| cause.slug().to_owned()),
            stopped_by: self.stopped_by.to_owned(),
            confidence: self.confidence.map(str::to_owned),
            summary: self.summary.into_owned(),
            remedy: self.remedy.iter().map(Into::into).collect(),
            evidence: self.evidence.iter().map(evidence).collect(),
            against: self.against.iter().map(evidence).collect(),
            alternatives: self.alternatives.iter().map(|cause| cause.slug().to_owned()).collect(),
            findings: self.findings.iter().map(finding).collect(),
        }
    }
}

/// How grave a finding beside the cause is.
pub fn severity(finding: &Finding, outcome: Outcome) -> &'static str {
    match finding.weight {
        Weight::Note | Weight::Unwanted => "info",
        Weight::Fallback => "warning",
        _ if outcome == Outcome::Completed => "warning",
        Weight::Explains | Weight::Overrides => "error",
    }
}

/// Two digits in lower case.
pub const fn hexadecimal(byte: u8) -> [u8; 2] {
    const fn digit(value: u8) -> u8 {
        if value < 10 { b'0' + value } else { b'a' + value - 10 }
    }
    [digit(byte >> 4), digit(byte & 15)]
}

fn peer(endpoint: &EndpointText) -> Peer {
    Peer { address: String::from_utf8_lossy(endpoint.address()).into_owned(), port: endpoint.port() }
}
