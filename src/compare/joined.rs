//! What `handshark match` says of a handshake.

use serde::Serialize;

use crate::report::Handshake;
use crate::time::Timestamp;

/// A handshake seen at two points.
#[derive(Debug, Serialize)]
pub struct Joined {
    /// `handshark-match/1`.
    pub schema: &'static str,
    /// What joined the two: `random` (of the ClientHello), `addresses`, `name` (asked for at the same time in another connection), or `nothing`
    /// when one point saw none of it.
    pub joined_by: &'static str,
    /// What the point near the client says of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<Half>,
    /// What the point near the server says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<Half>,
    /// What happened between them, in the order of time.
    pub between: Vec<Event>,
    /// Hops between the points, where the packets tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hops: Option<u8>,
    /// Time for the way there and back between the points, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round_trip_us: Option<u64>,
    /// The verdict.
    pub verdict: Joint,
}

/// What one point says.
#[derive(Debug, Serialize)]
pub struct Half {
    /// The handshake's id there.
    pub id: String,
    /// When it began there.
    pub start: Timestamp,
    /// Client and server as they are called there.
    pub peers: [String; 2],
    /// The name asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// Frames there.
    pub frames: [u64; 2],
    /// Its outcome as seen there.
    pub outcome: String,
    /// Its cause as seen there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// How sure that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<String>,
    /// One sentence.
    pub summary: String,
}

/// Something that happened between the points.
#[derive(Debug, Serialize, Clone)]
pub struct Event {
    /// `lost`, `injected`, `altered`, `delayed`.
    pub what: &'static str,
    /// Who sent it, or in whose name it came.
    pub from: &'static str,
    /// One sentence.
    pub text: String,
    /// Frame in the client's capture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_frame: Option<u64>,
    /// Frame in the server's capture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_frame: Option<u64>,
}

/// The verdict.
#[derive(Debug, Serialize, Clone, PartialEq, Eq)]
pub struct Joint {
    /// A slug of the catalogue; absent when there is nothing to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Where it lies: `path`, `client`, `server`, or `nowhere`.
    pub place: &'static str,
    /// How sure.
    pub confidence: String,
    /// One sentence.
    pub summary: String,
}

impl Joined {
    /// This without what tells who is who: the halves are those of reports made anonymous, prose goes through `hide`.
    #[must_use]
    pub fn anonymous(mut self, client: Option<&Handshake<'_>>, server: Option<&Handshake<'_>>, hide: &dyn Fn(&str) -> String) -> Self {
        self.client = self.client.and_then(|_| client.map(half));
        self.server = self.server.and_then(|_| server.map(half));
        self.between.iter_mut().map(|event| &mut event.text).chain([&mut self.verdict.summary]).for_each(|text| *text = hide(text));
        self
    }
}

impl Joint {
    pub(super) fn certain(cause: &str, place: &'static str, summary: String) -> Self {
        Self::of(cause, "certain", place, summary)
    }

    pub(super) fn of(cause: &str, confidence: &str, place: &'static str, summary: String) -> Self {
        Self { cause: Some(cause.to_owned()), place, confidence: confidence.to_owned(), summary }
    }
}

pub(super) fn half(report: &Handshake<'_>) -> Half {
    Half {
        id: report.handshake.id.to_string(),
        start: report.handshake.start,
        peers: [report.client.to_string(), report.server.to_string()],
        server_name: report.tls.as_ref().and_then(|tls| tls.client.as_ref()?.server_name.as_deref()).map(str::to_owned),
        frames: [report.capture.first_frame, report.capture.last_frame],
        outcome: report.handshake.outcome.name().to_owned(),
        cause: report.diagnosis.cause.map(|cause| cause.slug().to_owned()),
        confidence: report.diagnosis.confidence.map(|confidence| confidence.name().to_owned()),
        summary: report.summary().into_owned(),
    }
}
