//! The hellos side by side: what was offered, what was chosen.

use std::borrow::Cow;
use std::io::{self, Write};

use anstyle::Style;

use super::ladder::wrap;
use super::{INDENT, section};
use crate::diagnosis::view::ordinal;
use crate::output::escape::{clip, escape, width};
use crate::output::figures::count;
use crate::output::layout::Layout;
use crate::report::{Certainty, Handshake, Offer, Speaker, word};

/// A parameter: what the client offered, what the server chose.
pub(in crate::output) struct Parameter {
    pub(in crate::output) name: &'static str,
    pub(in crate::output) offered: Vec<String>,
    pub(in crate::output) chosen: Option<String>,
}

impl Parameter {
    /// The choice is among the offers. `None` without a choice, or without a list to hold it against.
    pub(in crate::output) fn in_common(&self) -> Option<bool> {
        let listed = !self.offered.is_empty() && !self.offered.iter().any(|offer| offer.ends_with(AND_OLDER));
        self.chosen.as_ref().filter(|_| listed).map(|chosen| self.offered.contains(chosen))
    }
}

/// What was offered and chosen, parameter by parameter.
pub(in crate::output) fn parameters(report: &Handshake<'_>) -> Vec<Parameter> {
    let Some(tls) = &report.tls else { return Vec::new() };
    let offered = tls.client.as_ref().map(|client| &client.offer);
    let offer = |name, offered: Option<Vec<String>>, chosen: Option<Cow<'_, str>>| Parameter {
        name,
        offered: offered.unwrap_or_default(),
        chosen: chosen.map(Cow::into_owned),
    };
    let versions = |offer: &Offer<'_>| match offer.up_to_version() {
        // A hello without a list offers whatever is older than what it names, and nothing is older than SSL 2.0.
        Some(newest) if offer.is_ssl2() => vec![newest.into_owned()],
        Some(newest) => vec![format!("{newest}{AND_OLDER}")],
        None => words(offer.supported_versions()),
    };
    let mut list = vec![
        offer("version", offered.map(versions), tls.version.map(|version| word(version.name(), version))),
        offer("cipher suite", offered.map(|offer| words(offer.supported_ciphers())), tls.cipher.map(|cipher| word(cipher.name(), cipher))),
        offer("group", offered.map(|offer| words(offer.supported_groups())), tls.curve.map(|curve| word(curve.name(), curve))),
        offer("key share", offered.map(|offer| words(offer.key_shares())), None),
        offer("ALPN", offered.map(|offer| words(offer.alpn())), tls.next_protocol.as_deref().map(Cow::Borrowed)),
        offer("signature", offered.map(|offer| words(offer.signature_algorithms())), None),
        offer("extension", offered.map(|offer| words(offer.extensions())), None),
    ];
    list.retain(|parameter| !parameter.offered.is_empty() || parameter.chosen.is_some());
    list
}

fn words<'a>(list: impl Iterator<Item = Cow<'a, str>>) -> Vec<String> {
    list.map(Cow::into_owned).collect()
}

/// A list in so many rows at most, each ending behind one of its items; what does not fit is counted.
fn in_rows(items: &[String], room: usize, most: usize) -> Vec<String> {
    let widths: Vec<usize> = items.iter().map(|item| width(&escape(item)).min(room)).collect();
    let mut rows: Vec<String> = Vec::new();
    let mut row = String::new();
    for (place, (item, own)) in items.iter().zip(&widths).enumerate() {
        let left = items.len().saturating_sub(place);
        let comma = usize::from(left > 1);
        let rest = widths.iter().skip(place).fold(0_usize, |sum, width| sum.saturating_add(width.saturating_add(2))).saturating_sub(2);
        // The last row keeps room for what it leaves out.
        let kept = |begun: usize, rows: &[String]| {
            let in_last = rows.len().saturating_add(1) >= most && begun.saturating_add(rest) > room;
            if in_last { width(&format!(" and {} more", count(left.saturating_sub(1) as u64))) } else { 0 }
        };
        let begun = if row.is_empty() { 0 } else { width(&row).saturating_add(1) };
        if begun > 0 && begun.saturating_add(*own).saturating_add(comma).saturating_add(kept(begun, &rows)) > room {
            if rows.len().saturating_add(1) >= most {
                row.push_str(" and ");
                row.push_str(&count(left as u64));
                row.push_str(" more");
                break;
            }
            rows.push(std::mem::take(&mut row));
        }
        if row.is_empty() {
            row.push_str(&clip(&escape(item), room.saturating_sub(comma).saturating_sub(kept(0, &rows))));
        } else {
            row.push(' ');
            row.push_str(&escape(item));
        }
        if comma > 0 {
            row.push(',');
        }
    }
    rows.push(row);
    rows
}

/// A library in words: `OpenSSL (curl)`, `probably Go`.
fn spoken(speaker: Speaker) -> String {
    let sure = if speaker.certainty == Certainty::Strong { "" } else { "probably " };
    let program = speaker.program.map_or_else(String::new, |program| format!(" ({})", program.name()));
    format!("{sure}{}{program}", speaker.stack.name())
}

/// Writes the comparison; nothing where no hello was read.
pub(super) fn write(out: &mut dyn Write, layout: &Layout, report: &Handshake<'_>) -> io::Result<()> {
    let list = parameters(report);
    if list.is_empty() {
        return Ok(());
    }
    let palette = layout.palette;
    let (plain, dim, strong) = (Style::new(), palette.dim, palette.strong);
    let answered = report.tls.as_ref().is_some_and(|tls| tls.version.is_some());
    section(out, layout, "Offered and chosen")?;
    let room = layout.width().saturating_sub(INDENT + NAME + 4);
    // The offers take what they need; where that leaves little for the choice, it is told by its place in the list.
    let offers = list.iter().filter(|parameter| !is_listed_in_a_row(parameter)).flat_map(|parameter| &parameter.offered);
    let needed = offers.map(|offer| width(&escape(offer))).max().unwrap_or_default().saturating_add(MARK);
    let most = room.saturating_mul(2) / 3;
    let left = needed.clamp(SHORTEST.min(most), most);
    let right = room.saturating_sub(left);
    let roomy = right >= ROOMY;
    writeln!(
        out,
        "{:INDENT$}{:NAME$}  {strong}{:left$}{strong:#}  {strong}{}{strong:#}",
        "",
        "",
        "client offers",
        clip("server chooses", right)
    )?;
    let tls = report.tls.as_ref();
    let client = tls.and_then(|tls| tls.client.as_ref()?.stack).map(spoken).unwrap_or_default();
    let server = tls.and_then(|tls| tls.server.as_ref()?.stack).map(spoken).unwrap_or_default();
    if !(client.is_empty() && server.is_empty()) {
        writeln!(out, "{:INDENT$}{dim}{:NAME$}{dim:#}  {:left$}  {}", "", "library", clip(&client, left), clip(&server, right))?;
    }
    for parameter in &list {
        let offered = if is_listed_in_a_row(parameter) {
            in_rows(&parameter.offered, room, ROWS).into_iter().map(|line| (line, plain)).collect()
        } else {
            offered_lines(parameter, left, layout)
        };
        let (chosen, style) = match (&parameter.chosen, parameter.in_common()) {
            (Some(chosen), Some(true)) => {
                let place = parameter.offered.iter().position(|offer| offer == chosen).unwrap_or_default().saturating_add(1);
                let of = parameter.offered.len();
                let place = if of == 1 {
                    "the only one".to_owned()
                } else {
                    format!("{} of {of}", ordinal(u32::try_from(place).unwrap_or(u32::MAX)))
                };
                (if roomy { format!("✓ {chosen}, {place}") } else { format!("✓ {place}") }, palette.good)
            }
            (Some(chosen), None) => (chosen.clone(), palette.good),
            (Some(chosen), Some(false)) => (format!("✗ {chosen}, not offered"), palette.bad),
            (None, _) if matches!(parameter.name, "key share" | "signature" | "extension") => (String::new(), dim),
            (None, _) if parameter.name == "ALPN" && answered => ("none seen".to_owned(), dim),
            (None, _) if answered => (String::new(), dim),
            (None, _) => ("no answer".to_owned(), dim),
        };
        let chosen = wrap(&escape(&chosen), right, FEW);
        for row in 0..offered.len().max(chosen.len()).max(1) {
            let (text, text_style) = offered.get(row).map_or(("", plain), |(text, style)| (text.as_str(), *style));
            let fill = left.saturating_sub(width(text));
            let label = if row == 0 { parameter.name } else { "" };
            write!(out, "{:INDENT$}{dim}{label:NAME$}{dim:#}  {text_style}{text}{text_style:#}", "")?;
            match chosen.get(row) {
                Some(line) => writeln!(out, "{:fill$}  {style}{line}{style:#}", "")?,
                None => writeln!(out)?,
            }
        }
    }
    if let Some(client) = report.tls.as_ref().and_then(|tls| tls.client.as_ref()) {
        let request = if client.certificate_requested { "the server asked the client for a certificate" } else { "" };
        let ech = client.offer.ech().map(|word| format!("ECH {word}")).unwrap_or_default();
        let facts = [request.to_owned(), ech, format!("JA4 {}", client.offer.ja4())];
        let facts: Vec<_> = facts.into_iter().filter(|fact| !fact.is_empty()).collect();
        layout.flow(out, INDENT, INDENT, &[(dim, &facts.join("; "))])?;
    }
    Ok(())
}

/// Of these nothing is chosen: they are told in running lines.
fn is_listed_in_a_row(parameter: &Parameter) -> bool {
    matches!(parameter.name, "extension" | "signature")
}

/// One offer a line, the chosen one marked; of a long list the first few and the chosen one.
fn offered_lines(parameter: &Parameter, columns: usize, layout: &Layout) -> Vec<(String, Style)> {
    let mut lines = Vec::new();
    let mut hidden = 0_usize;
    for (place, offer) in parameter.offered.iter().enumerate() {
        let chosen = parameter.chosen.as_ref() == Some(offer);
        if place >= MANY && !chosen {
            hidden = hidden.saturating_add(1);
            continue;
        }
        let mark = if chosen { "✓ " } else { "  " };
        let style = if chosen { layout.palette.good } else { Style::new() };
        lines.push((clip(&escape(&format!("{mark}{offer}")), columns).into_owned(), style));
    }
    if hidden > 0 {
        lines.push((format!("  and {hidden} more"), layout.palette.dim));
    }
    lines
}

/// Behind a version that stands for those before it as well.
const AND_OLDER: &str = " and older";
/// Columns of a parameter's name.
const NAME: usize = 12;
/// Columns of the mark before an offer, and of what keeps it from the choice.
const MARK: usize = 4;
/// Columns for offers at the least.
const SHORTEST: usize = 24;
/// From this many columns for the choice on, it is written out.
const ROOMY: usize = 44;
/// Offers shown of a long list.
const MANY: usize = 8;
/// Rows of a list that stands in rows.
const ROWS: usize = 8;
/// Lines of one text.
const FEW: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_in_rows_is_cut_between_its_items_only() {
        let items: Vec<String> = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"].map(str::to_owned).into();
        assert_eq!(in_rows(&items, 80, 2), ["alpha, beta, gamma, delta, epsilon, zeta"]);
        assert_eq!(in_rows(&items, 19, 3), ["alpha, beta, gamma,", "delta, epsilon,", "zeta"]);
        assert_eq!(in_rows(&items, 19, 2), ["alpha, beta, gamma,", "delta, and 2 more"]);
        for room in 18..60 {
            for most in 1..4 {
                let rows = in_rows(&items, room, most);
                assert!(rows.len() <= most && rows.iter().all(|row| width(row) <= room), "{room} {most} {rows:?}");
            }
        }
    }
}
