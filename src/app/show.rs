//! `handshark show`: one handshake in full.

use std::io::{self, BufWriter, Write};

use anyhow::bail;

use super::analyse::analyse;
use crate::cli::ShowOptions;
use crate::output::layout::Layout;
use crate::output::view::{self, Kind};
use crate::output::{show, style};
use crate::report::{HandshakeReport, Report};

/// Reads captures and shows the handshake that is asked for; without such, the first that failed, or the first.
pub(super) fn show(options: &ShowOptions) -> anyhow::Result<()> {
    let mut found = Found { most: options.most, ..Found::default() };
    let mut emit = |report: Report| {
        if let Report::Handshake(handshake) = report {
            found.take(*handshake, options);
        }
        Ok(())
    };
    analyse(&options.inputs, &options.analysis, options.progress, &mut emit)?;
    let chosen = found.chosen();
    if chosen.is_empty() {
        match (found.seen, &options.id) {
            (0, _) => bail!("no TLS handshake was found; `handshark read` says what is in the capture"),
            (_, Some(id)) => bail!("no handshake has the id {id}; `handshark read --json` lists them in handshake.id"),
            (seen, None) => bail!("none of the {seen} handshakes is like that"),
        }
    }
    let stdout = io::stdout();
    let layout = Layout::wide(options.width.or_else(style::terminal_width), options.color.palette(&stdout));
    let mut out = BufWriter::new(stdout.lock());
    for (index, report) in chosen.iter().enumerate() {
        if index > 0 {
            writeln!(out, "\n")?;
        }
        show::handshake(&mut out, &layout, report)?;
    }
    out.flush()?;
    Ok(())
}

/// Handshakes that may be shown.
#[derive(Debug, Default)]
struct Found {
    most: usize,
    seen: u64,
    matched: Vec<HandshakeReport>,
    failed: Vec<HandshakeReport>,
}

impl Found {
    fn take(&mut self, report: HandshakeReport, options: &ShowOptions) {
        self.seen = self.seen.saturating_add(1);
        if !options.takes(&report) {
            return;
        }
        if self.failed.len() < self.most && view::kind(&report) == Kind::Failed {
            self.failed.push(report.clone());
        }
        if self.matched.len() < self.most {
            self.matched.push(report);
        }
    }

    /// What failed is what is looked for, where something did.
    fn chosen(&self) -> &[HandshakeReport] {
        if self.failed.is_empty() { &self.matched } else { &self.failed }
    }
}
