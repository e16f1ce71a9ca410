//! What the table of handshakes shows: a few columns, kept small.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::output::figures::Moment;
use crate::output::view::{self, Kind};
use crate::report::HandshakeReport;

/// The table's columns.
#[derive(Debug, Default, Serialize)]
pub(super) struct Rows {
    /// Every text that a column refers to.
    texts: Texts,
    id: Vec<String>,
    /// Milliseconds since the epoch.
    start: Vec<i64>,
    client: Vec<u32>,
    client_port: Vec<u16>,
    server: Vec<u32>,
    name: Vec<u32>,
    outcome: Vec<u32>,
    cause: Vec<u32>,
    version: Vec<u32>,
    /// 0 failed, 1 troubled, 2 undecided, 3 probe, 4 completed.
    kind: Vec<u8>,
    /// Microseconds from first packet to end; -1: not known.
    total: Vec<i64>,
}

/// One handshake for the charts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    /// Milliseconds since the epoch.
    pub(super) start: i64,
    pub(super) failed: bool,
    /// Microseconds it took, if it completed.
    pub(super) took: Option<u64>,
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        self.id.len()
    }

    pub(super) fn add(&mut self, report: &HandshakeReport) {
        let start = Moment::parse(&report.handshake.start).map_or(0, |moment| moment.nanos / 1_000_000);
        self.id.push(report.handshake.id.clone());
        self.start.push(i64::try_from(start).unwrap_or_default());
        self.client.push(self.texts.number(&report.client.address));
        self.client_port.push(report.client.port);
        self.server.push(self.texts.number(&view::endpoint(&report.server)));
        self.name.push(self.texts.number(view::server_name(report).unwrap_or_default()));
        self.outcome.push(self.texts.number(&report.handshake.outcome));
        self.cause.push(self.texts.number(report.diagnosis.cause.as_deref().unwrap_or_default()));
        self.version.push(self.texts.number(report.tls.as_ref().and_then(|tls| tls.version.as_deref()).unwrap_or_default()));
        self.kind.push(match view::kind(report) {
            Kind::Failed => 0,
            Kind::Troubled => 1,
            Kind::Undecided => 2,
            Kind::Probe => 3,
            Kind::Completed => 4,
        });
        self.total.push(report.handshake.timing.total_us.and_then(|us| i64::try_from(us).ok()).unwrap_or(-1));
    }

    /// The handshakes that count for rates: those that failed or completed.
    pub(super) fn points(&self) -> impl Iterator<Item = Point> + '_ {
        self.start.iter().zip(&self.kind).zip(&self.total).filter(|((_, kind), _)| matches!(kind, 0 | 1 | 4)).map(
            |((start, kind), total)| Point { start: *start, failed: *kind == 0, took: u64::try_from(*total).ok().filter(|_| *kind != 0) },
        )
    }

    pub(super) fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}

/// Texts by number; each is kept once.
#[derive(Debug, Default)]
pub(super) struct Texts {
    numbers: BTreeMap<String, u32>,
}

impl Texts {
    pub(super) fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        self.numbers.insert(text.to_owned(), number);
        number
    }

    pub(super) fn clear(&mut self) {
        self.numbers.clear();
    }
}

/// A list: the text with number 0 first.
impl Serialize for Texts {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list: Vec<(&u32, &String)> = self.numbers.iter().map(|(text, number)| (number, text)).collect();
        list.sort_unstable();
        serializer.collect_seq(list.into_iter().map(|(_, text)| text))
    }
}
