//! From the capture and the key logs beside it to the workers: secrets as they turn up, and what the summary says of them.

use std::sync::Arc;

use crate::capture::FrameSource;
use crate::secrets::{KeyLog, Tally, keylog::SecretCounts};
use crate::wording::counted;

/// Reads the lines that have turned up since the last look.
#[derive(Debug, Default)]
pub(super) struct Feed {
    from_logs: usize,
    from_blocks: usize,
    announced: bool,
    counts: SecretCounts,
    left_out: u64,
}

impl Feed {
    /// Secrets that are new; at first also when key logs are given and still empty, for what they will hold.
    pub(super) fn news(&mut self, source: &dyn FrameSource) -> Option<Arc<KeyLog>> {
        let blocks = &source.inventory().secrets;
        let logs = source.key_log();
        let announce = logs.is_some() && !self.announced;
        if blocks.len() == self.from_blocks
            && logs.is_none_or(|logs| logs.before.saturating_add(logs.lines.len()) == self.from_logs)
            && !announce
        {
            return None;
        }
        self.announced = true;
        let mut log = KeyLog::default();
        let fresh = |before: usize, lines: &[Vec<u8>], known: &mut usize, log: &mut KeyLog| {
            lines.iter().skip(known.saturating_sub(before)).for_each(|line| log.add_line(line));
            *known = before.saturating_add(lines.len());
        };
        fresh(0, blocks, &mut self.from_blocks, &mut log);
        if let Some(logs) = logs {
            fresh(logs.before, &logs.lines, &mut self.from_logs, &mut log);
            self.left_out = logs.left_out;
        }
        let counts = log.counts();
        self.counts.secrets = self.counts.secrets.saturating_add(counts.secrets);
        self.counts.malformed = self.counts.malformed.saturating_add(counts.malformed);
        self.counts.left_out = self.counts.left_out.saturating_add(counts.left_out);
        Some(Arc::new(log))
    }

    /// What a reader should know, beside the counts of the summary.
    pub(super) fn notes(&self, tally: Tally) -> Vec<String> {
        let mut notes = Vec::new();
        let SecretCounts { secrets, malformed, left_out } = self.counts;
        if malformed > 0 {
            notes.push(format!("Key log: {} skipped that were cut off or not key log lines.", counted(malformed, "line", "lines")));
        }
        let left_out = left_out.saturating_add(self.left_out);
        if left_out > 0 {
            notes.push(format!(
                "Key log: {} left out to stay within the memory limits; supply only the part that belongs to this capture.",
                counted(left_out, "line", "lines")
            ));
        }
        if tally.misfits > 0 {
            notes.push(format!(
                "Secrets that do not fit the records: {}, judged as without keys.",
                counted(tally.misfits, "handshake", "handshakes")
            ));
        }
        if tally.unsupported > 0 {
            notes.push(format!(
                "Secrets for a version or cipher suite that handshark cannot decrypt (SSL 3.0, RC4, Camellia, ARIA…): {}.",
                counted(tally.unsupported, "handshake", "handshakes")
            ));
        }
        if secrets > 0 && tally == Tally::default() {
            notes.push(
                "None of the secrets belongs to a handshake of this capture: is it the key log of the same client or server, from the same time?"
                    .to_owned(),
            );
        } else if secrets == 0 && self.announced {
            notes.push("The key log has no secrets: was SSLKEYLOGFILE set for the program that made the connections?".to_owned());
        }
        notes
    }
}
