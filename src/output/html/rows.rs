//! What the table of handshakes shows: a few columns, kept small.

use foldhash::quality::RandomState;
use hashbrown::HashMap;

use super::parts::{CLASSES, number};
use crate::output::figures::millis;
use crate::output::json::Json;
use crate::report::{Cause, Class, Handshake, Id, Writer, key, word};

/// The table's columns.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Every text that a column refers to.
    texts: Texts,
    id: Vec<Id>,
    /// Milliseconds since the epoch.
    start: Vec<i64>,
    client: Vec<u32>,
    client_port: Vec<u16>,
    server: Vec<u32>,
    name: Vec<u32>,
    outcome: Vec<u32>,
    cause: Vec<u32>,
    version: Vec<u32>,
    /// Its place in [`CLASSES`].
    class: Vec<u8>,
    /// Microseconds from first packet to end; -1: not known.
    total: Vec<i64>,
}

/// One handshake for the charts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    /// Milliseconds since the epoch.
    pub(super) start: i64,
    pub(super) class: Class,
    /// Microseconds it took, if it completed.
    pub(super) took: Option<u64>,
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        self.id.len()
    }

    pub(super) fn add(&mut self, report: &Handshake<'_>) {
        self.id.push(report.handshake.id);
        self.start.push(millis(report.handshake.start));
        self.client.push(self.texts.number(&report.client.host().to_string()));
        self.client_port.push(report.client.port);
        self.server.push(self.texts.number(report.server.text().as_str()));
        self.name.push(self.texts.number(report.server_name().unwrap_or_default()));
        self.outcome.push(self.texts.number(report.handshake.outcome.name()));
        self.cause.push(self.texts.number(report.diagnosis.cause.map_or("", Cause::slug)));
        let version = report.tls.as_ref().and_then(|tls| tls.version).map(|version| word(version.name(), version)).unwrap_or_default();
        self.version.push(self.texts.number(&version));
        self.class.push(number(report.class()));
        self.total.push(report.handshake.timing.total_us.and_then(|us| i64::try_from(us).ok()).unwrap_or(-1));
    }

    /// Every handshake, as the charts need it.
    pub(super) fn points(&self) -> impl Iterator<Item = Point> + '_ {
        self.start.iter().zip(&self.class).zip(&self.total).filter_map(|((start, class), total)| {
            let class = *CLASSES.get(usize::from(*class))?;
            let took = u64::try_from(*total).ok().filter(|_| matches!(class, Class::Completed | Class::Troubled | Class::Rejected));
            Some(Point { start: *start, class, took })
        })
    }

    pub(super) fn write(&self, w: &mut Json) {
        let texts = |w: &mut Json, key, numbers: &[u32]| w.numbers(key, numbers.iter().map(|number| u64::from(*number)));
        w.texts(key!("texts"), self.texts.list());
        w.texts(key!("id"), self.id.iter().map(Id::as_str));
        w.integers(key!("start"), &self.start);
        texts(w, key!("client"), &self.client);
        w.numbers(key!("client_port"), self.client_port.iter().map(|port| u64::from(*port)));
        texts(w, key!("server"), &self.server);
        texts(w, key!("name"), &self.name);
        texts(w, key!("outcome"), &self.outcome);
        texts(w, key!("cause"), &self.cause);
        texts(w, key!("version"), &self.version);
        w.numbers(key!("class"), self.class.iter().map(|class| u64::from(*class)));
        w.integers(key!("total"), &self.total);
    }
}

/// Texts by number; each is kept once.
#[derive(Debug, Default)]
pub(super) struct Texts {
    numbers: HashMap<Box<str>, u32, RandomState>,
}

impl Texts {
    pub(super) fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        self.numbers.insert(text.into(), number);
        number
    }

    /// The text with number 0 first.
    pub(super) fn list(&self) -> Vec<&str> {
        let mut list: Vec<(u32, &str)> = self.numbers.iter().map(|(text, number)| (*number, &**text)).collect();
        list.sort_unstable();
        list.into_iter().map(|(_, text)| text).collect()
    }

    pub(super) fn clear(&mut self) {
        self.numbers.clear();
    }
}
