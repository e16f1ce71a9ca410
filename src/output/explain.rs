//! What is known of each cause: the pages of `handshark explain`, the list of all causes, the search in it, and docs/CAUSES.md.

use std::io::{self, Write};

use anstyle::Style;

use super::escape::width;
use super::json::Json;
use super::layout::Layout;
use super::suggest::{did_you_mean, near};
use crate::diagnosis::against::{Counter, Effect};
use crate::diagnosis::cause::{Cause, Family};
use crate::diagnosis::rule::About;
use crate::diagnosis::rules;
use crate::report::{Writer as _, key};

mod index;
mod search;

pub use index::causes_markdown;
pub use search::search;

/// Finds the cause of a slug; the error says what may have been meant.
pub fn find(slug: &str) -> Result<Cause, String> {
    let wanted = slug.trim().to_lowercase().replace('_', "-");
    wanted.parse().map_err(|()| {
        let suggestions = near(&wanted, Cause::ALL.iter().map(|cause| cause.slug()));
        format!("there is no cause {slug:?}{} (`handshark explain` lists all)", did_you_mean(&suggestions))
    })
}

/// Prints what is known of what was asked for: the page of a cause, or the causes that people know by these words (an alert's number or name, what
/// a program said, a symptom). The error says what may have been meant.
pub fn about(out: &mut dyn Write, layout: &Layout, words: &str) -> io::Result<Result<(), String>> {
    let error = match find(words) {
        Ok(cause) => return page(out, layout, cause).map(Ok),
        Err(error) => error,
    };
    match search(words).as_slice() {
        [] => Ok(Err(error)),
        [(cause, _)] => page(out, layout, *cause).map(Ok),
        found => matches(out, layout, found).map(Ok),
    }
}

/// Writes what was asked for, or every cause, a line of JSON each. The error says what may have been meant.
pub fn json(out: &mut dyn Write, words: &str) -> io::Result<Result<(), String>> {
    let causes: Vec<Cause> = if words.is_empty() {
        families().flat_map(|(_, causes)| causes).collect()
    } else {
        match find(words) {
            Ok(cause) => vec![cause],
            Err(error) => match search(words).as_slice() {
                [] => return Ok(Err(error)),
                found => found.iter().map(|(cause, _)| *cause).collect(),
            },
        }
    };
    let mut line = Json::default();
    for cause in causes {
        let Some(rule) = rules::of(cause) else { continue };
        let page = rule.page;
        line.whole(|w| {
            w.word(key!("schema"), "handshark-explain/1");
            w.word(key!("cause"), cause.slug());
            w.word(key!("family"), cause.family().name());
            w.text(key!("title"), page.title);
            w.text(key!("meaning"), page.meaning);
            w.text(key!("recognised"), page.recognised);
            w.text(key!("looks_the_same"), page.confused_with);
            w.text(key!("check"), page.check);
            w.texts(key!("against"), rule.against.iter().map(|counter| against(*counter)));
            w.objects(key!("fixes"), page.fixes(), |w, (situation, text)| {
                w.text(key!("situation"), situation);
                w.text(key!("text"), text);
            });
            w.objects(key!("known_as"), page.sayings(), |w, (who, what)| {
                w.text(key!("who"), who);
                w.text(key!("what"), what);
            });
            w.texts(key!("references"), page.sources());
        });
        line.out.push(b'\n');
    }
    out.write_all(&line.out)?;
    out.flush().map(Ok)
}

/// Prints the causes that a search found, with what fits.
fn matches(out: &mut dyn Write, layout: &Layout, found: &[(Cause, Option<&'static str>)]) -> io::Result<()> {
    let palette = layout.palette;
    for (cause, said) in found {
        let title = rules::of(*cause).map_or("", |rule| rule.page.title);
        layout.flow(out, 0, 4, &[(palette.strong, cause.slug()), (palette.dim, "  "), (Style::new(), title)])?;
        if let Some(said) = said {
            layout.flow(out, 4, 6, &[(palette.dim, said)])?;
        }
    }
    writeln!(out)?;
    layout.prose(out, 0, "A capture shows which of them it was. `handshark explain CAUSE` explains what a cause means, how it is recognised and how to fix it.")
}

/// Prints the page of a cause.
pub fn page(out: &mut dyn Write, layout: &Layout, cause: Cause) -> io::Result<()> {
    let palette = layout.palette;
    layout.flow(
        out,
        0,
        0,
        &[(palette.bad, cause.slug()), (palette.dim, "  ("), (palette.dim, cause.family().name()), (palette.dim, ")")],
    )?;
    match rules::of(cause) {
        Some(rule) => rule_page(out, layout, rule),
        None => layout.prose(out, 0, "This cause is reserved in the schema; no rule reports it yet."),
    }
}

fn rule_page(out: &mut dyn Write, layout: &Layout, rule: &About) -> io::Result<()> {
    let page = rule.page;
    layout.heading(out, 0, page.title)?;
    for (heading, text) in page.parts() {
        section(out, layout, heading, text)?;
    }
    if !rule.against.is_empty() {
        writeln!(out)?;
        layout.heading(out, 0, "What would speak against it")?;
        for counter in rule.against {
            layout.flow(out, 2, 4, &[(Style::new(), &against(*counter))])?;
        }
    }
    writeln!(out)?;
    layout.heading(out, 0, "How to fix it")?;
    for (situation, text) in page.fixes() {
        layout.flow(out, 2, 2, &[(layout.palette.strong, situation)])?;
        paragraphs(out, layout, 4, text)?;
    }
    if page.sayings().next().is_some() {
        writeln!(out)?;
        layout.heading(out, 0, "Known as")?;
        for (who, what) in page.sayings() {
            layout.flow(out, 2, 4, &[(layout.palette.dim, who), (layout.palette.dim, ": "), (Style::new(), what)])?;
        }
    }
    writeln!(out)?;
    layout.heading(out, 0, "References")?;
    for reference in page.sources() {
        layout.flow(out, 2, 4, &[(Style::new(), reference)])?;
    }
    Ok(())
}

/// Prints all causes by family, a line each.
pub fn list(out: &mut dyn Write, layout: &Layout) -> io::Result<()> {
    let palette = layout.palette;
    let column = Cause::ALL.iter().map(|cause| width(cause.slug())).max().unwrap_or_default().saturating_add(4);
    for (index, (family, causes)) in families().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        layout.heading(out, 0, family.name())?;
        for cause in causes {
            let gap = " ".repeat(column.saturating_sub(2).saturating_sub(width(cause.slug())));
            let title = rules::of(cause).map_or("", |rule| rule.page.title);
            layout.flow(out, 2, column, &[(Style::new(), cause.slug()), (Style::new(), &gap), (palette.dim, title)])?;
        }
    }
    writeln!(out)?;
    layout.prose(
        out,
        0,
        "`handshark explain CAUSE` tells what a cause means, how it is recognised and how to fix it; `handshark explain WORDS` finds causes by an alert (48, unknown_ca) or by what a program said.",
    )
}

/// A fact that would speak against a cause, and what becomes of it then.
fn against(Counter { fact, effect }: Counter) -> String {
    let effect = match effect {
        Effect::Told => "is mentioned beside it",
        Effect::Lowers => "makes it less sure",
        Effect::Drops => "refutes it",
    };
    let fact = fact.words();
    let (first, rest) = fact.split_at_checked(1).unwrap_or_default();
    format!("{}{rest}: {effect}.", first.to_uppercase())
}

/// One block of a page's text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// Its lines in one.
    Paragraph(String),
    /// A line each.
    Commands(Vec<&'static str>),
}

/// Splits a page's text into paragraphs (lines joined, escapes undone) and blocks of commands.
pub(super) fn blocks(text: &'static str) -> Vec<Block> {
    let mut out: Vec<Block> = Vec::new();
    let mut fenced = false;
    let mut fresh = true;
    for line in text.lines() {
        match (line, out.last_mut()) {
            (fence, _) if fence.starts_with("```") => {
                fenced = !fenced;
                if fenced {
                    out.push(Block::Commands(Vec::new()));
                }
                fresh = true;
            }
            (command, Some(Block::Commands(commands))) if fenced => commands.push(command),
            ("", _) => fresh = true,
            (line, Some(Block::Paragraph(paragraph))) if !fresh => {
                paragraph.push(' ');
                paragraph.push_str(&line.replace("\\<", "<"));
            }
            (line, _) => {
                out.push(Block::Paragraph(line.replace("\\<", "<")));
                fresh = false;
            }
        }
    }
    out
}

fn section(out: &mut dyn Write, layout: &Layout, heading: &str, text: &'static str) -> io::Result<()> {
    if text.trim().is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    layout.heading(out, 0, heading)?;
    paragraphs(out, layout, 2, text)
}

fn paragraphs(out: &mut dyn Write, layout: &Layout, indent: usize, text: &'static str) -> io::Result<()> {
    let mut after_paragraph = false;
    for block in blocks(text) {
        let is_paragraph = matches!(block, Block::Paragraph(_));
        if after_paragraph && is_paragraph {
            writeln!(out)?;
        }
        after_paragraph = is_paragraph;
        match block {
            Block::Paragraph(paragraph) => layout.prose(out, indent, &paragraph)?,
            Block::Commands(commands) => {
                for command in commands {
                    layout.command(out, indent.saturating_add(2), command)?;
                }
            }
        }
    }
    Ok(())
}

/// The causes of each family, both in the order of judgement.
fn families() -> impl Iterator<Item = (Family, Vec<Cause>)> {
    rules::FAMILIES.iter().map(|rules| (rules.family, rules.about().iter().map(|about| about.cause).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::style::Palette;

    fn layout() -> Layout {
        Layout::new(Some(80), Palette::PLAIN)
    }

    #[test]
    fn slugs_are_found_and_typos_answered() {
        assert_eq!(find("certificate-expired"), Ok(Cause::CertificateExpired));
        assert_eq!(find(" Certificate_Expired"), Ok(Cause::CertificateExpired));
        let error = find("certificate-expird").unwrap_err();
        assert!(error.contains("did you mean certificate-expired"), "{error}");
        assert!(find("\x1b[2J").unwrap_err().contains("\\u{1b}"));
    }

    #[test]
    fn the_list_holds_every_cause_once() {
        let mut out = Vec::new();
        list(&mut out, &layout()).unwrap();
        let text = String::from_utf8(out).unwrap();
        for cause in Cause::ALL {
            assert_eq!(text.lines().filter(|line| line.split_whitespace().next() == Some(cause.slug())).count(), 1, "{cause}");
        }
        assert!(text.lines().all(|line| width(line) <= 80), "{text}");
    }

    #[test]
    fn every_page_can_be_printed_and_fits() {
        for &cause in Cause::ALL {
            let mut out = Vec::new();
            page(&mut out, &layout(), cause).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert!(text.starts_with(cause.slug()));
            assert!(text.lines().all(|line| width(line) <= 80 || line.trim_start().starts_with("$ ")), "{text}");
        }
    }

    const RULE: About = About {
        cause: Cause::CertificateExpired,
        against: &[],
        page: &crate::diagnosis::page::Page {
            title: "the server's certificate had expired when it was served",
            family: "certificate",
            meaning: "The certificate's notAfter lies before the time of the handshake.\nClients that check it leave.\n\nThe key is not at fault.",
            recognised: "Up to TLS 1.2 the certificate is in clear.",
            confused_with: "",
            check: "What does the server serve now?\n\n```sh\nopenssl s_client -connect '<host>:443' -servername '<host>' </dev/null\n```",
            fix: "### In general\n\nRenew \\<host>, reload.\n\n### nginx\n\n```sh\nnginx -t\nsystemctl reload nginx\n```",
            known_as: "- alert: 45 certificate_expired",
            references: "- RFC 5280 section 4.1.2.5",
        },
    };

    #[test]
    fn a_page_has_its_parts_in_order_and_no_empty_ones() {
        let mut out = Vec::new();
        rule_page(&mut out, &layout(), &RULE).unwrap();
        let text = String::from_utf8(out).unwrap();
        let expected = "\
the server's certificate had expired when it was served

What it means
  The certificate's notAfter lies before the time of the handshake. Clients that
  check it leave.

  The key is not at fault.

How it is recognised
  Up to TLS 1.2 the certificate is in clear.

What to check first
  What does the server serve now?
    $ openssl s_client -connect '<host>:443' -servername '<host>' </dev/null

How to fix it
  In general
    Renew <host>, reload.
  nginx
      $ nginx -t
      $ systemctl reload nginx

Known as
  alert: 45 certificate_expired

References
  RFC 5280 section 4.1.2.5
";
        assert_eq!(text, expected);
    }

    #[test]
    fn paragraphs_are_joined_and_commands_kept() {
        let text = "One\ntwo \\<x>.\n\n```sh\na <x>\nb\n```\n\nThree.\n\nFour.";
        assert_eq!(
            blocks(text),
            [
                Block::Paragraph("One two <x>.".into()),
                Block::Commands(vec!["a <x>", "b"]),
                Block::Paragraph("Three.".into()),
                Block::Paragraph("Four.".into())
            ]
        );
    }

    #[test]
    fn the_document_names_every_cause_and_its_page() {
        let text = causes_markdown();
        for cause in Cause::ALL {
            assert_eq!(text.lines().filter(|line| line.starts_with(&format!("- [`{cause}`](causes/{cause}.md): "))).count(), 1, "{cause}");
        }
    }

    #[test]
    fn words_lead_to_a_page_or_to_a_choice() {
        let shown = |words: &str| {
            let mut out = Vec::new();
            let found = about(&mut out, &layout(), words).unwrap();
            (found, String::from_utf8(out).unwrap())
        };
        assert!(shown("certificate_expired").1.starts_with("certificate-expired  (certificate)"), "a cause's name goes before an alert's");
        let (found, text) = shown("48");
        assert!(found.is_ok() && text.contains("certificate-untrusted-ca") && text.contains("48 unknown_ca"), "{text}");
        assert!(shown("certificate-expird").0.unwrap_err().contains("did you mean certificate-expired"));
    }
}
