//! What is said to the user beside the output: errors, notes, progress. The only way to standard error.
//!
//! Names of files and interfaces are strangers' words, too: whatever is said is escaped as the output is.

use std::fmt::Display;
use std::io::{self, Write};

use super::escape::escape;

/// Says one sentence, on a line of its own. Line breaks in it are escaped like all else that acts on a terminal.
pub fn say(sentence: impl Display) {
    write(&format!("handshark: {}\n", escape(&sentence.to_string())));
}

/// Says a text of several lines as it is; what else acts on a terminal is escaped.
pub fn say_lines(text: &str) {
    write(&lines(text));
}

fn lines(text: &str) -> String {
    text.lines().fold(String::new(), |out, line| out + &escape(line) + "\n")
}

#[allow(clippy::disallowed_methods, reason = "what comes here is escaped")]
fn write(text: &str) {
    // Whoever closed standard error does not want to hear it.
    let _ = io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_lines() {
        assert_eq!(lines("error: a\x1b[2J\n  b\u{202e}\r\n\n  ^\n"), "error: a\\x1b[2J\n  b\\u{202e}\n\n  ^\n");
    }
}
