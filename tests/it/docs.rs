//! The documentation says what the code says.

use std::fs;
use std::path::{Path, PathBuf};

use handshark::output::explain;

use crate::support::program::handshark;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

#[test]
fn the_causes_are_documented_as_the_rules_have_them() {
    let path = root().join("docs/CAUSES.md");
    let wanted = explain::causes_markdown();
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "docs/CAUSES.md is not what the rules say; write it anew: BLESS=1 cargo test --test it docs");
}

/// Paths in backquotes and in links of the documentation, as far as they are of this repository.
fn paths(text: &str) -> Vec<String> {
    let quoted = text.split('`').skip(1).step_by(2);
    let linked = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    let ours = ["src/", "tests/", "docs/", "fixtures/", "benches/", "deploy/", ".ci/"];
    quoted
        .chain(linked)
        .filter(|path| ours.iter().any(|start| path.starts_with(start)) && !path.contains([' ', '*', '<', '{']))
        .map(str::to_owned)
        .collect()
}

fn documents() -> impl Iterator<Item = PathBuf> {
    let files = ["docs", "docs/causes"].into_iter().flat_map(|folder| fs::read_dir(root().join(folder)).unwrap());
    files
        .map(|entry| entry.unwrap().path())
        .chain([root().join("README.md")])
        .filter(|path| path.extension().is_some_and(|ext| ext == "md"))
}

/// What is between backquotes, and the lines of blocks for a shell. What `tests/it/examples.rs` runs is left to it.
fn typed(text: &str) -> Vec<String> {
    let mut typed = Vec::new();
    let mut fence = None;
    for line in text.lines().map(str::trim) {
        match (line.strip_prefix("```"), fence) {
            (Some(_), Some(_)) => fence = None,
            (Some(language), None) => fence = Some(language),
            (None, Some("sh")) => typed.push(line.to_owned()),
            (None, Some(_)) => {}
            // In a table, the bar of a pipe is escaped.
            (None, None) => typed.extend(line.split('`').skip(1).step_by(2).map(|span| span.replace("\\|", "|"))),
        }
    }
    typed
}

/// The arguments of each handshark in a line for a shell.
fn arguments(line: &str) -> Vec<Vec<String>> {
    let words = shlex::split(line).unwrap_or_default();
    let commands = words.split(|word| word.starts_with(['|', '&', ';', '>', '<']) || word.starts_with("2>"));
    let bare = commands.map(|words| words.iter().skip_while(|word| *word == "sudo" || word.contains('=')).cloned().collect::<Vec<_>>());
    bare.filter_map(|words| (words.len() > 1 && words[0] == "handshark").then(|| words[1..].to_vec())).collect()
}

#[test]
fn commands_in_the_documentation_are_taken() {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("key.txt"), "a key for the documentation's examples").unwrap();
    fs::create_dir(here.path().join("DIR")).unwrap();
    let lacks = |word: &String| {
        !cfg!(feature = "mcp") && word == "mcp"
            || !cfg!(feature = "where") && word == "--where"
            || !cfg!(feature = "parquet") && word.starts_with("--parquet")
    };
    let (mut tried, mut wrong) = (0, Vec::new());
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        for command in typed(&text).iter().flat_map(|line| arguments(line)).filter(|command| !command.iter().any(lacks)) {
            // A directory that is looked for before anything else.
            let command = command.iter().map(|word| if word == "/var/captures" { "DIR" } else { word });
            // `--help` behind the rest is reached only if the rest is taken.
            let output = handshark().args(command.clone()).arg("--help").current_dir(here.path()).output().unwrap();
            tried += 1;
            if !output.status.success() {
                let command = command.collect::<Vec<_>>().join(" ");
                wrong.push(format!("{}: handshark {command}\n{}", path.display(), String::from_utf8_lossy(&output.stderr)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tried > 100, "{tried}");
}

#[test]
fn paths_in_the_documentation_exist() {
    let mut wrong = Vec::new();
    for path in documents() {
        for named in paths(&fs::read_to_string(&path).unwrap()) {
            if !root().join(&named).exists() && !path.with_file_name(&named).exists() {
                wrong.push(format!("{}: {named}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "named and not there:\n{}", wrong.join("\n"));
}

/// The security page names every file with unsafe code, tests apart, and no other.
#[test]
fn unsafe_code_is_where_the_security_page_says() {
    let mut places: Vec<String> = Vec::new();
    let mut next = vec![root().join("src")];
    while let Some(path) = next.pop() {
        if path.is_dir() {
            next.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if !path.ends_with("tests.rs") && fs::read_to_string(&path).unwrap().contains("allow(unsafe_code") {
            places.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
        }
    }
    let page = fs::read_to_string(root().join("docs/SECURITY.md")).unwrap();
    let sentence = page.split("Own code has no `unsafe` but in ").nth(1).unwrap().split(',').next().unwrap();
    let mut named = paths(sentence);
    named.sort();
    places.sort();
    assert_eq!(named, places);
}
