//! `handshark FILE` is `handshark read FILE`.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// Puts `read` before the arguments when they name no subcommand, unless they ask for the program's own help or version, or look like a
/// subcommand misspelt.
pub(super) fn with_subcommand(command: &clap::Command, mut arguments: Vec<OsString>) -> Vec<OsString> {
    if !names_subcommand(command, &arguments) {
        arguments.insert(1, OsString::from(READ));
    }
    arguments
}

fn names_subcommand(command: &clap::Command, arguments: &[OsString]) -> bool {
    let mut rest = arguments.iter().skip(1);
    let Some(first) = arguments.get(1) else { return true };
    if ["-h", "--help", "-V", "--version"].iter().any(|word| first == word) {
        return true;
    }
    while let Some(argument) = rest.next() {
        if argument == "--" {
            return false;
        }
        if is_option(argument) {
            // Its value is not the word looked for.
            if takes_next(command, argument) {
                rest.next();
            }
            continue;
        }
        let word = argument.to_string_lossy();
        // A subcommand behind options of `read` is a file's name: `handshark --json explain`.
        return argument == first && (is_subcommand(command, &word) || is_misspelt(command, &word));
    }
    false
}

fn is_option(argument: &OsStr) -> bool {
    argument.as_encoded_bytes().starts_with(b"-") && argument != "-"
}

fn is_subcommand(command: &clap::Command, word: &str) -> bool {
    word == "help" || command.get_subcommands().any(|sub| sub.get_name() == word)
}

/// Close to a subcommand's name, and no file of this name is there.
fn is_misspelt(command: &clap::Command, word: &str) -> bool {
    let alike = command.get_subcommands().any(|sub| !sub.is_hide_set() && strsim::damerau_levenshtein(&clipped(word), sub.get_name()) <= 2);
    alike && word.len() > 2 && !word.contains(['.', '/']) && !Path::new(word).exists()
}

/// The comparison is quadratic in the length.
fn clipped(word: &str) -> String {
    word.chars().take(32).collect()
}

/// Whether an option of `read` takes the next argument as its value.
fn takes_next(command: &clap::Command, argument: &OsStr) -> bool {
    let text = argument.to_string_lossy();
    if text.contains('=') {
        return false;
    }
    let Some(read) = command.find_subcommand(READ) else { return false };
    let found = if let Some(long) = text.strip_prefix("--") {
        read.get_arguments().find(|arg| arg.get_long() == Some(long))
    } else {
        // `-af FILTER`: the last of a cluster; in `-fFILTER` the value follows at once.
        let cluster = || text.chars().skip(1);
        let of = |letter: char| read.get_arguments().find(move |arg| arg.get_short() == Some(letter));
        let first = cluster().position(|letter| of(letter).is_some_and(|arg| arg.get_action().takes_values()));
        if first.is_some_and(|place| place.saturating_add(1) < cluster().count()) {
            return false;
        }
        cluster().last().and_then(of)
    };
    found.is_some_and(|arg| arg.get_action().takes_values())
}

const READ: &str = "read";
