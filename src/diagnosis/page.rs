//! The pages of the causes: a file of Markdown each, in `docs/causes`, taken in when the crate is compiled.
//!
//! A page is read by the compiler: one that lacks a part, or has its parts in another order, does not compile.

/// The page of a cause, in Markdown: paragraphs, and commands in blocks that are fenced as `sh`. Names to fill in stand in angle brackets, in
/// quotes where they are part of a command.
#[derive(Debug)]
pub struct Page {
    /// What happened, for headlines: lower case, no full stop.
    pub title: &'static str,
    /// The family's name.
    pub family: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// How it is recognised in the packets.
    pub recognised: &'static str,
    /// What else looks the same, and what would tell them apart.
    pub confused_with: &'static str,
    /// What to check first.
    pub check: &'static str,
    /// How to fix it: headings of the third level name a product or a situation, the general case first.
    pub fix: &'static str,
    /// By what people know it: a list of alerts and of what programs say; empty where they say nothing of their own.
    pub known_as: &'static str,
    /// A list of RFC sections and other references.
    pub references: &'static str,
}

/// The page of this slug.
macro_rules! page {
    ($slug:literal) => {
        $crate::diagnosis::page::Page::read(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/causes/", $slug, ".md")))
    };
}
pub(crate) use page;

impl Page {
    /// Reads a page's text.
    ///
    /// # Panics
    /// When a part is missing, which ends the compilation.
    pub(crate) const fn read(text: &'static str) -> Self {
        let (_, rest) = cut(text, "---\ntitle: ");
        let (title, rest) = cut(rest, "\nfamily: ");
        let (family, rest) = cut(rest, "\n---\n");
        let (_, rest) = cut(rest, "\n## What it means\n");
        let (meaning, rest) = cut(rest, "\n## How it is recognised\n");
        let (recognised, rest) = cut(rest, "\n## What looks the same\n");
        let (confused_with, rest) = cut(rest, "\n## What to check first\n");
        let (check, rest) = cut(rest, "\n## How to fix it\n");
        let (fix, references) = cut(rest, "\n## References\n");
        let (fix, known_as) = if contains(fix, KNOWN_AS) { cut(fix, KNOWN_AS) } else { (fix, "") };
        Self {
            title: title.trim_ascii(),
            family: family.trim_ascii(),
            meaning: meaning.trim_ascii(),
            recognised: recognised.trim_ascii(),
            confused_with: confused_with.trim_ascii(),
            check: check.trim_ascii(),
            fix: fix.trim_ascii(),
            known_as: known_as.trim_ascii(),
            references: references.trim_ascii(),
        }
    }

    /// What comes before the ways to fix it: headings and texts.
    pub const fn parts(&self) -> [(&'static str, &'static str); 4] {
        [
            ("What it means", self.meaning),
            ("How it is recognised", self.recognised),
            ("What looks the same", self.confused_with),
            ("What to check first", self.check),
        ]
    }

    /// The ways to fix it: product or situation, and what to do there.
    pub fn fixes(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let parts = self.fix.strip_prefix("### ").unwrap_or_default().split("\n### ");
        parts.filter_map(|part| part.split_once('\n')).map(|(who, what)| (who.trim(), what.trim()))
    }

    /// By what people know it: who says it (`alert`, `OpenSSL`, `curl`…), and what.
    pub fn sayings(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        items(self.known_as).filter_map(|item| item.split_once(": ")).map(|(who, what)| (who, what.trim_matches('`')))
    }

    /// Its references.
    pub fn sources(&self) -> impl Iterator<Item = &'static str> {
        items(self.references)
    }
}

/// The items of a list, a line each.
fn items(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.lines().filter_map(|line| line.strip_prefix("- "))
}

const KNOWN_AS: &str = "\n## Known as\n";

/// What stands before and behind a mark.
#[allow(clippy::panic, reason = "ends the compilation, where all pages are read")]
const fn cut(text: &'static str, mark: &str) -> (&'static str, &'static str) {
    match find(text.as_bytes(), mark.as_bytes()) {
        Some(at) => (text.split_at(at).0, text.split_at(at + mark.len()).1),
        None => panic!("a page lacks a part, or its parts stand in another order"),
    }
}

const fn contains(text: &str, mark: &str) -> bool {
    find(text.as_bytes(), mark.as_bytes()).is_some()
}

/// Where a mark begins first.
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "below the lengths, and while the crate is compiled")]
const fn find(text: &[u8], mark: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at + mark.len() <= text.len() {
        let mut same = 0;
        while same < mark.len() && text[at + same] == mark[same] {
            same += 1;
        }
        if same == mark.len() {
            return Some(at);
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "---\ntitle: it broke\nfamily: path\n---\n\n# broken\n\n## What it means\n\nOne.\n\n## How it is recognised\n\nTwo.\n\n\
        ## What looks the same\n\nThree.\n\n## What to check first\n\nFour.\n\n```sh\nping <host>\n```\n\n## How to fix it\n\n### any\n\nFive.\n\n### nginx\n\nSix.\n\n\
        ## Known as\n\n- alert: 40 handshake_failure\n- curl: `(35) no: really`\n\n## References\n\n- RFC 1\n- RFC 2\n";

    #[test]
    fn a_page_is_read_in_parts() {
        const PAGE: Page = Page::read(TEXT);
        assert_eq!(
            (PAGE.title, PAGE.family, PAGE.meaning, PAGE.recognised, PAGE.confused_with),
            ("it broke", "path", "One.", "Two.", "Three.")
        );
        assert_eq!(PAGE.check, "Four.\n\n```sh\nping <host>\n```");
        assert_eq!(PAGE.fixes().collect::<Vec<_>>(), [("any", "Five."), ("nginx", "Six.")]);
        assert_eq!(PAGE.sayings().collect::<Vec<_>>(), [("alert", "40 handshake_failure"), ("curl", "(35) no: really")]);
        assert_eq!(PAGE.sources().collect::<Vec<_>>(), ["RFC 1", "RFC 2"]);
    }

    #[test]
    #[should_panic(expected = "lacks a part")]
    fn a_page_without_a_part_is_refused() {
        let _ = Page::read("---\ntitle: it broke\nfamily: path\n---\n\n## What it means\n");
    }
}
