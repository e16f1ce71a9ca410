//! Finds causes by what people know them by.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::page::Page;
use crate::diagnosis::rules;

/// The causes that these words fit, the best first, each with what fits where that is more than its title: an alert by number or name; what a
/// program said, whole, in part, or with more around it, as a line of a log has it; words of a page.
pub fn search(words: &str) -> Vec<(Cause, Option<&'static str>)> {
    let wanted = Words::of(words);
    if wanted.text.trim().is_empty() {
        return Vec::new();
    }
    let mut found: Vec<(Fit, Cause, Option<&'static str>)> = Cause::ALL
        .iter()
        .filter_map(|&cause| {
            let (fit, said) = wanted.fit(rules::of(cause)?.page)?;
            Some((fit, cause, said))
        })
        .collect();
    let best = found.iter().map(|(fit, ..)| *fit).min();
    found.retain(|(fit, ..)| Some(*fit) == best);
    found.truncate(MOST);
    found.into_iter().map(|(_, cause, said)| (cause, said)).collect()
}

/// How well a cause fits, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Said,
    Title,
    Page,
}

/// What is looked for.
struct Words {
    /// In small letters, words between single spaces, with a space around.
    text: String,
    /// An alert by its number alone.
    alert: Option<u8>,
}

impl Words {
    fn of(words: &str) -> Self {
        let text = plain(words);
        let alert = text.trim().trim_start_matches("alert ").parse().ok();
        Self { text, alert }
    }

    fn fit(&self, page: &Page) -> Option<(Fit, Option<&'static str>)> {
        let said = page.sayings().find(|(who, what)| self.is_said(who, what)).map(|(_, what)| what);
        if said.is_some() || self.alert.is_some() {
            return said.map(|what| (Fit::Said, Some(what)));
        }
        if plain(page.title).contains(self.text.trim()) {
            return Some((Fit::Title, None));
        }
        let text = [page.title, page.meaning, page.recognised, page.known_as].map(plain).concat();
        self.text.split_whitespace().all(|word| text.contains(word)).then_some((Fit::Page, None))
    }

    /// Somebody said this, or it stands in what somebody said.
    fn is_said(&self, who: &str, what: &str) -> bool {
        let said = plain(what);
        if let Some(alert) = self.alert {
            return who == "alert" && said.trim().split(' ').next() == Some(alert.to_string().as_str());
        }
        // The name of an alert without its number.
        let said = if who == "alert" { said.trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit()) } else { said.trim() };
        let long = |text: &str| text.len() >= LONG_ENOUGH;
        let wanted = self.text.trim();
        long(said) && self.text.contains(&format!(" {said} "))
            || format!(" {said} ").contains(&self.text) && (long(wanted) || said == wanted)
    }
}

/// In small letters, with words and numbers only, a space between them and around.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    out.push(' ');
    for c in text.chars() {
        if c.is_alphanumeric() {
            out.extend(c.to_lowercase());
        } else if !out.ends_with(' ') {
            out.push(' ');
        }
    }
    if !out.ends_with(' ') {
        out.push(' ');
    }
    out
}

/// Causes found at most.
const MOST: usize = 16;

/// Letters of a text that tells something when it stands in another.
const LONG_ENOUGH: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn found(words: &str) -> Vec<Cause> {
        search(words).into_iter().map(|(cause, _)| cause).collect()
    }

    #[test]
    fn an_alert_is_found_by_number_and_by_name() {
        let of_48 = found("48");
        assert!(of_48.contains(&Cause::CertificateUntrustedCa) && !of_48.contains(&Cause::CertificateExpired), "{of_48:?}");
        assert_eq!(found("alert 48"), of_48);
        assert!(found("unknown_ca").contains(&Cause::CertificateUntrustedCa));
        assert_eq!(found("112"), found("unrecognized_name"));
        assert!(found("200").is_empty(), "no alert has this number");
    }

    #[test]
    fn what_a_program_said_is_found_in_part_and_with_more_around_it() {
        assert!(found("NET::ERR_CERT_DATE_INVALID").contains(&Cause::CertificateExpired));
        let log = "2026/01/02 curl: (60) SSL certificate problem: certificate has expired; retrying";
        assert!(found(log).contains(&Cause::CertificateExpired));
        assert!(found("unable to find valid certification path").contains(&Cause::CertificateUntrustedCa));
        assert!(found("wrong version number").contains(&Cause::ServerSpeaksPlaintext));
    }

    #[test]
    fn words_of_a_page_are_found_and_nonsense_is_not() {
        assert_eq!(found("MTU black hole"), [Cause::PathMtuBlackHole]);
        assert!(found("black hole vpn").contains(&Cause::PathMtuBlackHole));
        assert!(found("  ").is_empty() && found("xyzzy").is_empty());
    }
}
