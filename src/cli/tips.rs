//! What a mistyped command line was meant to be, where the parser's own guess misleads.

use std::ffi::OsString;
use std::path::Path;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::output::suggest::near;

/// Adds what the arguments show to a mistake in them.
pub(super) fn add(error: &mut clap::Error, command: &clap::Command, arguments: &[OsString]) {
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
