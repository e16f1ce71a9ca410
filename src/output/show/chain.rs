//! Certificates as a tree, each with its validity around the moment of capture.

use std::io::{self, Write};
use std::sync::Arc;

use anstyle::Style;

use super::{INDENT, section};
use crate::output::escape::{clip, escape};
use crate::output::figures::{date, span_us, us_between};
use crate::output::layout::Layout;
use crate::report::{Certificate, Handshake, ProtocolVersion};
use crate::time::Timestamp;

/// A certificate's place in its chain.
pub(in crate::output) struct Link<'a> {
    pub(in crate::output) certificate: &'a Certificate,
    /// Steps from the leaf; `None` for one that belongs to no chain here.
    pub(in crate::output) depth: Option<usize>,
}

/// The certificates from the leaf up along their issuers, then those that belong to no chain; and the issuer that was not sent, if any.
pub(in crate::output) fn links(certificates: &[Arc<Certificate>]) -> (Vec<Link<'_>>, Option<&str>) {
    let mut rest: Vec<&Certificate> = certificates.iter().map(AsRef::as_ref).collect();
    let mut found = Vec::new();
    let mut missing = None;
    if !rest.is_empty() {
        let mut at = rest.remove(0);
        loop {
            found.push(Link { certificate: at, depth: Some(found.len()) });
            if at.issuer == at.subject {
                break;
            }
            let Some(place) = rest.iter().position(|other| other.subject == at.issuer) else {
                missing = Some(at.issuer.as_str());
                break;
            };
            at = rest.remove(place);
        }
    }
    found.extend(rest.into_iter().map(|certificate| Link { certificate, depth: None }));
    (found, missing)
}

/// Where a moment lies in a certificate's validity.
pub(in crate::output) enum Standing {
    /// Before it begins: by so much.
    Early(u64),
    /// Inside: how far, in thousandths, and how much is left.
    Valid(u64, u64),
    /// After its end: by so much.
    Late(u64),
}

/// Where a moment lies in a validity.
pub(in crate::output) fn standing(certificate: &Certificate, at: Timestamp) -> Standing {
    let (begin, end) = (certificate.not_before, certificate.not_after);
    if let Some(late) = us_between(end, at).filter(|late| *late > 0) {
        Standing::Late(late)
    } else if let Some(gone) = us_between(begin, at) {
        let whole = us_between(begin, end).unwrap_or_default().max(1);
        let thousandths = u64::try_from(u128::from(gone) * 1000 / u128::from(whole)).unwrap_or(1000).min(1000);
        Standing::Valid(thousandths, us_between(at, end).unwrap_or_default())
    } else {
        Standing::Early(us_between(at, begin).unwrap_or_default())
    }
}

/// Writes both sides' certificates.
pub(super) fn write(out: &mut dyn Write, layout: &Layout, report: &Handshake<'_>) -> io::Result<()> {
    let Some(tls) = &report.tls else { return Ok(()) };
    let at = report.handshake.start;
    let tlcp = tls.version == Some(ProtocolVersion::TLCP);
    if let Some(server) = &tls.server {
        tree(out, layout, "Certificates of the server", (&server.certificates, tlcp), at)?;
        if let Some(why) = server.unverified {
            layout.labelled(out, INDENT, "Not verified to the end:", why.name())?;
        }
        if let Some(staple) = server.staple.filter(|_| !server.certificates.is_empty()) {
            layout.labelled(out, INDENT, "Stapled OCSP status:", staple.name())?;
        }
    }
    if let Some(client) = &tls.client {
        tree(out, layout, "Certificates of the client", (&client.certificates, tlcp), at)?;
    }
    Ok(())
}

/// `tlcp`: the first certificate is one to sign with, the second one to encrypt with.
fn tree(
    out: &mut dyn Write,
    layout: &Layout,
    title: &str,
    (certificates, tlcp): (&[Arc<Certificate>], bool),
    at: Timestamp,
) -> io::Result<()> {
    if certificates.is_empty() {
        return Ok(());
    }
    let palette = layout.palette;
    section(out, layout, &format!("{title}, when captured"))?;
    let (links, missing) = links(certificates);
    let second = match certificates {
        [first, second, ..] if tlcp && first.issuer != second.subject => Some(second.as_ref()),
        _ => None,
    };
    let mut depth = 0;
    for link in links.iter().take(CERTIFICATES) {
        let place = link.depth.unwrap_or_default();
        depth = depth.max(place);
        let indent = INDENT.saturating_add(place.min(DEEPEST).saturating_mul(3));
        let branch = match link.depth {
            Some(0) if second.is_some() => "to sign: ",
            Some(0) => "",
            Some(_) => "└─ ",
            None if second.is_some_and(|second| std::ptr::eq(second, link.certificate)) => "to encrypt: ",
            None => "also sent: ",
        };
        one(out, layout, indent, branch, link.certificate, at)?;
    }
    if let Some(issuer) = missing {
        let indent = INDENT.saturating_add(depth.saturating_add(1).min(DEEPEST).saturating_mul(3));
        layout.flow(out, indent, indent.saturating_add(3), &[(palette.dim, "└─ "), (Style::new(), issuer), (palette.dim, ", not sent")])?;
    }
    Ok(())
}

fn one(out: &mut dyn Write, layout: &Layout, indent: usize, branch: &str, certificate: &Certificate, at: Timestamp) -> io::Result<()> {
    let palette = layout.palette;
    let inner = indent.saturating_add(if branch.is_empty() { 0 } else { 3 });
    let of = |text: &str| clip(&escape(text), NAMES).into_owned();
    let key = format!("{}, {}", of(&certificate.key), of(&certificate.signature));
    layout.flow(
        out,
        indent,
        inner,
        &[(palette.dim, branch), (palette.strong, &of(&certificate.subject)), (palette.dim, "  "), (palette.dim, &key)],
    )?;
    let (begin, end) = (date(certificate.not_before), date(certificate.not_after));
    let columns = layout.width().saturating_sub(inner).saturating_sub(28).saturating_sub(22).clamp(8, 60);
    let line = |length: usize| "─".repeat(length);
    let (bar, word, style) = match standing(certificate, at) {
        Standing::Valid(thousandths, left) => {
            let before = (columns.saturating_sub(1)).saturating_mul(usize::try_from(thousandths).unwrap_or_default()) / 1000;
            let after = columns.saturating_sub(1).saturating_sub(before);
            (format!("{begin} ├{}●{}┤ {end}", line(before), line(after)), format!("{} left", span_us(left)), palette.good)
        }
        Standing::Late(late) => {
            (format!("{begin} ├{}┤ {end} ●", line(columns.saturating_sub(2))), format!("expired {} before", span_us(late)), palette.bad)
        }
        Standing::Early(early) => {
            (format!("● {begin} ├{}┤ {end}", line(columns.saturating_sub(2))), format!("valid only {} later", span_us(early)), palette.bad)
        }
    };
    layout.flow(
        out,
        inner,
        inner.saturating_add(2),
        &[(style, &bar.replace(' ', "\u{a0}")), (style, " "), (style, &word.replace(' ', "\u{a0}"))],
    )?;
    if branch.is_empty() || branch.starts_with("also") {
        let names: Vec<String> = certificate.san.iter().take(SANS).map(|name| of(name)).collect();
        let more = certificate.san.len().saturating_sub(SANS);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        if !names.is_empty() {
            layout.labelled(out, inner, "for", &format!("{}{more}", names.join(", ")))?;
        }
    }
    layout.flow(out, inner, inner.saturating_add(2), &[(palette.dim, "serial "), (palette.dim, &of(&certificate.serial))])
}

/// Certificates shown of one side.
const CERTIFICATES: usize = 12;
/// Deeper links are not indented further.
const DEEPEST: usize = 5;
/// Names shown of one certificate.
const SANS: usize = 8;
/// Columns of a name.
const NAMES: usize = 200;
