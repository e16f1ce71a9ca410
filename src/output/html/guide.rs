//! The pages of the causes that were found, folded up: what `handshark explain` shows.

use maud::{Markup, html};

use super::Gathered;
use super::parts::command;
use crate::diagnosis::page::Page;
use crate::diagnosis::rules;
use crate::output::explain::{Block, blocks};

/// What is known of each cause, the most frequent first.
pub(super) fn guide(gathered: &Gathered) -> Markup {
    let causes = gathered.tally.causes();
    if causes.is_empty() {
        return html! {};
    }
    let pages = causes.into_iter().filter_map(|(slug, _)| Some((slug, rules::of(slug.parse().ok()?)?.page)));
    html! {
        section aria-labelledby="h-guide" {
            h2 #h-guide { "What these causes mean" }
            @for (slug, page) in pages {
                details id=(format!("about-{slug}")) {
                    summary { (slug) ": " (page.title) }
                    (self::page(page))
                }
            }
        }
    }
}

fn page(page: &Page) -> Markup {
    html! {
        @for (heading, text) in page.parts() {
            h3 { (heading) }
            (prose(text))
        }
        h3 { "How to fix it" }
        @for (situation, text) in page.fixes() {
            h4 { (situation) }
            (prose(text))
        }
        h3 { "References" }
        ul { @for source in page.sources() { li { (source) } } }
    }
}

fn prose(text: &'static str) -> Markup {
    html! {
        @for block in blocks(text) {
            @match block {
                Block::Paragraph(paragraph) => p { (paragraph) },
                Block::Commands(commands) => (command(&commands.join("\n"))),
            }
        }
    }
}
