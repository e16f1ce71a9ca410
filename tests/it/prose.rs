//! Plain English: phrases that no user is to meet, in the sources' texts, in the documents, and in what the program writes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use crate::support::program::handshark;
use crate::support::{capture_of, fixtures, labelled};

/// What is never said, in lower case, and what is said instead.
const NEVER: &[(&str, &str)] = &[
    ("a stranger", "somebody else, another organisation"),
    ("as the client says", "according to the client"),
    ("as the server says", "according to the server"),
    ("at that second", "the time"),
    ("but not well", "with problems"),
    ("comes as number", "is number N in the chain"),
    ("fell silent", "stopped responding"),
    ("for a stranger", "anonymised"),
    ("for strangers", "anonymised"),
    ("gets in", "can connect"),
    ("give a key log", "supply a key log"),
    ("had been told", "received the go-ahead"),
    ("half of them", "median"),
    ("half within", "median"),
    ("handshakes/s, at most", "peak"),
    ("hop counter", "TTL"),
    ("hop counters", "TTL"),
    ("in its name", "claims to come from it"),
    ("in the client's name", "claims to come from the client"),
    ("in the server's name", "claims to come from the server"),
    ("in vain", "never acknowledged, without success"),
    ("is due", "is expected"),
    ("are due", "are the minimum"),
    ("was due", "was expected"),
    ("is gone", "is no longer there"),
    ("is revoked since", "was revoked on"),
    ("is told", "is reported"),
    ("is told of", "is reported"),
    ("it knows the reason", "it records the reason"),
    ("itself staples", "stapled"),
    ("leaf through", "page through"),
    ("let the client", "On the client, …"),
    ("look into", "check"),
    ("no handshake wanted", "no handshake attempted"),
    ("nobody waits", "closed"),
    ("not any more", "no longer"),
    ("of 100", "p95"),
    ("rests on", "is based on"),
    ("says of", "reports"),
    ("see at", "check on"),
    ("see that", "check that"),
    ("served encrypted", "encrypted"),
    ("sound client", "healthy client"),
    ("stop-gap", "stopgap"),
    ("straight after", "right after"),
    ("take themselves for", "act as"),
    ("takes itself for", "acts as"),
    ("the right to capture", "permission to capture"),
    ("thinks", "takes"),
    ("thinks for", "processing takes"),
    ("server thinking", "server processing time"),
    ("client thinking", "client processing time"),
    ("told of", "reported"),
    ("was awaited", "had not arrived"),
];

/// Nouns that are counted.
const PLURALS: &[&str] = &[
    "alerts",
    "attempts",
    "authorities",
    "bytes",
    "captures",
    "causes",
    "certificates",
    "clients",
    "connections",
    "copies",
    "datagrams",
    "days",
    "failures",
    "files",
    "frames",
    "handshakes",
    "hours",
    "identities",
    "incidents",
    "intermediates",
    "messages",
    "minutes",
    "names",
    "packets",
    "points",
    "records",
    "reports",
    "retransmissions",
    "seconds",
    "segments",
    "servers",
    "sessions",
    "suites",
    "SYNs",
    "tickets",
    "times",
    "versions",
];

/// What stands around a place.
fn around(text: &str, at: usize) -> String {
    let before: Vec<char> = text[..at].chars().rev().take(40).collect();
    before.into_iter().rev().chain(text[at..].chars().take(70)).collect()
}

/// What is wrong with a text, each with its surroundings. Line breaks count as spaces.
fn faults(text: &str) -> Vec<String> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let lower = text.to_lowercase();
    let mut found = Vec::new();
    let edge = |at: usize, before: bool| {
        let next = if before { lower[..at].chars().next_back() } else { lower[at..].chars().next() };
        next.is_none_or(|next| !next.is_alphanumeric() && next != '_' && (before || next != '-'))
    };
    for (phrase, better) in NEVER {
        for (at, _) in lower.match_indices(phrase) {
            if edge(at, true) && edge(at + phrase.len(), false) {
                found.push(format!("“{phrase}” (better: {better}) in “{}”", around(&lower, at)));
            }
        }
    }
    for (at, _) in lower.match_indices(") (") {
        // Of a link, or of a function's argument, it is no second parenthesis.
        if !around(&lower, at).contains("](") {
            found.push(format!("two parentheses in a row in “{}”", around(&lower, at)));
        }
    }
    for (at, _) in text.match_indices("1 ") {
        let counts = text[..at].chars().next_back().is_none_or(|before| [' ', '(', '"'].contains(&before));
        let version = ["ersion ", "umber ", "no. "].iter().any(|before| text[..at].ends_with(before));
        let mut words = text[at + 2..].split(' ');
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let noun = |word: &str| PLURALS.contains(&word.trim_end_matches(|letter: char| !letter.is_ascii_alphabetic()));
        let adjective = first.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-')
            && !["of", "to", "and", "more"].contains(&first)
            && !PLURALS.contains(&format!("{first}s").as_str());
        if counts && !version && (noun(first) || adjective && noun(second)) {
            found.push(format!("a plural of one in “{}”", around(&text, at)));
        }
    }
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn files(directory: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|ext| ext == extension) {
            found.push(path);
        }
    }
}

/// The string literals of a source file that hold more than a word, and the comments that become help, without its tests.
fn literals(source: &str, help: bool) -> Vec<String> {
    let end = source
        .match_indices("#[cfg(test)]\n")
        .map(|(at, _)| at)
        .find(|at| source[*at..].lines().nth(1).is_some_and(|line| line.contains('{')));
    let mut found = Vec::new();
    let mut comments = String::new();
    let mut rest = &source[..end.unwrap_or(source.len())];
    while let Some(at) = rest.find(['"', '\'', '/', 'r']) {
        let here = &rest[at..];
        let raw = here.strip_prefix("r#\"").and_then(|text| text.find("\"#").map(|end| (3, end, 2)));
        if here.starts_with("//") {
            let line = here.lines().next().unwrap_or_default();
            if let Some(text) = line.strip_prefix("/// ").filter(|_| help) {
                comments.push_str(text);
                comments.push(' ');
            }
            rest = &here[line.len()..];
        } else if let Some((start, end, close)) = raw {
            found.push(here[start..start + end].to_owned());
            rest = &here[start + end + close..];
        } else if let Some(text) = here.strip_prefix('"') {
            let mut escaped = false;
            let end = text.find(|letter| {
                let ends = letter == '"' && !escaped;
                escaped = letter == '\\' && !escaped;
                ends
            });
            let end = end.unwrap_or(text.len());
            found.push(text[..end].replace("\\n", " ").replace("\\\n", " ").replace("\\\"", "\""));
            rest = text.get(end + 1..).unwrap_or_default();
        } else if let Some(text) = here.strip_prefix('\'') {
            // A character, or a lifetime.
            let escape = text.starts_with('\\');
            let end = text.find('\'').filter(|end| *end <= 4 || escape);
            rest = text.get(end.map_or(0, |end| end + if text.starts_with("\\'") { 2 } else { 1 })..).unwrap_or_default();
        } else {
            rest = &here[1..];
        }
    }
    found.push(comments);
    found.retain(|text| text.contains(' '));
    found
}

#[test]
fn phrases_are_found_and_plain_words_are_left_alone() {
    assert_eq!(faults("its hop\ncounter is 57").len(), 1);
    assert_eq!(faults("1 packets, 1 other handshakes, and (517 bytes) (7 packets in all)").len(), 3);
    assert_eq!(faults("1 packet, 21 packets, 1.1 packets, 1 of 2 handshakes, version 1 packets; is duel; thinksafe"), Vec::<String>::new());
    let source = "/// Let the client wait\nlet a = \"it is \\\"sound\\\" here\"; let b = '\"'; // \"a comment\"\nlet c = r#\"one two\"#;\n";
    assert_eq!(literals(source, true), ["it is \"sound\" here", "one two", "Let the client wait "]);
}

#[test]
fn the_sources_texts_are_plain() {
    let mut wrong = Vec::new();
    for folder in ["app", "capture", "cli", "compare", "diagnosis", "find", "incident", "output", "recorder", "report", "tui"] {
        let mut sources = Vec::new();
        files(&root().join("src").join(folder), "rs", &mut sources);
        let is_test = |path: &Path| path.file_stem().is_some_and(|stem| ["tests", "testing", "samples"].iter().any(|name| stem == *name));
        for path in sources.iter().filter(|path| !is_test(path)) {
            for text in literals(&fs::read_to_string(path).unwrap(), folder == "cli") {
                wrong.extend(faults(&text).iter().map(|fault| format!("{}: {fault}", path.strip_prefix(root()).unwrap().display())));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_documents_are_plain() {
    let mut documents = vec![root().join("README.md")];
    files(&root().join("docs"), "md", &mut documents);
    let mut wrong = Vec::new();
    for path in documents {
        wrong.extend(faults(&fs::read_to_string(&path).unwrap()).iter().map(|fault| format!("{}: {fault}", path.display())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_written_of_every_capture_is_plain() {
    let captures: BTreeSet<PathBuf> = labelled().iter().map(|(sidecar, label)| capture_of(sidecar, label)).collect();
    let work = Mutex::new(captures.into_iter().collect::<Vec<_>>());
    let wrong = Mutex::new(BTreeSet::new());
    let views: [&[&str]; 3] = [&["read", "--all", "-v"], &["show", "-n", "20", "--width", "100"], &["report", "--format", "md"]];
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(path) = { work.lock().unwrap().pop() } {
                    for view in views {
                        let run =
                            handshark().env("NO_COLOR", "1").args(view).args(["--no-trust", "--no-progress"]).arg(&path).output().unwrap();
                        let name = path.strip_prefix(fixtures()).unwrap().display();
                        let faults = faults(&String::from_utf8_lossy(&run.stdout));
                        wrong.lock().unwrap().extend(faults.into_iter().map(|fault| format!("{name}, {}: {fault}", view[0])));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} places, first:\n{}", wrong.len(), wrong.into_iter().take(30).collect::<Vec<_>>().join("\n"));
}

#[test]
fn help_and_explanations_are_plain() {
    let written = |arguments: &[&str]| {
        let run = handshark().env("NO_COLOR", "1").args(arguments).output().unwrap();
        assert!(run.status.success(), "{arguments:?}");
        String::from_utf8(run.stdout).unwrap()
    };
    let mut wrong = Vec::new();
    let mut check =
        |arguments: &[&str]| wrong.extend(faults(&written(arguments)).into_iter().map(|fault| format!("{arguments:?}: {fault}")));
    check(&["--help"]);
    check(&["explain"]);
    check(&["demo"]);
    for command in [
        "read",
        "live",
        "interfaces",
        "slice",
        "certs",
        "inventory",
        "expect",
        "diff",
        "match",
        "mcp",
        "show",
        "report",
        "demo",
        "explain",
        "completions",
    ] {
        check(&[command, "--help"]);
    }
    let mut pages = Vec::new();
    files(&root().join("docs/causes"), "md", &mut pages);
    for page in &pages {
        check(&["explain", page.file_stem().unwrap().to_str().unwrap()]);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
