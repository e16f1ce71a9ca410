//! What an agent asks, as the words of a command line. Its names and texts are values there, never options.

use std::ffi::OsString;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::answer::{Form, clipped};
use super::tools::{Offered, SHOWN};
use crate::limits;

/// A call that can be made.
pub(super) struct Asked {
    /// The command's words.
    pub(super) words: Vec<OsString>,
    /// What its output is made into.
    pub(super) form: Form,
    /// Items left out at the beginning.
    pub(super) from: u64,
}

/// All that any tool takes.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Given {
    #[serde(deserialize_with = "one_or_more")]
    files: Vec<String>,
    below: Option<String>,
    before: Option<String>,
    after: Option<String>,
    client_file: Option<String>,
    server_file: Option<String>,
    id: Option<String>,
    about: Option<String>,
    part: Option<String>,
    from: Option<u64>,
    most: Option<u8>,
    completed: Option<bool>,
    all: Option<bool>,
    since: Option<String>,
    until: Option<String>,
    #[serde(deserialize_with = "one_or_more")]
    server: Vec<String>,
    #[serde(deserialize_with = "one_or_more")]
    client: Vec<String>,
    #[serde(deserialize_with = "one_or_more")]
    name: Vec<String>,
    #[serde(deserialize_with = "one_or_more")]
    outcome: Vec<String>,
    #[serde(deserialize_with = "one_or_more")]
    cause: Vec<String>,
    #[serde(rename = "where")]
    condition: Option<String>,
}

/// A list, or the only item of one: agents write either.
fn one_or_more<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a string or a list of strings")]
    enum Either {
        One(String),
        More(Vec<String>),
        None,
    }
    Ok(match Either::deserialize(from)? {
        Either::One(one) => vec![one],
        Either::More(more) => more,
        Either::None => Vec::new(),
    })
}

/// Makes a command of what a tool was given; `trust` are the words that say whose certificates are trusted.
///
/// # Errors
///
/// What is wrong with it, and what would be right.
pub(super) fn asked(tool: &Offered, given: Map<String, Value>, trust: &[OsString]) -> Result<Asked, String> {
    if let Some(mistake) = tool.mistake(&given) {
        return Err(mistake);
    }
    let given: Given =
        serde_json::from_value(Value::Object(given)).map_err(|error| format!("{}: {}", tool.name, clipped(&error.to_string())))?;
    let mut words = Words::new();
    let form = match tool.name {
        "list" => {
            words.fixed("list");
            words.files([given.below.as_deref().unwrap_or(".")])?;
            Form::Items("files")
        }
        "explain" => {
            words.fixed("explain");
            words.fixed("--json");
            let about = given.about.as_deref().filter(|about| !about.trim().is_empty());
            words.behind(about.map(|about| checked("about", about)).transpose()?.into_iter());
            if about.is_some() { Form::Items("causes") } else { Form::Causes }
        }
        "diff" => {
            words.reading("diff", trust);
            words.selection(&given)?;
            words.files([given.before.as_deref(), given.after.as_deref()].into_iter().flatten())?;
            Form::Object(given.part)
        }
        "match" => {
            words.reading("match", trust);
            if given.all == Some(true) {
                words.fixed("--all");
            }
            words.selection(&given)?;
            words.files([given.client_file.as_deref(), given.server_file.as_deref()].into_iter().flatten())?;
            Form::Items("handshakes")
        }
        "inventory" => {
            words.reading("inventory", trust);
            words.selection(&given)?;
            words.files(given.files.iter().map(String::as_str))?;
            Form::Object(given.part)
        }
        "show" => {
            words.reading("show", trust);
            words.option("id", given.id.as_deref())?;
            if given.most.is_some_and(|most| !(1..=SHOWN).contains(&most)) {
                return Err(format!("most: 1 to {SHOWN} handshakes are shown at a time"));
            }
            words.option("most", given.most.map(|most| most.to_string()).as_deref())?;
            words.selection(&given)?;
            words.files(given.files.iter().map(String::as_str))?;
            Form::Items("handshakes")
        }
        _ => {
            words.reading("read", trust);
            words.fixed(if given.completed == Some(true) || asks_for_completed(&given) { "--completed=all" } else { "--completed=none" });
            words.selection(&given)?;
            words.files(given.files.iter().map(String::as_str))?;
            Form::Verdicts
        }
    };
    Ok(Asked { words: words.0, form, from: given.from.unwrap_or(0) })
}

/// Who selects completed ones wants to see them.
fn asks_for_completed(given: &Given) -> bool {
    given.outcome.iter().any(|outcome| outcome.split(',').any(|word| word.trim() == "completed"))
}

/// The words of a command, options first.
struct Words(Vec<OsString>);

impl Words {
    const fn new() -> Self {
        Self(Vec::new())
    }

    fn fixed(&mut self, word: &str) {
        self.0.push(word.into());
    }

    /// A command over captures.
    fn reading(&mut self, command: &str, trust: &[OsString]) {
        self.fixed(command);
        self.fixed("--json");
        self.0.extend_from_slice(trust);
    }

    /// An option with its value in one word, so that the value is nothing else.
    fn option(&mut self, name: &str, value: Option<&str>) -> Result<(), String> {
        if let Some(value) = value {
            self.fixed(&format!("--{name}={}", checked(name, value)?));
        }
        Ok(())
    }

    fn options(&mut self, name: &str, values: &[String]) -> Result<(), String> {
        few(name, values.len())?;
        values.iter().try_for_each(|value| self.option(name, Some(value)))
    }

    fn selection(&mut self, given: &Given) -> Result<(), String> {
        self.option("since", given.since.as_deref())?;
        self.option("until", given.until.as_deref())?;
        self.options("server", &given.server)?;
        self.options("client", &given.client)?;
        self.options("name", &given.name)?;
        self.options("outcome", &given.outcome)?;
        self.options("cause", &given.cause)?;
        self.option("where", given.condition.as_deref())
    }

    /// What stands behind all options.
    fn behind<'a>(&mut self, words: impl Iterator<Item = &'a str>) {
        self.fixed("--");
        self.0.extend(words.map(OsString::from));
    }

    fn files<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) -> Result<(), String> {
        let names = names.into_iter().map(file).collect::<Result<Vec<_>, _>>()?;
        few("files", names.len())?;
        self.behind(names.into_iter());
        Ok(())
    }
}

/// The name of a file as it may be looked up. What it leads to is seen when it is opened.
fn file(name: &str) -> Result<&str, String> {
    let name = checked("the name of a file", name)?;
    let refused = |why: &str| Err(format!("{}: {why}; `list` names the files that there are", clipped(name)));
    if name.is_empty() {
        return refused("the name is empty");
    }
    if name.starts_with('/') {
        return refused("names are relative to the directory that is served, without a / in front");
    }
    if name.split('/').any(|part| part == "..") {
        return refused("what lies outside of the directory that is served cannot be read");
    }
    // Which would be standard input.
    if name == "-" {
        return refused("it is no file's name");
    }
    Ok(name)
}

fn checked<'a>(what: &str, text: &'a str) -> Result<&'a str, String> {
    if text.len() > limits::AGENT_TEXT {
        return Err(format!("{what} has {} bytes, and at most {} can be: {}", text.len(), limits::AGENT_TEXT, clipped(text)));
    }
    if text.contains('\0') {
        return Err(format!("{what} cannot hold a NUL: {}", clipped(text)));
    }
    Ok(text)
}

fn few(what: &str, count: usize) -> Result<(), String> {
    if (1..=limits::AGENT_LIST).contains(&count) || what != "files" && count == 0 {
        return Ok(());
    }
    if count == 0 {
        return Err("no file is named; `list` names those that there are".to_owned());
    }
    Err(format!("{what}: {count} are too many, {} at most; name a directory for all captures in it", limits::AGENT_LIST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn words(tool: &str, given: Value) -> Result<String, String> {
        let Value::Object(given) = given else { panic!("an object") };
        let asked = asked(Offered::named(tool).unwrap(), given, &["--no-trust".into()])?;
        Ok(asked.words.into_iter().map(|word| word.into_string().unwrap()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn calls_become_commands() {
        let of = |tool, given| words(tool, given).unwrap();
        assert_eq!(of("list", json!({})), "list -- .");
        assert_eq!(of("list", json!({"below": "site=a/x"})), "list -- site=a/x");
        assert_eq!(of("diagnose", json!({"files": ["a.pcap", "-o"]})), "read --json --no-trust --completed=none -- a.pcap -o");
        assert_eq!(
            of("diagnose", json!({"files": "a.pcap", "name": "*.test", "cause": ["--x"], "since": "09:00", "server": null})),
            "read --json --no-trust --completed=none --since=09:00 --name=*.test --cause=--x -- a.pcap"
        );
        assert!(of("diagnose", json!({"files": "a", "completed": true})).contains("--completed=all"));
        assert!(of("diagnose", json!({"files": "a", "outcome": "failed,completed"})).contains("--completed=all"));
        assert_eq!(of("show", json!({"files": "a", "id": "7d0f", "most": 2})), "show --json --no-trust --id=7d0f --most=2 -- a");
        assert_eq!(of("explain", json!({"about": "--help"})), "explain --json -- --help");
        assert_eq!(of("explain", json!({})), "explain --json --");
        assert_eq!(of("diff", json!({"before": "a", "after": "b"})), "diff --json --no-trust -- a b");
        assert_eq!(of("match", json!({"client_file": "a", "server_file": "b", "all": true})), "match --json --no-trust --all -- a b");
        assert_eq!(of("inventory", json!({"files": ["a"], "part": "needs"})), "inventory --json --no-trust -- a");
    }

    #[test]
    fn what_cannot_be_asked_is_told_with_what_can() {
        let of = |tool, given| words(tool, given).unwrap_err();
        for name in ["../x", "a/../../x", "/etc/passwd", "-", "", "a\0b", ".."] {
            let said = of("diagnose", json!({"files": [name]}));
            assert!(said.contains("list") || said.contains("NUL"), "{name}: {said}");
        }
        let long = "x".repeat(1 << 20);
        let said = of("diagnose", json!({"files": [long]}));
        assert!(said.len() < 300 && said.contains("1048576 bytes"), "{said}");
        assert!(of("diagnose", json!({"files": []})).contains("`list`"));
        assert!(of("diagnose", json!({})).contains("needs \"files\""));
        assert!(of("diagnose", json!({"files": vec!["a"; 65]})).contains("name a directory"));
        assert!(of("diagnose", json!({"files": ["a"], "filter": "host x"})).contains("takes no \"filter\""));
        assert!(of("diagnose", json!({"files": {"a": 1}})).contains("a string or a list of strings"));
        assert!(of("show", json!({"files": "a", "most": 999})).contains("show: "));
        assert!(of("show", json!({"files": "a", "most": 11})).contains("1 to 10"));
        assert!(of("show", json!({"files": "a", "most": 0})).contains("1 to 10"));
        let said = of("diff", json!({"before": "\u{1b}[2J\u{202e}/../x", "after": "b"}));
        assert!(!said.contains(['\u{1b}', '\u{202e}']), "{said}");
    }
}
