//! From the capture and the key logs beside it to the workers: secrets as they turn up, and what the summary says of them.

use std::sync::Arc;

use crate::capture::FrameSource;
use crate::secrets::{KeyLog, Tally, keylog::SecretCounts};

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
            notes.push(format!("Key log: {malformed} lines are cut off or no key log lines and were passed over."));
        }
        let left_out = left_out.saturating_add(self.left_out);
        if left_out > 0 {
            notes.push(format!(
                "Key log: {left_out} lines were left out to stay within bounds; give the part that belongs to this capture."
            ));
        }
        if tally.misfits > 0 {
            notes.push(format!(
                "The secrets given for {} handshakes do not fit their records; those were judged as without keys.",
                tally.misfits
            ));
        }
        if tally.unsupported > 0 {
            notes.push(format!(
                "{} handshakes have secrets, and a version or cipher suite that cannot be decrypted here (SSL 3.0, RC4, Camellia, ARIA…).",
                tally.unsupported
            ));
        }
        if secrets > 0 && tally == Tally::default() {
            notes.push(
                "None of the secrets given belongs to a handshake of this capture: is it the key log of the same client or server, and of the same time?"
                    .to_owned(),
            );
        } else if secrets == 0 && self.announced {
            notes.push("The key log holds no secrets: was SSLKEYLOGFILE set for the program that made the connections?".to_owned());
        }
        notes
    }
}
