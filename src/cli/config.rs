//! Defaults that stand in a configuration file or in the environment: options as on the command line, for every command that knows them.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, Error};

use crate::output::suggest::{did_you_mean, near};

/// An option, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The option without its hyphens: `tz`.
    name: String,
    /// Its value, where one is given.
    value: Option<String>,
    /// Where it stands, for messages: `/home/ann/.config/handshark/config, line 3`.
    place: String,
}

/// Reads a configuration file, one option a line: `--tz=local`, `--no-progress`. Lines that begin with `#` are comments. `name` is the file's, for
/// messages.
pub fn settings(name: &str, text: &str) -> Result<Vec<Setting>, String> {
    let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|(index, line)| {
            let place = format!("{name}, line {}", index.saturating_add(1));
            let Some(option) = line.strip_prefix("--") else {
                return Err(format!("{place}: {line:?} is no option in its long form; write one a line, such as --tz=local"));
            };
            let (name, value) = match option.split_once(['=', ' ']) {
                Some((name, value)) => (name, Some(value.trim().to_owned())),
                None => (option, None),
            };
            Ok(Setting { name: name.to_owned(), value, place })
        })
        .collect()
}

/// What the environment sets: `HANDSHARK_TZ` is `--tz`, `HANDSHARK_NO_PROGRESS=1` is `--no-progress`. What names no option is somebody else's.
pub fn of_environment(variables: impl IntoIterator<Item = (String, String)>) -> Vec<Setting> {
    let command = super::command();
    let mut found: Vec<Setting> = Vec::new();
    for (variable, value) in variables {
        let Some(name) = variable.strip_prefix("HANDSHARK_").map(|name| name.to_ascii_lowercase().replace('_', "-")) else { continue };
        let Some(option) = command.get_subcommands().find_map(|sub| find(sub, &name)) else { continue };
        let takes_value = option.get_action().takes_values();
        if value.is_empty() || (!takes_value && matches!(value.as_str(), "0" | "no" | "false")) {
            continue;
        }
        found.push(Setting { name, value: takes_value.then_some(value), place: variable });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// Puts the settings that this command knows, and that the command line does not decide, between the command and its arguments. Later settings
/// replace earlier ones of the same name, but for those from the same place that may be repeated.
pub(super) fn with_settings(command: &mut Command, arguments: Vec<OsString>, settings: &[Setting]) -> Result<Vec<OsString>, Error> {
    // Mistakes on the command line are told as they are, and so is help.
    let matches = command.clone().try_get_matches_from(&arguments)?;
    for setting in settings {
        if !command.get_subcommands().any(|sub| find(sub, &setting.name).is_some()) {
            let names = command.get_subcommands().flat_map(Command::get_arguments).filter_map(Arg::get_long);
            return Err(wrong(
                command,
                setting,
                &format!("there is no option --{}{}", setting.name, did_you_mean(&near(&setting.name, names))),
            ));
        }
    }
    let Some((name, given)) = matches.subcommand() else { return Ok(arguments) };
    let Some(sub) = command.find_subcommand(name).cloned() else { return Ok(arguments) };
    let mut chosen: BTreeMap<&str, Vec<&Setting>> = BTreeMap::new();
    for setting in settings {
        let Some(option) = find(&sub, &setting.name).filter(|option| is_open(&sub, option, given)) else { continue };
        let of_this_name = chosen.entry(&setting.name).or_default();
        let file = |setting: &Setting| setting.place.rsplit_once(", line").map(|(file, _)| file.to_owned());
        let repeated =
            matches!(option.get_action(), clap::ArgAction::Append) && of_this_name.iter().all(|other| file(other) == file(setting));
        if !repeated {
            of_this_name.clear();
        }
        of_this_name.push(setting);
    }
    let with = |chosen: &[&Setting]| -> Vec<OsString> {
        let own = chosen.iter().map(|setting| OsString::from(setting.argument()));
        let (head, rest) = arguments.split_at(arguments.len().min(2));
        head.iter().cloned().chain(own).chain(rest.iter().cloned()).collect()
    };
    for setting in chosen.values().flatten() {
        if let Err(error) = command.clone().try_get_matches_from(with(&[setting])) {
            let said = error.to_string();
            let said = said.lines().next().unwrap_or_default();
            return Err(wrong(command, setting, said.trim_start_matches("error: ")));
        }
    }
    let all: Vec<&Setting> = chosen.into_values().flatten().collect();
    // Each is right by itself: the first that does not go with those before it is told.
    let fits = |count: usize| command.clone().try_get_matches_from(with(all.get(..count).unwrap_or_default()));
    if fits(all.len()).is_err()
        && let Some((setting, error)) = (1..=all.len()).find_map(|count| Some((*all.get(count.checked_sub(1)?)?, fits(count).err()?)))
    {
        let said = error.to_string();
        let said = said.lines().next().unwrap_or_default();
        return Err(wrong(command, setting, said.trim_start_matches("error: ")));
    }
    Ok(with(&all))
}

impl Setting {
    fn argument(&self) -> String {
        let Self { name, value, place: _ } = self;
        value.as_ref().map_or_else(|| format!("--{name}"), |value| format!("--{name}={value}"))
    }
}

fn find<'a>(command: &'a Command, long: &str) -> Option<&'a Arg> {
    let named = |option: &&Arg| option.get_long() == Some(long) || option.get_all_aliases().is_some_and(|names| names.contains(&long));
    command.get_arguments().find(named)
}

/// Whether the command line says nothing of an option, nor of one that excludes it.
fn is_open(command: &Command, option: &Arg, given: &ArgMatches) -> bool {
    let is_given = |other: &Arg| given.value_source(other.get_id().as_str()) == Some(ValueSource::CommandLine);
    let excludes = |one: &Arg, other: &Arg| command.get_arg_conflicts_with(one).iter().any(|named| named.get_id() == other.get_id());
    let mut others = command.get_arguments();
    !is_given(option) && !others.any(|other| is_given(other) && (excludes(option, other) || excludes(other, option)))
}

fn wrong(command: &Command, setting: &Setting, why: &str) -> Error {
    Error::raw(ErrorKind::ValueValidation, format!("{}: {why}\n", setting.place)).with_cmd(command)
}

/// The variable that names the configuration file; empty for none.
pub const CONFIG: &str = "HANDSHARK_CONFIG";

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(arguments: &[&str], settings: &[Setting]) -> Result<Vec<String>, String> {
        let arguments = std::iter::once(&"handshark").chain(arguments).map(OsString::from).collect();
        let made = with_settings(&mut super::super::command(), arguments, settings).map_err(|error| error.to_string())?;
        Ok(made.into_iter().skip(1).map(|word| word.into_string().unwrap()).collect())
    }

    fn file(text: &str) -> Vec<Setting> {
        settings("config", text).unwrap()
    }

    #[test]
    fn options_of_the_file_stand_before_those_of_the_command_line() {
        let config = file("# my own\n\n--tz=local\n--no-progress\n--keylog a.log\n--keylog=b.log\n");
        let read = ["read", "--keylog=a.log", "--keylog=b.log", "--no-progress", "--tz=local", "x.pcap"];
        assert_eq!(applied(&["read", "x.pcap"], &config).unwrap(), read);
        assert_eq!(applied(&["explain"], &config).unwrap(), ["explain"], "a command takes what it knows");
    }

    #[test]
    fn the_command_line_decides() {
        let config = file("--all\n--color=always\n--keylog=a.log\n");
        assert_eq!(
            applied(&["read", "-q", "--no-color", "-k", "b.log", "x"], &config).unwrap(),
            ["read", "-q", "--no-color", "-k", "b.log", "x"]
        );
    }

    #[test]
    fn the_environment_comes_before_the_file() {
        let mut all = file("--tz=local\n--color=never\n");
        let variables =
            [("HANDSHARK_TZ", "UTC"), ("HANDSHARK_NO_PROGRESS", "1"), ("HANDSHARK_SERVICE_HOST", "10.0.0.1"), ("HANDSHARK_ALL", "0")];
        all.extend(of_environment(variables.map(|(name, value)| (name.to_owned(), value.to_owned()))));
        assert_eq!(applied(&["read", "x"], &all).unwrap(), ["read", "--color=never", "--no-progress", "--tz=UTC", "x"]);
    }

    #[test]
    fn mistakes_name_the_place_and_what_would_be_right() {
        assert!(settings("config", "\ntz local").unwrap_err().starts_with("config, line 2: \"tz local\" is no option"));
        let said = |text: &str| applied(&["read", "x"], &file(text)).unwrap_err();
        assert!(
            said("--colour=never").contains("config, line 1: there is no option --colour: did you mean --color")
                || said("--colour=never").contains("color")
        );
        let wrong = said("\n--color=sometimes");
        assert!(wrong.contains("config, line 2: invalid value 'sometimes' for '--color <WHEN>'"), "{wrong}");
        let both = said("--all\n--quiet");
        assert!(
            both.contains("config, line 2: the argument '--all' cannot be used with '--quiet'")
                || both.contains("config, line 2: the argument '--quiet' cannot be used with '--all'"),
            "{both}"
        );
        let help = applied(&["read", "--help"], &file("--colour=never")).unwrap_err();
        assert!(help.contains("Usage: handshark read"), "{help}");
    }
}
