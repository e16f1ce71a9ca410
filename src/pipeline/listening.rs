//! Logs beside the capture: which of their lines are about a handshake, and how far their clock is ahead.

use std::collections::BTreeMap;

use crate::diagnosis::judge::Verdict;
use crate::diagnosis::logged;
use crate::handshake::Handshake;
use crate::logs::{self, Logs, Said, Subject};
use crate::wording::counted;

/// Holds logs against verdicts.
#[derive(Debug)]
pub(super) struct Listening<'a> {
    logs: &'a Logs,
    /// How far the logs' clock is ahead, in nanoseconds, once it is estimated.
    ahead: Option<i64>,
    /// Lines without a port, by the number of handshakes that they may be about.
    shared: BTreeMap<u32, u32>,
    /// Handshakes of which logs speak, and those of which that cannot be told.
    handshakes: u64,
    unclear: u64,
}

impl<'a> Listening<'a> {
    /// `None` where no line says anything.
    pub(super) fn to(logs: &'a Logs) -> Option<Self> {
        (!logs.is_empty()).then_some(Self { logs, ahead: None, shared: BTreeMap::new(), handshakes: 0, unclear: 0 })
    }

    /// Whether the clocks are yet to be compared.
    pub(super) const fn is_new(&self) -> bool {
        self.ahead.is_none()
    }

    /// Compares the clocks by all handshakes that are known, and sees which lines may be about several.
    pub(super) fn tune<'h>(&mut self, handshakes: impl Iterator<Item = &'h Handshake> + Clone) {
        let distances = handshakes.clone().flat_map(|handshake| self.logs.distances(subject(handshake)).take(LINES));
        let ahead = logs::ahead(distances.take(DISTANCES).collect());
        self.ahead = Some(ahead);
        self.shared.clear();
        for handshake in handshakes {
            for (place, exact, _) in self.logs.about(subject(handshake), ahead).take(LINES) {
                if !exact {
                    let count = self.shared.entry(place).or_default();
                    *count = count.saturating_add(1);
                }
            }
        }
    }

    /// Enters what the logs say of a handshake into its verdict.
    pub(super) fn hear(&mut self, handshake: &Handshake, verdict: &mut Verdict) {
        if verdict.cause.is_none() && !verdict.outcome.failed() {
            return;
        }
        let lines: Vec<_> = self.logs.about(subject(handshake), self.ahead.unwrap_or(0)).take(LINES).collect();
        // Lines that may be of another handshake of the same client count only where all of them say the same.
        let shared = |place: &u32| self.shared.get(place).is_some_and(|count| *count > 1);
        let mut words: Vec<String> =
            lines.iter().filter(|(place, exact, _)| !exact && shared(place)).map(|(.., said)| without_numbers(said.text)).collect();
        words.sort_unstable();
        words.dedup();
        let doubtful = words.len() > 1;
        let said: Vec<Said<'_>> =
            lines.into_iter().filter(|(place, exact, _)| *exact || !doubtful || !shared(place)).map(|(.., said)| said).collect();
        self.handshakes = self.handshakes.saturating_add(u64::from(!said.is_empty()));
        self.unclear = self.unclear.saturating_add(u64::from(doubtful && said.is_empty()));
        logged::hear(verdict, &said);
    }

    /// What is to be said of the logs.
    pub(super) fn note(&self) -> String {
        note(self.logs, (self.handshakes, self.unclear), self.ahead.unwrap_or(0))
    }
}

/// What is to be said of logs that were given; of the failed ones so many handshakes are spoken of in them, and of so many that cannot be told.
pub(super) fn note(logs: &Logs, (handshakes, unclear): (u64, u64), ahead: i64) -> String {
    let (read, kept, left_out) = logs.counts();
    let clock = match ahead / 100_000_000 {
        // Of whole seconds part is cut off, and a line is written a moment later.
        -15..=15 => String::new(),
        tenths => {
            let (way, seconds) = (if tenths < 0 { "behind" } else { "ahead of" }, tenths.unsigned_abs());
            format!(" Their clock is {}.{} s {way} the capture's.", seconds / 10, seconds % 10)
        }
    };
    let left_out = if left_out == 0 {
        String::new()
    } else {
        format!(" {} left out to stay within the memory limits.", counted(left_out, "line was", "lines were"))
    };
    if kept == 0 {
        return format!("Logs: {} read; none speaks of TLS and of an address.{left_out}", counted(read, "line", "lines"));
    }
    let told = match handshakes {
        0 => "none of them belongs to a handshake that failed or had trouble".to_owned(),
        _ => format!("they tell of {} that failed or had trouble", counted(handshakes, "handshake", "handshakes")),
    };
    let unclear = match unclear {
        0 => String::new(),
        _ => format!(
            " Of {} the logs may speak as well, but several of one client failed at that time, and the lines name no port.",
            counted(unclear, "handshake", "handshakes")
        ),
    };
    format!(
        "Logs: {} read, {} of TLS and of an address; {told}.{unclear}{clock}{left_out}",
        counted(read, "line", "lines"),
        counted(kept as u64, "line speaks", "lines speak"),
    )
}

fn subject(handshake: &Handshake) -> Subject {
    Subject {
        client: handshake.client,
        server: handshake.server,
        begin: handshake.flow.first.time,
        end: handshake.end.unwrap_or(handshake.flow.last).time,
    }
}

/// A line without what differs between two that say the same.
fn without_numbers(text: &str) -> String {
    text.chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// Lines looked at for one handshake, and distances in all.
const LINES: usize = 64;
const DISTANCES: usize = 1 << 16;
