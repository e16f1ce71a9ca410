//! What a command says, in the terms of the tools: an agent knows arguments and tools, and no options.

/// A message of a command: without the program's name in front, and with options and commands called what an agent calls them.
pub(super) fn told(said: &str) -> String {
    let said = said.trim();
    let said = ["handshark: ", "error: "].iter().fold(said, |said, prefix| said.strip_prefix(prefix).unwrap_or(said));
    let said = said.split_once(MORE).map_or(said, |(mistake, _)| mistake).trim_end();
    renamed(&value_refused(said).unwrap_or_else(|| said.to_owned()))
}

/// Of `invalid value 'x' for '--since <TIME>': why`, what it is about and why.
fn value_refused(said: &str) -> Option<String> {
    let (value, rest) = said.strip_prefix("invalid value")?.split_once(" for '--")?;
    let (option, why) = rest.split_once('\'')?;
    let name = option.split(' ').next()?;
    let why = why.trim_start_matches(':').trim();
    Some(match why.strip_prefix("[possible values: ").and_then(|values| values.split_once(']')) {
        Some((values, tip)) => {
            let tip = tip.trim().strip_prefix("tip: ").map(|tip| format!("; {tip}")).unwrap_or_default();
            format!("{name}:{value} is none of {values}{tip}")
        }
        None => format!("{name}: {why}"),
    })
}

/// The same with other names.
pub(super) fn renamed(text: &str) -> String {
    NAMES.iter().fold(
        text.to_owned(),
        |text, (of_commands, of_tools)| {
            if text.contains(of_commands) { text.replace(of_commands, of_tools) } else { text }
        },
    )
}

const MORE: &str = "\n\nFor more information, try";

/// What it is called by commands and by tools. Longer ones stand before those that they begin with.
const NAMES: &[(&str, &str)] = &[
    (" (of the zone of --tz)", " (UTC)"),
    ("; `handshark --all FILE` shows it", "; `diagnose` with `completed` lists it"),
    ("; `handshark --all FILE` lists them", "; `diagnose` with `completed` lists them"),
    ("see -n, or list them with `handshark --all`.", "see `most`, or list them by `diagnose` with `completed`."),
    ("as the failures of `handshark FILE` name it", "as `diagnose` names it"),
    ("`handshark explain` lists all causes", "`explain` without `about` lists all causes"),
    ("`handshark explain` lists all", "`explain` without `about` lists all"),
    ("`handshark read` says what is in the capture", "`diagnose` says what is in the capture"),
    ("To compare two points: handshark match CLIENT.pcap SERVER.pcap.", "To compare two points, use `match`."),
    ("`handshark match`", "`match`"),
    ("the condition of --where", "the condition of `where`"),
    ("The condition of --where", "The condition of `where`"),
    ("--since", "`since`"),
    ("--until", "`until`"),
    ("--server", "`server`"),
    ("--client", "`client`"),
    ("--name", "`name`"),
    ("--outcome", "`outcome`"),
    ("--cause", "`cause`"),
    ("--where", "`where`"),
];

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// All sources but this one, as one text without what only breaks lines.
    fn sources(directory: &Path, text: &mut String) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, text);
            } else if path.extension().is_some_and(|kind| kind == "rs") && !path.ends_with("mcp/terms.rs") {
                text.push_str(&fs::read_to_string(&path).unwrap());
            }
        }
    }

    #[test]
    fn commands_still_say_what_is_renamed() {
        let mut text = String::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut text);
        let gone: Vec<&str> = NAMES.iter().map(|(of_commands, _)| *of_commands).filter(|phrase| !text.contains(phrase)).collect();
        assert!(gone.is_empty(), "no message says this any more, so that an agent reads what took its place as it stands: {gone:#?}");
    }

    #[test]
    fn no_command_line_is_left_of_what_is_renamed() {
        for (of_commands, of_tools) in NAMES {
            assert_eq!(renamed(of_commands), *of_tools, "a shorter phrase before it takes part of it");
            assert!(!of_tools.contains("--") && !of_tools.contains("handshark "), "{of_tools}");
        }
    }

    #[test]
    fn mistakes_name_the_argument() {
        let of = |said: &str| told(said);
        assert_eq!(
            of(
                "error: invalid value 'yesterday' for '--since <TIME>': \"yesterday\" is not a time; write 09:00\n\nFor more information, try '--help'.\n"
            ),
            "since: \"yesterday\" is not a time; write 09:00"
        );
        assert_eq!(
            of(
                "error: invalid value 'broken' for '--outcome <LIST>'\n  [possible values: failed, probe]\n\n  tip: a similar value exists: 'probe'\n\nFor more information, try '--help'."
            ),
            "outcome: 'broken' is none of failed, probe; a similar value exists: 'probe'"
        );
        assert_eq!(
            of("error: invalid value for '--cause <LIST>': there is no cause \"x\" (`handshark explain` lists all)"),
            "cause: there is no cause \"x\" (`explain` without `about` lists all)"
        );
        assert_eq!(of("handshark: cannot open a.pcap: No such file"), "cannot open a.pcap: No such file");
        assert_eq!(
            of("error: invalid value 'foo' for '--server <ADDRESS>': \"foo\" is not an address; names are for --name"),
            "server: \"foo\" is not an address; names are for `name`"
        );
    }
}
