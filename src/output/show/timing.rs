//! Where the time went, as bars.

use std::io::{self, Write};

use super::ladder::bar;
use super::{INDENT, section};
use crate::output::figures::span_us;
use crate::output::layout::Layout;
use crate::report::Handshake;

/// Writes a bar for each part of the handshake's time that is known.
pub(super) fn write(out: &mut dyn Write, layout: &Layout, report: &Handshake<'_>) -> io::Result<()> {
    let timing = &report.handshake.timing;
    let parts = [
        ("TCP round trip", timing.tcp_rtt_us),
        ("client processing", timing.client_hello_us),
        ("server answers", timing.server_hello_us),
        ("  processing", timing.server_think_us),
        ("rest of handshake", timing.finished_us),
        ("total", timing.total_us),
    ];
    let longest = parts.iter().filter_map(|(_, us)| *us).max().unwrap_or_default();
    if longest == 0 {
        return Ok(());
    }
    section(out, layout, "Where the time went")?;
    let columns = layout.width().saturating_sub(INDENT + LABEL + SPAN + 2).min(LONGEST);
    let palette = layout.palette;
    for (label, us) in parts {
        let Some(us) = us else { continue };
        let (drawn, span) = (bar(us, longest, columns), span_us(us));
        let (dim, style) = (palette.dim, if label == "total" { palette.dim } else { palette.command });
        writeln!(out, "{:INDENT$}{dim}{label:LABEL$}{dim:#}{span:>SPAN$}  {style}{}{style:#}", "", drawn.trim_end())?;
    }
    let loss = &report.handshake.loss;
    let lost = [
        (u64::from(loss.client_retransmits), "sent again by the client"),
        (u64::from(loss.server_retransmits), "sent again by the server"),
        (loss.gap_bytes, "bytes never seen"),
    ];
    let words: Vec<String> = lost.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{number} {what}")).collect();
    if words.is_empty() { Ok(()) } else { layout.labelled(out, INDENT, "Sent again or missing:", &words.join(", ")) }
}

const LABEL: usize = 18;
const SPAN: usize = 10;
/// Columns of the longest bar.
const LONGEST: usize = 80;
