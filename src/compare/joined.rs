//! What `handshark match` says of a handshake.

use serde::{Serialize, Serializer};

use crate::flow::Side;
use crate::report::{self, Cause, Confidence, Files, Finding, Handshake, Id, Outcome, StoppedBy};
use crate::time::Timestamp;

/// A handshake seen at two points.
#[derive(Debug, Serialize)]
pub struct Joined {
    /// `handshark-match/1`.
    pub schema: &'static str,
    /// What joined the two.
    pub joined_by: JoinedBy,
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

/// By what a handshake at one point was recognised at the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum JoinedBy {
    /// By the random of the ClientHello.
    Random,
    /// By addresses, ports and first sequence number.
    Addresses,
    /// By the first sequence numbers, which translators of addresses keep.
    SequenceNumbers,
    /// By what the client's packets carry.
    Contents,
    /// By the name asked for at the same time, in another connection.
    Name,
    /// By nothing: one point saw none of it.
    Nothing,
}

/// What one point says.
#[derive(Debug, Serialize)]
pub struct Half {
    /// The handshake's id there.
    pub id: Id,
    /// When it began there.
    pub start: Timestamp,
    /// Client and server as they are called there.
    pub peers: [String; 2],
    /// The name asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// First and last frame there: their numbers in their files, or over all files where those are not known.
    pub frames: [u64; 2],
    /// The files of these, where that point was captured in several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sources: Option<[String; 2]>,
    /// Its outcome as seen there.
    #[serde(serialize_with = "by_name")]
    pub outcome: Outcome,
    /// Its cause as seen there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// How sure that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
    /// One sentence.
    pub summary: String,
}

/// Something that happened between the points.
#[derive(Debug, Serialize, Clone)]
pub struct Event {
    /// What happened.
    pub what: Happening,
    /// Who sent it, or in whose name it came.
    pub from: Side,
    /// One sentence.
    pub text: String,
    /// Frame in the client's capture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_frame: Option<u64>,
    /// The file of this frame, where that point was captured in several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_source: Option<String>,
    /// Frame in the server's capture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_frame: Option<u64>,
    /// The file of this frame, where that point was captured in several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_source: Option<String>,
}

/// What a path does to packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happening {
    /// It was sent and did not arrive.
    Lost,
    /// It arrived and was never sent.
    Injected,
    /// It arrived otherwise than it was sent.
    Altered,
    /// It took much longer than others.
    Delayed,
    /// It arrived more often than it was sent.
    Doubled,
}

impl Happening {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Lost, Self::Injected, Self::Altered, Self::Delayed, Self::Doubled];

    /// The word in the output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Injected => "injected",
            Self::Altered => "altered",
            Self::Delayed => "delayed",
            Self::Doubled => "doubled",
        }
    }
}

/// Where a cause lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Between the two points.
    Path,
    /// With the client.
    Client,
    /// With the server.
    Server,
    /// There is none, or the two points do not tell.
    Nowhere,
}

/// The verdict.
#[derive(Debug, Serialize, Clone, PartialEq, Eq)]
pub struct Joint {
    /// Absent when there is nothing to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Where it lies.
    pub place: Place,
    /// How sure.
    pub confidence: Confidence,
    /// One sentence.
    pub summary: String,
}

impl Joined {
    /// This with frames named by their files, where a point was captured in several: `[client's, server's]`.
    #[must_use]
    pub fn placed(mut self, [client, server]: [Option<&Files>; 2]) -> Self {
        for (half, files) in [(&mut self.client, client), (&mut self.server, server)] {
            let (Some(half), Some(files)) = (half, files) else { continue };
            let [first, last] = half.frames.map(|frame| report::Place::of(Some(files), frame));
            half.frames = [first.frame, last.frame];
            half.sources = first.file.zip(last.file).map(<[String; 2]>::from);
        }
        for event in &mut self.between {
            let ends =
                [(&mut event.client_frame, &mut event.client_source, client), (&mut event.server_frame, &mut event.server_source, server)];
            for (frame, source, files) in ends {
                if let (Some(number), Some(files)) = (*frame, files) {
                    let place = report::Place::of(Some(files), number);
                    (*frame, *source) = (Some(place.frame), place.file);
                }
            }
        }
        self
    }

    /// This without what tells who is who: the halves are those of reports made anonymous, prose goes through `hide`.
    #[must_use]
    pub fn anonymous(mut self, client: Option<&Handshake<'_>>, server: Option<&Handshake<'_>>, hide: &dyn Fn(&str) -> String) -> Self {
        self.client = self.client.and_then(|_| client.map(half));
        self.server = self.server.and_then(|_| server.map(half));
        self.between.iter_mut().map(|event| &mut event.text).chain([&mut self.verdict.summary]).for_each(|text| *text = hide(text));
        self
    }
}

impl From<Finding> for Joint {
    fn from(finding: Finding) -> Self {
        let place = match finding.stopped_by {
            Some(StoppedBy::Network) => Place::Path,
            Some(StoppedBy::Client) => Place::Client,
            Some(StoppedBy::Server) => Place::Server,
            Some(StoppedBy::Capture | StoppedBy::Nobody) | None => Place::Nowhere,
        };
        Self { cause: Some(finding.cause), place, confidence: finding.confidence, summary: finding.summary }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde asks for it")]
fn by_name<S: Serializer>(outcome: &Outcome, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(outcome.name())
}

pub(super) fn half(report: &Handshake<'_>) -> Half {
    Half {
        id: report.handshake.id,
        start: report.handshake.start,
        peers: [report.client.to_string(), report.server.to_string()],
        server_name: report.tls.as_ref().and_then(|tls| tls.client.as_ref()?.server_name.as_deref()).map(str::to_owned),
        frames: [report.capture.first_frame, report.capture.last_frame],
        sources: None,
        outcome: report.handshake.outcome,
        cause: report.diagnosis.cause,
        confidence: report.diagnosis.confidence,
        summary: report.summary().into_owned(),
    }
}
