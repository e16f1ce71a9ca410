//! Records of the systemd journal, as `journalctl -o export` and `-o json` write them.

use serde::Deserialize;

use crate::limits;
use crate::time::Timestamp;

/// What of a record matters here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Record {
    #[serde(rename = "__REALTIME_TIMESTAMP", default)]
    micros: String,
    #[serde(rename = "SYSLOG_IDENTIFIER", default)]
    program: String,
    #[serde(rename = "_PID", default)]
    process: String,
    #[serde(rename = "MESSAGE", default)]
    message: String,
}

/// What became of a line.
#[derive(Debug)]
pub(super) enum Taken {
    /// It is no part of a record.
    No,
    /// It is, and the record goes on.
    Part,
    /// The record is whole.
    Whole(Record),
}

impl Record {
    /// Takes a line if it is of the journal.
    pub(super) fn take(&mut self, line: &str) -> Taken {
        if line.starts_with('{') && line.contains("\"__REALTIME_TIMESTAMP\"") {
            // A message that is no text is an array of bytes there, and is left alone.
            return serde_json::from_str(line).map_or(Taken::No, Taken::Whole);
        }
        let within = !self.micros.is_empty();
        if line.is_empty() && within {
            return Taken::Whole(std::mem::take(self));
        }
        let Some((key, value)) = line.split_once('=') else { return if within { Taken::Part } else { Taken::No } };
        let field = match key {
            "__REALTIME_TIMESTAMP" => &mut self.micros,
            "SYSLOG_IDENTIFIER" if within => &mut self.program,
            "_PID" if within => &mut self.process,
            "MESSAGE" if within => &mut self.message,
            "__CURSOR" => return Taken::Part,
            _ => return if within { Taken::Part } else { Taken::No },
        };
        value.get(..limits::LOG_LINE.min(value.len())).unwrap_or_default().clone_into(field);
        Taken::Part
    }

    /// The record that the end of the log makes whole.
    pub(super) fn end(&mut self) -> Option<Self> {
        (!self.micros.is_empty()).then(|| std::mem::take(self))
    }

    /// When it was written.
    pub(super) fn time(&self) -> Option<Timestamp> {
        self.micros.parse::<i64>().ok()?.checked_mul(1000).map(Timestamp::from_nanos)
    }

    /// As a line of syslog.
    pub(super) fn line(&self) -> String {
        format!("{}[{}]: {}", self.program, self.process, self.message)
    }
}
