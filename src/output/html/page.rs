//! The page: head, policy, data blocks, and the order of its sections.

use std::io::{self, Write};

use data_encoding::BASE64;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::charts::{self, Span};
use super::details::PIECE;
use super::parts::{CLASSES, css};
use super::{Gathered, Setting, embedded, sections, tables};
use crate::output::figures::millis;
use crate::output::json::Json;
use crate::output::view;
use crate::report::{StepKind, VERSION};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Writes the whole page.
pub(super) fn write(out: &mut dyn Write, gathered: &Gathered, settings: &[Setting]) -> io::Result<()> {
    let head = html! {
        (DOCTYPE)
        html lang="en" {
            (head(gathered))
            (PreEscaped("<body>"))
            (body(gathered, settings))
        }
    };
    // The two data blocks are most of the page: they are written as they are, not copied into the markup.
    let head = head.into_string();
    let head = head.strip_suffix("</html>").unwrap_or(&head);
    out.write_all(head.as_bytes())?;
    write!(out, "<script type=\"application/json\" id=\"rows\">")?;
    let mut rows = Json::default();
    rows.whole(|w| gathered.rows.write(w));
    out.write_all(embedded(std::str::from_utf8(&rows.out).unwrap_or_default()).as_bytes())?;
    write!(out, "</script><script type=\"application/octet-stream\" id=\"details\" data-piece=\"{PIECE}\">")?;
    out.write_all(gathered.details.pieces.as_bytes())?;
    write!(out, "</script><script>{SCRIPT}</script></body></html>")
}

fn head(gathered: &Gathered) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta http-equiv="Content-Security-Policy" content=(policy());
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            meta name="referrer" content="no-referrer";
            meta name="generator" content={ "handshark " (VERSION) };
            title { (sections::title(gathered)) }
            link rel="icon" href="data:,";
            style { (PreEscaped(STYLE)) }
        }
    }
}

/// Nothing may be loaded, run or styled but what is in the page.
fn policy() -> String {
    let hash = |text: &str| format!("'sha256-{}'", BASE64.encode(&Sha256::digest(text.as_bytes())));
    format!(
        "default-src 'none'; script-src {}; style-src {}; img-src data:; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        hash(SCRIPT),
        hash(STYLE)
    )
}

fn body(gathered: &Gathered, settings: &[Setting]) -> Markup {
    let (incidents, zone) = (&gathered.collected.incidents, gathered.collected.zone());
    let of_incidents = incidents.iter().flat_map(|incident| [incident.first_seen, incident.last_seen]).map(millis);
    let span = Span::of(gathered.rows.points().map(|point| point.start).chain(of_incidents));
    html! {
        a.skip href="#main" { "Skip to the result" }
        header { (sections::header(gathered)) }
        (sections::contents(&sections::list(gathered)))
        main #main {
            (sections::tiles(gathered))
            (sections::incidents(gathered))
            @if let Some(span) = span {
                section aria-labelledby="h-time" {
                    h2 #h-time { "Over time" }
                    @if !incidents.is_empty() { (charts::incidents(incidents, span, zone)) }
                    (charts::results(gathered.rows.points(), span, zone))
                    (charts::times(gathered.rows.points(), span, zone))
                }
            }
            (sections::failed(gathered))
            (tables::causes(gathered))
            (sections::explorer(gathered))
            (sections::plain(gathered))
            (tables::servers(gathered))
            (tables::clients(gathered))
            (tables::certificates(gathered))
            (super::inventory::inventory(gathered))
            (super::guide::guide(gathered))
            (sections::evidence(gathered, settings))
        }
        footer { p { "Written by handshark " (VERSION) ". This page asks nothing of the network." } }
        dialog #detail aria-labelledby="detail-title" {}
        // What the script needs to know of the words in use.
        ul #words hidden {
            @for kind in StepKind::ALL {
                li data-kind=(kind.name()) data-class=(look(*kind)) { (view::step(*kind)) }
            }
        }
        (sections::shifts(gathered))
        ul #results hidden { @for class in CLASSES { li data-class=(css(class)) data-name=(class.name()) { (class.words(1)) } } }
    }
}

const fn look(kind: StepKind) -> &'static str {
    match view::step_look(kind) {
        view::StepLook::Message => "message",
        view::StepLook::Transport => "transport",
        view::StepLook::Trouble => "trouble",
        view::StepLook::Failure => "failure",
    }
}
