//! What a mistyped command line was meant to be, where the parser's own guess misleads.

use std::ffi::OsString;
use std::path::Path;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::output::suggest::near;

/// Adds what the arguments show to a mistake in them.
pub(super) fn add(error: &mut clap::Error, command: &mut clap::Command, arguments: &[OsString]) {
    let first = arguments.get(1).map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    let invalid = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(word)) => word.clone(),
        _ => String::new(),
    };
    let mut tips: Vec<&str> = Vec::new();
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let names = command.get_subcommands().filter(|sub| !sub.is_hide_set()).map(clap::Command::get_name);
            let alike: Vec<String> = near(&first, names).into_iter().map(str::to_owned).collect();
            if !alike.is_empty() {
                error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(alike));
            }
            return;
        }
        ErrorKind::UnknownArgument if first == "live" && !invalid.starts_with('-') => {
            tips.push(if Path::new(&invalid).exists() {
                "live watches interfaces; a capture is read by `handshark FILE`"
            } else {
                "an interface is named with -i: `handshark live -i IFACE`; `handshark interfaces` lists them"
            });
        }
        ErrorKind::UnknownArgument if matches!(&*first, "read" | "") && matches!(&*invalid, "-i" | "--interface") => {
            tips.push("interfaces are watched by `handshark live -i IFACE`");
        }
        ErrorKind::UnknownArgument if invalid.starts_with("--") => match OTHERWISE.iter().find(|(word, _)| *word == invalid) {
            Some((_, tip)) => {
                forget_guess(error, command, &first);
                tips.push(tip);
            }
            None if guess_is_far(error, &invalid) => forget_guess(error, command, &first),
            None => {}
        },
        ErrorKind::UnknownArgument | ErrorKind::MissingRequiredArgument | ErrorKind::InvalidValue | ErrorKind::ArgumentConflict => {}
        _ => return,
    }
    // The word is a command even where a file has its name.
    if command.find_subcommand(&first).is_some() && Path::new(&first).is_file() {
        tips.push("the file that is named like this command is read with its path: `handshark ./FILE`");
    }
    if !tips.is_empty() {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips.into_iter().map(StyledStr::from).collect()));
    }
}

/// What the parser takes for the option that was meant is another one: it looks at how words begin.
fn guess_is_far(error: &clap::Error, invalid: &str) -> bool {
    match error.get(ContextKind::SuggestedArg) {
        Some(ContextValue::String(guess)) => near(invalid.trim_start_matches('-'), [guess.trim_start_matches('-')]).is_empty(),
        _ => false,
    }
}

/// Takes the parser's guess back, and the usage that it shows of it.
fn forget_guess(error: &mut clap::Error, command: &mut clap::Command, name: &str) {
    error.remove(ContextKind::SuggestedArg);
    if let Some(sub) = command.find_subcommand_mut(name) {
        error.insert(ContextKind::Usage, ContextValue::StyledStr(sub.render_usage()));
    }
}

/// What other programs call an option, and what it is here.
const OTHERWISE: &[(&str, &str)] = &[
    ("--pager", "the pager is chosen by `--paging auto|always|never` and the variable PAGER"),
    ("--no-pager", "`--paging never` shows it without a pager"),
];
