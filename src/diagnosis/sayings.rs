//! What programs say of each cause: one table, the `Known as` of the pages. Errors that people search for and lines of logs are looked up here.

use super::cause::Cause;
use super::page::Page;
use super::rules;

/// Something that a program says, and the cause of which it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saying {
    /// The cause.
    pub cause: Cause,
    /// What is said, word for word.
    pub what: &'static str,
}

/// What a line of a log says by this table: of the TLS libraries' sayings in it the longest, and where it has none the longest of a program's own,
/// for each cause of which they say so. A program's own words stand around a library's reason. Names of alerts alone are none.
pub fn in_line(line: &str) -> Vec<Saying> {
    let line = plain(line);
    let mut found: Vec<((bool, usize), Saying)> = Vec::new();
    for &cause in Cause::ALL {
        let Some(about) = rules::of(cause) else { continue };
        for (who, what) in about.page.sayings().filter(|(who, _)| !matches!(*who, "alert" | "symptom")) {
            let said = plain(what);
            if said.trim().len() >= LONG_ENOUGH && line.contains(&said) {
                found.push(((LIBRARIES.contains(&who), said.len()), Saying { cause, what }));
            }
        }
    }
    let best = found.iter().map(|(rank, _)| *rank).max().unwrap_or_default();
    found.retain(|(rank, _)| *rank == best);
    found.dedup_by_key(|(_, saying)| saying.cause);
    found.into_iter().map(|(_, saying)| saying).collect()
}

/// Whether a page's programs say this, and in which words: `text` is in the form of [`plain`].
pub fn of_page(page: &Page, text: &str) -> Option<&'static str> {
    page.sayings().find(|(who, what)| is_said(who, what, text)).map(|(_, what)| what)
}

/// Whether somebody says this, or it stands in what somebody says, or it holds what somebody says.
fn is_said(who: &str, what: &str, text: &str) -> bool {
    let said = plain(what);
    // The name of an alert without its number.
    let said = if who == "alert" { said.trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit()) } else { said.trim() };
    let long = |text: &str| text.len() >= LONG_ENOUGH;
    let said = said.trim();
    let wanted = text.trim();
    long(said) && text.contains(&format!(" {said} ")) || format!(" {said} ").contains(text) && (long(wanted) || said == wanted)
}

/// In small letters, with words and numbers only, a space between them and around.
pub fn plain(text: &str) -> String {
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

/// Who says why, as pages name them; other programs say that something failed.
const LIBRARIES: &[&str] =
    &["OpenSSL", "BoringSSL", "GnuTLS", "rustls", "Schannel", "Java", "Go", "Python", "Node.js", "Firefox", "Chromium"];

/// Letters of a text that tells something when it stands in another.
const LONG_ENOUGH: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn causes(line: &str) -> Vec<Cause> {
        in_line(line).into_iter().map(|saying| saying.cause).collect()
    }

    #[test]
    fn the_longest_saying_of_a_line_counts() {
        let nginx = "[info] 7#7: *3 SSL_do_handshake() failed (SSL: error:0A0000C1:SSL routines::no shared cipher) while SSL handshaking";
        assert!(causes(nginx).contains(&Cause::NoCommonCipher), "{:?}", in_line(nginx));
        let missing = "SSL_accept error: error:0A0000C7:SSL routines::peer did not return a certificate";
        assert_eq!(causes(missing), [Cause::ClientCertificateMissing]);
    }

    #[test]
    fn a_library_knows_better_than_the_program_around_it() {
        let haproxy = "10.0.0.1:4000 [29/Nov/2026:08:08:25.141] f/1: SSL handshake failure (error:0A0000C1:SSL routines::no shared cipher)";
        assert_eq!(causes(haproxy), causes("no shared cipher"));
    }

    #[test]
    fn a_line_that_says_nothing_of_tls_has_no_cause() {
        assert!(causes("GET / HTTP/1.1 200 31").is_empty());
        assert!(causes("handshake").is_empty() && causes("").is_empty());
    }
}
