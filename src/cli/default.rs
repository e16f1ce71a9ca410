//! `handshark FILE` is `handshark read FILE`, and `handshark --color never show FILE` is `handshark show --color never FILE`.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// Puts `read` before the arguments when they name no subcommand, unless they ask for the program's own help or version, or look like a
/// subcommand misspelt. A subcommand behind options is put before them: they are its own.
pub(super) fn with_subcommand(command: &clap::Command, mut arguments: Vec<OsString>) -> Vec<OsString> {
    match named(command, &arguments) {
        Named::First => {}
        Named::Behind(place) => {
            if let Some(behind) = arguments.get_mut(1..=place) {
                behind.rotate_right(1);
            }
        }
        Named::Nowhere => arguments.insert(1, OsString::from(READ)),
    }
    arguments
}

/// Where a subcommand is named.
enum Named {
    /// Before all else, where it need not be spelt rightly.
    First,
    /// Behind options, at this place.
    Behind(usize),
    Nowhere,
}

fn named(command: &clap::Command, arguments: &[OsString]) -> Named {
    let mut rest = arguments.iter().enumerate().skip(1);
    let Some(first) = arguments.get(1) else { return Named::First };
    if ["-h", "--help", "-V", "--version"].iter().any(|word| first == word) {
        return Named::First;
    }
    while let Some((place, argument)) = rest.next() {
        if argument == "--" {
            break;
        }
        if is_option(argument) {
            // Its value is not the word looked for.
            if takes_next(command, argument) {
                rest.next();
            }
            continue;
        }
        let word = argument.to_string_lossy();
        return match place {
            1 if is_subcommand(command, &word) || is_misspelt(command, &word) => Named::First,
            1 => Named::Nowhere,
            // A file of this name is meant where there is one.
            _ if is_subcommand(command, &word) && !Path::new(argument).exists() => Named::Behind(place),
            _ => Named::Nowhere,
        };
    }
    Named::Nowhere
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

/// Whether an option takes the next argument as its value: one of `read`, or else of whichever subcommand has it.
fn takes_next(command: &clap::Command, argument: &OsStr) -> bool {
    let text = argument.to_string_lossy();
    if text.contains('=') {
        return false;
    }
    let known = || command.find_subcommand(READ).into_iter().chain(command.get_subcommands()).flat_map(clap::Command::get_arguments);
    let found = if let Some(long) = text.strip_prefix("--") {
        known().find(|arg| arg.get_long() == Some(long))
    } else {
        // `-af FILTER`: the last of a cluster; in `-fFILTER` the value follows at once.
        let cluster = || text.chars().skip(1);
        let of = |letter: char| known().find(move |arg| arg.get_short() == Some(letter));
        let first = cluster().position(|letter| of(letter).is_some_and(|arg| arg.get_action().takes_values()));
        if first.is_some_and(|place| place.saturating_add(1) < cluster().count()) {
            return false;
        }
        cluster().last().and_then(of)
    };
    found.is_some_and(|arg| arg.get_action().takes_values())
}

const READ: &str = "read";
