//! One handshake on one line (or two, where the terminal is narrow), for `--all`.

use std::io::{self, Write};

use anstyle::Style;

use super::view;
use crate::output::figures::span_us;
use crate::output::layout::{Layout, NO_BREAK};
use crate::report::{Class, Handshake, Protocol, word};

/// Writes the line: time, client, server, and what was negotiated or what went wrong.
pub(super) fn line(out: &mut dyn Write, layout: &Layout, report: &Handshake<'_>) -> io::Result<()> {
    let (plain, palette) = (Style::new(), layout.palette);
    let class = report.class();
    let style = palette.of(class);
    let verdict = if class == Class::Completed { class.name() } else { view::cause(report) };
    let detail = match class {
        Class::Completed | Class::Troubled | Class::Rejected => negotiated(report),
        Class::Failed | Class::Undecided | Class::Probe => report.handshake.outcome.name().to_owned(),
    };
    let within = if report.network.path.is_inside_tls() { INSIDE } else { "" };
    let detail = [detail.as_str(), within].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
    let spans = [
        (palette.dim, layout.when(report.handshake.start, false)),
        (plain, "  ".to_owned()),
        (plain, report.client.to_string()),
        (plain, " → ".to_owned()),
        (palette.strong, view::server(report)),
        (plain, "  ".to_owned()),
        (style, verdict.to_owned()),
        (plain, "  ".to_owned()),
        (plain, detail),
    ];
    let spans: Vec<_> = spans.iter().map(|(style, text)| (*style, text.as_str())).collect();
    layout.row(out, 0, UNDER_CLIENT, &spans)
}

/// `TLS 1.3, TLS_AES_128_GCM_SHA256, x25519, h2, resumed, 31.5 ms`: what is known of it.
pub(super) fn negotiated(report: &Handshake<'_>) -> String {
    let mut parts: Vec<String> = Vec::new();
    if let Some(tls) = &report.tls {
        parts.extend(tls.version.map(|version| {
            let version = word(version.name(), version);
            let numeric = version.starts_with(|c: char| c.is_ascii_digit());
            let protocol = if report.network.protocol == Protocol::Dtls { "DTLS" } else { "TLS" };
            if numeric { format!("{protocol}{NO_BREAK}{version}") } else { version.into_owned() }
        }));
        parts.extend(tls.cipher.map(|cipher| word(cipher.name(), cipher).into_owned()));
        parts.extend(tls.curve.map(|curve| word(curve.name(), curve).into_owned()));
        parts.extend(tls.next_protocol.as_deref().map(str::to_owned));
    }
    let handshake = &report.handshake;
    for (flag, word) in
        [(handshake.resumed, "resumed"), (handshake.hello_retry, "after HelloRetryRequest"), (handshake.early_data, "early data")]
    {
        if flag {
            parts.push(word.to_owned());
        }
    }
    parts.extend(handshake.preamble.map(|preamble| format!("after {}", preamble.name())));
    parts.extend(handshake.timing.total_us.map(|us| span_us(us).replace(' ', "\u{a0}")));
    parts.join(", ")
}

/// What is said of a handshake within another, which has the same ends: the layer's name in `network.path`.
const INSIDE: &str = "inside tls";

/// Columns of the time and the gap behind it.
const UNDER_CLIENT: usize = 14;
