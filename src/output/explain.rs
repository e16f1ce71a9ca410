//! What is known of each cause: the pages of `handshark explain`, the list of all causes, and docs/CAUSES.md.

use std::fmt::Write as _;
use std::io::{self, Write};

use anstyle::Style;

use super::escape::width;
use super::layout::Layout;
use super::suggest::{did_you_mean, near};
use crate::diagnosis::against::{Counter, Effect};
use crate::diagnosis::cause::{Cause, Family};
use crate::diagnosis::remedy::pages::pasteable;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::rules;

/// Finds the cause of a slug; the error says what may have been meant.
pub fn find(slug: &str) -> Result<Cause, String> {
    let wanted = slug.trim().to_lowercase().replace('_', "-");
    wanted.parse().map_err(|()| {
        let suggestions = near(&wanted, Cause::ALL.iter().map(|cause| cause.slug()));
        format!("there is no cause {slug:?}{} (`handshark explain` lists all)", did_you_mean(&suggestions))
    })
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

fn rule_page(out: &mut dyn Write, layout: &Layout, rule: &Rule) -> io::Result<()> {
    let Rule { title, page, .. } = rule;
    layout.heading(out, 0, title)?;
    for (heading, text) in [
        ("What it means", page.meaning),
        ("How it is recognised", page.recognised),
        ("What looks the same", page.confused_with),
        ("What to check first", page.check),
    ] {
        section(out, layout, heading, text)?;
    }
    if !rule.against.is_empty() {
        writeln!(out)?;
        layout.heading(out, 0, "What would speak against it")?;
        for counter in rule.against {
            layout.flow(out, 2, 4, &[(Style::new(), &against(*counter))])?;
        }
    }
    if !page.fix.is_empty() {
        writeln!(out)?;
        layout.heading(out, 0, "How to fix it")?;
        for (situation, text) in page.fix {
            layout.flow(out, 2, 2, &[(layout.palette.strong, situation)])?;
            paragraphs(out, layout, 4, text)?;
        }
    }
    if !page.references.is_empty() {
        writeln!(out)?;
        layout.heading(out, 0, "References")?;
        for reference in page.references {
            layout.flow(out, 2, 4, &[(Style::new(), reference)])?;
        }
    }
    Ok(())
}

/// Prints all causes by family, a line each.
pub fn list(out: &mut dyn Write, layout: &Layout) -> io::Result<()> {
    let palette = layout.palette;
    let column = Cause::ALL.iter().map(|cause| width(cause.slug())).max().unwrap_or_default().saturating_add(4);
    for (index, (family, causes)) in families().into_iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        layout.heading(out, 0, family.name())?;
        for cause in causes {
            let gap = " ".repeat(column.saturating_sub(2).saturating_sub(width(cause.slug())));
            let title = rules::of(cause).map_or("", |rule| rule.title);
            layout.flow(out, 2, column, &[(Style::new(), cause.slug()), (Style::new(), &gap), (palette.dim, title)])?;
        }
    }
    writeln!(out)?;
    layout.prose(out, 0, "`handshark explain CAUSE` tells what a cause means, how it is recognised and how to fix it.")
}

/// The text of docs/CAUSES.md.
pub fn causes_markdown() -> String {
    let mut out = String::from(
        "# Causes\n\nEvery cause that handshark can name, by family, in the order of judgement. `handshark explain CAUSE` prints the same pages.\n",
    );
    // Writing to a String cannot fail.
    for (family, causes) in families() {
        let _ = writeln!(out, "\n## {}\n", family.name());
        for cause in causes {
            let title = rules::of(cause).map_or("", |rule| rule.title);
            let _ = writeln!(out, "- [`{0}`](#{0}){1}{title}", cause.slug(), if title.is_empty() { "" } else { ": " });
        }
    }
    for cause in families().into_iter().flat_map(|(_, causes)| causes) {
        let _ = writeln!(out, "\n## {}", cause.slug());
        if let Some(rule) = rules::of(cause) {
            push_page(&mut out, rule);
        } else {
            out.push_str("\nReserved in the schema; no rule reports it yet.\n");
        }
    }
    out
}

/// A fact that would speak against a cause, and what becomes of it then.
fn against(Counter { fact, effect }: Counter) -> String {
    let effect = match effect {
        Effect::Told => "is told beside it",
        Effect::Lowers => "makes it less sure",
        Effect::Drops => "refutes it",
    };
    let fact = fact.words();
    let (first, rest) = fact.split_at_checked(1).unwrap_or_default();
    format!("{}{rest}: {effect}.", first.to_uppercase())
}

fn push_page(out: &mut String, rule: &Rule) {
    let page = &rule.page;
    let _ = writeln!(out, "\n*{}*", rule.title);
    for (heading, text) in [
        ("What it means", page.meaning),
        ("How it is recognised", page.recognised),
        ("What looks the same", page.confused_with),
        ("What to check first", page.check),
    ] {
        if !text.trim().is_empty() {
            let _ = writeln!(out, "\n**{heading}.**");
            push_paragraphs(out, text);
        }
    }
    if !rule.against.is_empty() {
        out.push_str("\n**What would speak against it.**\n\n");
        for counter in rule.against {
            let _ = writeln!(out, "- {}", against(*counter));
        }
    }
    if !page.fix.is_empty() {
        out.push_str("\n**How to fix it.**\n");
        for (situation, text) in page.fix {
            let _ = writeln!(out, "\n*{situation}*");
            push_paragraphs(out, text);
        }
    }
    if !page.references.is_empty() {
        let _ = writeln!(out, "\nReferences: {}", page.references.join("; "));
    }
}

/// One block of a page's text.
#[derive(Debug, PartialEq, Eq)]
enum Block {
    Paragraph(String),
    Commands(Vec<String>),
}

/// Splits a page's text into paragraphs (lines joined) and runs of commands (lines that begin with `$ `).
fn blocks(text: &str) -> Vec<Block> {
    let mut out: Vec<Block> = Vec::new();
    let mut fresh = true;
    for line in text.lines().map(str::trim) {
        if line.is_empty() {
            fresh = true;
            continue;
        }
        match (line.strip_prefix("$ "), out.last_mut()) {
            (Some(command), Some(Block::Commands(commands))) => commands.push(pasteable(command)),
            (Some(command), _) => out.push(Block::Commands(vec![pasteable(command)])),
            (None, Some(Block::Paragraph(paragraph))) if !fresh => {
                paragraph.push(' ');
                paragraph.push_str(line);
            }
            (None, _) => out.push(Block::Paragraph(line.to_owned())),
        }
        fresh = false;
    }
    out
}

fn section(out: &mut dyn Write, layout: &Layout, heading: &str, text: &str) -> io::Result<()> {
    if text.trim().is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    layout.heading(out, 0, heading)?;
    paragraphs(out, layout, 2, text)
}

fn paragraphs(out: &mut dyn Write, layout: &Layout, indent: usize, text: &str) -> io::Result<()> {
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
                    layout.command(out, indent.saturating_add(2), &command)?;
                }
            }
        }
    }
    Ok(())
}

fn push_paragraphs(out: &mut String, text: &str) {
    for block in blocks(text) {
        match block {
            // A bare <name> would be HTML.
            Block::Paragraph(paragraph) => {
                let _ = writeln!(out, "\n{}", paragraph.replace('<', "\\<"));
            }
            Block::Commands(commands) => {
                let _ = writeln!(out, "\n```sh\n{}\n```", commands.join("\n"));
            }
        }
    }
}

/// The causes of each family, both in the catalogue's order.
fn families() -> Vec<(Family, Vec<Cause>)> {
    let mut out: Vec<(Family, Vec<Cause>)> = Vec::new();
    for &cause in Cause::ALL {
        match out.iter_mut().find(|(family, _)| *family == cause.family()) {
            Some((_, causes)) => causes.push(cause),
            None => out.push((cause.family(), vec![cause])),
        }
    }
    out
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

    const RULE: Rule = Rule {
        cause: Cause::CertificateExpired,
        speaks: crate::diagnosis::signs::Signs::UNFINISHED,
        against: &[],
        title: "the server's certificate had expired when it was served",
        page: crate::diagnosis::rule::Page {
            meaning: "The certificate's notAfter lies before the time of the handshake.\nClients that check it leave.\n\nThe key is not at fault.",
            recognised: "Up to TLS 1.2 the certificate is in clear.",
            confused_with: "",
            check: "What does the server serve now?\n\n$ openssl s_client -connect <host>:443 -servername <host> </dev/null",
            fix: &[("In general", "Renew <host>, reload."), ("nginx", "$ nginx -t\n$ systemctl reload nginx")],
            references: &["RFC 5280 section 4.1.2.5"],
        },
        check: |_| None,
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

References
  RFC 5280 section 4.1.2.5
";
        assert_eq!(text, expected);

        let mut text = String::new();
        push_page(&mut text, &RULE);
        assert!(text.contains("\n**What to check first.**\n\nWhat does the server serve now?\n\n```sh\nopenssl s_client"), "{text}");
        assert!(text.contains("\n*In general*\n\nRenew \\<host>, reload.\n"), "{text}");
        assert!(!text.contains("What looks the same"), "{text}");
    }

    #[test]
    fn paragraphs_are_joined_and_commands_kept() {
        let text = "One\ntwo.\n$ a\n$ b\nThree.\n\nFour.";
        assert_eq!(
            blocks(text),
            [
                Block::Paragraph("One two.".into()),
                Block::Commands(vec!["a".into(), "b".into()]),
                Block::Paragraph("Three.".into()),
                Block::Paragraph("Four.".into())
            ]
        );
    }

    #[test]
    fn the_document_has_a_section_for_every_cause() {
        let text = causes_markdown();
        for cause in Cause::ALL {
            assert_eq!(text.lines().filter(|line| *line == format!("## {cause}")).count(), 1, "{cause}");
            assert!(text.contains(&format!("(#{cause})")));
        }
    }
}
