//! The documentation says what the code says.

use std::fs;
use std::path::{Path, PathBuf};

use handshark::output::explain;

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

#[test]
fn paths_in_the_documentation_exist() {
    let mut wrong = Vec::new();
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    for path in docs.chain([root().join("README.md")]).filter(|path| path.extension().is_some_and(|ext| ext == "md") && path.exists()) {
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
