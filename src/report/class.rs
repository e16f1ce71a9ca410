//! What a handshake counts as: the one classification behind every sum, list, ratio and alert.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::diagnosis::cause::Cause;
use crate::handshake::facts::{Outcome, StoppedBy};

/// What a handshake counts as. Each is of one class, so the counts of all classes add up to the handshakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// It did not complete, and the capture shows its end.
    Failed,
    /// It completed, and then a side ended the connection because of it: with TLS 1.3 a client may judge the certificate only then.
    Rejected,
    /// It completed, and its users suffered from something: loss, slowness, interception.
    Troubled,
    /// Nobody can say how it would have gone: the capture lacks the rest, or the client's program ended.
    Undecided,
    /// No handshake was attempted: connected and left without a byte, as health checks and scans do.
    Probe,
    /// It completed, and there is nothing to say.
    Completed,
}

impl Class {
    /// Every class, the gravest first.
    pub const ALL: [Self; 6] = [Self::Failed, Self::Rejected, Self::Troubled, Self::Undecided, Self::Probe, Self::Completed];

    /// That of a handshake which ended so, was ended by this side, and has this cause.
    pub const fn of(outcome: Outcome, stopped_by: StoppedBy, cause: Option<Cause>) -> Self {
        match (outcome, stopped_by, cause) {
            (_, _, Some(Cause::TcpProbe)) => Self::Probe,
            (Outcome::Incomplete, ..) => Self::Undecided,
            (Outcome::Completed, _, None) => Self::Completed,
            (Outcome::Completed, StoppedBy::Client | StoppedBy::Server, Some(_)) => Self::Rejected,
            (Outcome::Completed, ..) => Self::Troubled,
            _ => Self::Failed,
        }
    }

    /// The schema's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Rejected => "rejected-after-completion",
            Self::Troubled => "completed-with-trouble",
            Self::Undecided => "undecided",
            Self::Probe => "probe",
            Self::Completed => "completed",
        }
    }

    /// The same behind a number: `3 rejected after completion`, `2 probes`.
    pub const fn words(self, number: u64) -> &'static str {
        match self {
            Self::Rejected => "rejected after completion",
            Self::Troubled => "completed with trouble",
            Self::Probe if number != 1 => "probes",
            Self::Failed | Self::Undecided | Self::Probe | Self::Completed => self.name(),
        }
    }

    /// The connection was of no use: it failed, or was rejected after completion. Rates of failure count these.
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Rejected)
    }

    /// It deserves a look: a failure, or completed with trouble.
    pub const fn is_problem(self) -> bool {
        matches!(self, Self::Failed | Self::Rejected | Self::Troubled)
    }

    /// It has an end that the capture shows, and somebody wanted it: rates are of these.
    pub const fn is_decided(self) -> bool {
        !matches!(self, Self::Undecided | Self::Probe)
    }
}

/// How many handshakes there are of each class.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Classes([u64; Class::ALL.len()]);

impl Classes {
    /// Counts a handshake.
    pub fn add(&mut self, class: Class) {
        if let Some(count) = self.0.get_mut(class as usize) {
            *count = count.saturating_add(1);
        }
    }

    /// How many of a class.
    pub fn of(&self, class: Class) -> u64 {
        self.0.get(class as usize).copied().unwrap_or_default()
    }

    /// How many of those classes that meet a condition.
    pub fn of_those(&self, wanted: impl Fn(Class) -> bool) -> u64 {
        self.iter().filter(|(class, _)| wanted(*class)).fold(0, |sum, (_, count)| sum.saturating_add(count))
    }

    /// How many in all.
    pub fn total(&self) -> u64 {
        self.of_those(|_| true)
    }

    /// Every class with its number, the gravest first.
    pub fn iter(&self) -> impl Iterator<Item = (Class, u64)> {
        Class::ALL.into_iter().zip(self.0)
    }
}

/// An object: the schema's words, each with its number.
impl Serialize for Classes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Class::ALL.len()))?;
        for (class, count) in self.iter() {
            map.serialize_entry(class.name(), &count)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_handshake_is_of_one_class() {
        use Outcome::{Alerted, Completed, Incomplete, Stalled};
        let class = Class::of;
        assert_eq!(class(Completed, StoppedBy::Nobody, None), Class::Completed);
        assert_eq!(class(Completed, StoppedBy::Client, None), Class::Completed, "who closed what was done says nothing");
        assert_eq!(class(Completed, StoppedBy::Network, Some(Cause::PacketLoss)), Class::Troubled);
        assert_eq!(class(Completed, StoppedBy::Nobody, Some(Cause::ServerSlow)), Class::Troubled);
        assert_eq!(class(Completed, StoppedBy::Client, Some(Cause::ServerCertificateRejected)), Class::Rejected);
        assert_eq!(class(Completed, StoppedBy::Server, Some(Cause::ClientCertificateRejected)), Class::Rejected);
        assert_eq!(class(Alerted, StoppedBy::Client, Some(Cause::CertificateExpired)), Class::Failed);
        assert_eq!(class(Stalled, StoppedBy::Server, None), Class::Failed);
        assert_eq!(class(Outcome::Closed, StoppedBy::Client, Some(Cause::TcpProbe)), Class::Probe);
        assert_eq!(class(Incomplete, StoppedBy::Capture, Some(Cause::CaptureEnded)), Class::Undecided);
        assert_eq!(class(Incomplete, StoppedBy::Capture, None), Class::Undecided);
    }

    #[test]
    fn counts_add_up() {
        let mut classes = Classes::default();
        for (times, class) in Class::ALL.into_iter().enumerate() {
            (0..=times).for_each(|_| classes.add(class));
        }
        assert_eq!(Class::ALL.map(|class| classes.of(class)), [1, 2, 3, 4, 5, 6]);
        assert_eq!((classes.total(), classes.of_those(Class::is_failure), classes.of_those(Class::is_problem)), (21, 3, 6));
        assert_eq!(classes.of_those(Class::is_decided), 12);
        assert_eq!(
            serde_json::to_string(&classes).unwrap(),
            r#"{"failed":1,"rejected-after-completion":2,"completed-with-trouble":3,"undecided":4,"probe":5,"completed":6}"#
        );
    }

    #[test]
    fn words_say_what_the_name_says() {
        for class in Class::ALL {
            assert_eq!(class.words(1), class.name().replace('-', " "));
        }
        assert_eq!(Class::Probe.words(2), "probes");
    }
}
