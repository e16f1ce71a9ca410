//! The floors hold: a module imports only what lies below it (docs/ARCHITECTURE.md).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Modules by floor, and what stands beside the floors with what it may import.
fn may_import(from: &str, to: &str) -> bool {
    const GROUND: &[&str] = &[
        "time",
        "limits",
        "error",
        "flow",
        "frame",
        "anomaly",
        "condensate",
        "count",
        "origins",
        "pcapng",
        "ports",
        "shard",
        "site",
        "traffic",
        "watch",
        "wording",
    ];
    const READERS: &[&str] = &["tls", "dtls", "quic", "preamble", "secrets", "carriers"];
    let ground = GROUND.contains(&to);
    match from {
        _ if from == to => true,
        _ if GROUND.contains(&from) => ground,
        "packet" | "capture" | "logs" => ground,
        "transport" => ground || to == "packet",
        _ if READERS.contains(&from) => ground || (READERS.contains(&to) && to != "preamble"),
        // ICMP kinds and TCP facts are part of a handshake's facts.
        "handshake" => ground || READERS.contains(&to) || matches!(to, "transport" | "packet"),
        "diagnosis" => ground || READERS.contains(&to) || matches!(to, "handshake" | "transport" | "packet" | "logs"),
        "incident" => ground || matches!(to, "diagnosis" | "handshake" | "report" | "transport"),
        "report" => ground || READERS.contains(&to) || matches!(to, "packet" | "transport" | "handshake" | "diagnosis" | "incident"),
        // What is asked of reports, and what is hidden of them.
        "find" | "anonymize" | "inventory" => ground || to == "report",
        "expect" => ground || matches!(to, "report" | "find"),
        // Outputs show reports; `explain` shows the rules' pages.
        "output" => ground || matches!(to, "report" | "diagnosis" | "output" | "compare" | "inventory" | "expect"),
        // What other runs wrote, read back.
        "rows" => ground || matches!(to, "report" | "incident"),
        "tui" => ground || matches!(to, "report" | "output" | "find"),
        // Packets at two points, judged in the catalogue's causes.
        "compare" => ground || matches!(to, "report" | "packet"),
        // Packets in, questions about this host's processes out.
        "owners" => ground || matches!(to, "packet" | "report"),
        // Packets in, files out, with what the reports say of them.
        "recorder" => ground || matches!(to, "packet" | "report" | "output"),
        "pipeline" | "analyze" | "app" | "cli" | "main" | "allocator" | "lib" => true,
        _ => false,
    }
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
}

fn all_sources() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    found
        .into_iter()
        .map(|path| {
            let first = path.strip_prefix(&root).unwrap().components().next().unwrap();
            let module = Path::new(first.as_os_str()).file_stem().unwrap().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).unwrap();
            (module, path, text)
        })
        .collect()
}

/// Files and folders that hold tests, or what tests need.
const TESTS: &[&str] = &["tests", "testing", "samples", "support"];

fn is_test_file(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| TESTS.contains(&stem.to_string_lossy().as_ref()))
}

/// The code of a file, without its tests and comments.
fn code(text: &str) -> String {
    let holds_tests = |rest: &str| rest.lines().nth(1).is_some_and(|line| line.contains("mod ") && line.contains('{'));
    let end = text.match_indices("#[cfg(test)]\n").map(|(at, _)| at).find(|at| holds_tests(&text[*at..]));
    let code = &text[..end.unwrap_or(text.len())];
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Every path that begins with `crate`, `super` or `self`, name by name; groups of a `use` are taken apart.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for root in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(root) {
            if !code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == ':') {
                spread(&mut Vec::new(), &code[at..], &mut found);
            }
        }
    }
    found
}

fn spread(path: &mut Vec<String>, rest: &str, found: &mut Vec<Vec<String>>) {
    let before = path.len();
    if let Some(group) = rest.strip_prefix('{') {
        for item in items(group) {
            spread(path, item.trim(), found);
        }
        return;
    }
    let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let behind = &rest[name.len()..];
    if !name.is_empty() {
        path.push(name);
    }
    match behind.strip_prefix("::").filter(|rest| !rest.starts_with('<')) {
        Some(rest) if path.len() > before => spread(path, rest, found),
        _ => found.push(path.clone()),
    }
    path.truncate(before);
}

/// What stands between commas up to the brace that closes the group.
fn items(group: &str) -> Vec<&str> {
    let (mut found, mut depth, mut from) = (Vec::new(), 0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                found.push(&group[from..at]);
                from = at + 1;
                if c == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    found
}

/// Every module of the crate that code names, by `use` or path.
fn imports(text: &str) -> Vec<String> {
    paths(&code(text)).into_iter().filter(|path| path[0] == "crate").filter_map(|path| path.get(1).cloned()).collect()
}

#[test]
fn no_import_climbs() {
    let mut wrong = Vec::new();
    for (module, path, text) in all_sources() {
        // Everybody may look down at the ground.
        assert!(may_import(&module, "time"), "{}: the floor of {module} is not known", path.display());
        if is_test_file(&path) {
            continue;
        }
        for import in imports(&text) {
            if !may_import(&module, &import) {
                wrong.push(format!("{}: {module} imports {import}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "imports that climb:\n{}", wrong.join("\n"));
}

/// The module that a file is: `["transport", "facts"]`; a `mod.rs` is its folder.
fn module(path: &Path) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut names: Vec<String> =
        path.strip_prefix(&root).unwrap().with_extension("").iter().map(|name| name.to_string_lossy().into_owned()).collect();
    names.pop_if(|last| last == "mod");
    names
}

/// A path as seen from the root of the crate.
fn absolute(own: &[String], path: &[String]) -> Vec<String> {
    let mut at = if path[0] == "crate" { Vec::new() } else { own.to_vec() };
    for name in path {
        match name.as_str() {
            "super" => drop(at.pop()),
            "crate" | "self" => {}
            _ => at.push(name.clone()),
        }
    }
    at
}

/// What in a folder names what else in it: its files, and its subfolders, each of which stands for all that is in it. What a file names of the folder
/// that it is in, or that folder of it, counts for nothing.
fn neighbours(files: &[(Vec<String>, String)]) -> BTreeMap<String, BTreeSet<String>> {
    let known: BTreeSet<&[String]> = files.iter().map(|(module, _)| module.as_slice()).collect();
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (own, text) in files {
        for path in paths(&code(text)) {
            let path = absolute(own, &path);
            let Some(module) = (1..=path.len()).rev().map(|len| &path[..len]).find(|module| known.contains(module)) else { continue };
            let folder = own.iter().zip(module).take_while(|(own, named)| own == named).count();
            if folder > 0 && folder < own.len().min(module.len()) {
                let named = module[..=folder].join("::");
                graph.entry(named.clone()).or_default();
                graph.entry(own[..=folder].join("::")).or_default().insert(named);
            }
        }
    }
    graph
}

/// What is left when files that name none of those left, or that none of those left names, are taken away: the circles.
fn circles(mut graph: BTreeMap<String, BTreeSet<String>>) -> BTreeMap<String, BTreeSet<String>> {
    loop {
        let named: BTreeSet<String> = graph.values().flatten().cloned().collect();
        let left: BTreeSet<String> =
            graph.iter().filter(|(file, names)| named.contains(*file) && !names.is_empty()).map(|(file, _)| file.clone()).collect();
        if left.len() == graph.len() {
            return graph;
        }
        graph.retain(|file, _| left.contains(file));
        for names in graph.values_mut() {
            names.retain(|name| left.contains(name));
        }
    }
}

#[test]
fn nothing_in_a_folder_needs_what_needs_it() {
    let all = all_sources().into_iter().map(|(_, path, text)| (module(&path), text));
    let files: Vec<(Vec<String>, String)> = all.filter(|(own, _)| !own.iter().any(|name| TESTS.contains(&name.as_str()))).collect();
    let graph = neighbours(&files);
    assert!(graph["transport::sink"].contains("transport::facts"), "imports are not read");
    assert!(graph["handshake::datagrams"].contains("handshake::facts"), "subfolders are not looked into");
    let circles = circles(graph);
    assert!(circles.is_empty(), "what both need belongs into one of them, or into a third file:\n{circles:#?}");
}

#[test]
fn a_circle_would_be_found() {
    let file = |module: &str, text: &str| (module.split("::").map(str::to_owned).collect::<Vec<_>>(), text.to_owned());
    let files = [
        file("a::one", "use super::{three::Third, two::{self, Second}};"),
        file("a::two", "fn f() -> crate::a::one::First {}"),
        file("a::three", "use super::four;\n// use super::one;\n#[cfg(test)]\nmod tests { use super::one; }"),
        file("a::four", "use crate::b::one;"),
        file("b::one", "use crate::a::four;"),
    ];
    let found = circles(neighbours(&files));
    assert_eq!(found.keys().collect::<Vec<_>>(), ["a::one", "a::two"]);
    let files = [
        file("a", "use one::First;"),
        file("a::one", "use super::deep::deeper::First;"),
        file("a::deep", "mod deeper;\nuse deeper::Second;\nuse crate::a::First;"),
        file("a::deep::deeper", "use super::Third;"),
        file("a::deep::deepest", "use super::super::one;"),
    ];
    let found = circles(neighbours(&files));
    assert_eq!(found.keys().collect::<Vec<_>>(), ["a::deep", "a::one"], "two files of a folder make a circle with one outside of it");
}

#[test]
fn the_table_of_floors_names_every_module() {
    let document = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ARCHITECTURE.md")).unwrap();
    let table: String = document.lines().filter(|line| line.starts_with('|')).collect();
    let missing: BTreeSet<String> = all_sources()
        .into_iter()
        .map(|(module, ..)| module)
        .filter(|module| module != "lib" && !table.contains(&format!("`{module}`")))
        .collect();
    assert!(missing.is_empty(), "docs/ARCHITECTURE.md does not say on which floor these are: {missing:?}");
}

/// Other families that a file of one family names, in `use` or path, tests left out; or the table of all.
fn other_families(own: &[String], text: &str) -> Vec<String> {
    let named = paths(&code(text)).into_iter().filter_map(|path| {
        let path = absolute(own, &path);
        let under = path.strip_prefix(&own[..2])?;
        Some(under.first().map_or_else(|| "all".to_owned(), Clone::clone))
    });
    named.filter(|name| *name != own[2]).collect()
}

#[test]
fn families_of_rules_stand_alone() {
    let of = |text: &str| text.split("::").map(str::to_owned).collect::<Vec<_>>();
    let rules = of("diagnosis::rules");
    let wrong: Vec<String> = all_sources()
        .into_iter()
        .map(|(_, path, text)| (module(&path), path, text))
        .filter(|(own, ..)| own.starts_with(&rules) && own.len() > rules.len())
        .flat_map(|(own, path, text)| {
            let others = other_families(&own, &text);
            others.into_iter().map(move |other| format!("{} names {other}", path.display()))
        })
        .collect();
    assert!(wrong.is_empty(), "a rule that needs another family's knowledge shares it through `diagnosis`:\n{}", wrong.join("\n"));
    let text = "use crate::diagnosis::rules::names;\n#[cfg(test)]\nmod tests;\nlet x = super::super::silence::y(super::uses_psk());";
    assert_eq!(other_families(&of("diagnosis::rules::psk::psk_mismatch"), text), ["names", "silence"]);
    assert_eq!(other_families(&of("diagnosis::rules::psk"), "use crate::diagnosis::rules;"), ["all"]);
}

#[test]
fn a_climbing_import_would_be_found() {
    assert!(imports("use crate::report::Report;\n// crate::output is prose\n").contains(&"report".to_owned()));
    assert!(!may_import("tls", "packet"));
    assert!(!may_import("handshake", "diagnosis"));
    assert!(!may_import("output", "handshake"));
}

/// One piece of code makes, renames and replaces files.
#[test]
fn files_are_written_in_one_place() {
    const WAYS: &[&str] = &["fs::write(", "File::create(", "fs::rename(", "OpenOptions", "File::options("];
    const PLACES: &[&str] = &["output/delivery.rs", "output/rotate.rs", "output/spool.rs", "recorder/archive.rs"];
    let wrong: Vec<String> = all_sources()
        .into_iter()
        .filter(|(_, path, _)| !PLACES.iter().any(|place| path.ends_with(place)) && !is_test_file(path))
        .filter(|(_, _, text)| WAYS.iter().any(|way| code(text).contains(way)))
        .map(|(_, path, _)| path.display().to_string())
        .collect();
    assert!(wrong.is_empty(), "these write files on their own:\n{}", wrong.join("\n"));
}

#[test]
fn files_stay_small() {
    const MOST: usize = 600;
    let long: Vec<String> = all_sources()
        .into_iter()
        .filter(|(_, _, text)| text.lines().count() > MOST)
        .map(|(_, path, text)| format!("{}: {} lines", path.display(), text.lines().count()))
        .collect();
    assert!(long.is_empty(), "files over {MOST} lines, each a place where a second idea may live:\n{}", long.join("\n"));
}
