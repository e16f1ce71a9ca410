//! Finds causes by what people know them by.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::page::Page;
use crate::diagnosis::rules;
use crate::diagnosis::sayings::{self, plain};

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
        let said = match self.alert {
            Some(alert) => page.sayings().find(|(who, what)| *who == "alert" && numbered(what) == Some(alert)).map(|(_, what)| what),
            None => sayings::of_page(page, &self.text),
        };
        if said.is_some() || self.alert.is_some() {
            return said.map(|what| (Fit::Said, Some(what)));
        }
        if plain(page.title).contains(self.text.trim()) {
            return Some((Fit::Title, None));
        }
        let text = [page.title, page.meaning, page.recognised, page.known_as].map(plain).concat();
        self.text.split_whitespace().all(|word| text.contains(word)).then_some((Fit::Page, None))
    }
}

/// Causes found at most.
const MOST: usize = 16;

/// The number of an alert that is told as `48 unknown_ca`.
fn numbered(what: &str) -> Option<u8> {
    what.split(' ').next()?.parse().ok()
}

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
