//! The floors hold: a module imports only what lies below it (docs/ARCHITECTURE.md).

use std::fs;
use std::path::{Path, PathBuf};

/// Modules by floor, and what stands beside the floors with what it may import.
fn may_import(from: &str, to: &str) -> bool {
    const GROUND: &[&str] = &["time", "limits", "error", "flow", "frame", "anomaly", "count", "watch"];
    const READERS: &[&str] = &["tls", "dtls", "quic", "preamble", "secrets"];
    let ground = GROUND.contains(&to);
    match from {
        _ if from == to => true,
        _ if GROUND.contains(&from) => ground,
        "packet" | "capture" => ground,
        "transport" => ground || to == "packet",
        _ if READERS.contains(&from) => ground || (READERS.contains(&to) && to != "preamble"),
        // ICMP kinds and TCP facts are part of a handshake's facts.
        "handshake" => ground || READERS.contains(&to) || matches!(to, "transport" | "packet"),
        "diagnosis" => ground || READERS.contains(&to) || matches!(to, "handshake" | "transport" | "packet"),
        "incident" => ground || matches!(to, "diagnosis" | "handshake" | "report" | "transport"),
        "report" => ground || READERS.contains(&to) || matches!(to, "packet" | "transport" | "handshake" | "diagnosis" | "incident"),
        // What is asked of reports, and what is hidden of them.
        "find" | "anonymize" => ground || to == "report",
        // Outputs show reports; `explain` shows the rules' pages.
        "output" | "tui" => ground || matches!(to, "report" | "diagnosis" | "output" | "compare"),
        // Packets at two points, judged in the catalogue's causes.
        "compare" => ground || matches!(to, "report" | "packet"),
        // Packets in, files out, with what the reports say of them.
        "recorder" => ground || matches!(to, "packet" | "report" | "output"),
        "pipeline" | "analyze" | "app" | "cli" | "main" | "lib" => true,
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

/// Every `crate::x` in code, `use` or path, tests left out.
fn imports(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split("crate::").skip(1).map(str::to_owned).collect::<Vec<_>>())
        .map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>())
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn no_import_climbs() {
    let mut wrong = Vec::new();
    for (module, path, text) in all_sources() {
        // Everybody may look down at the ground.
        assert!(may_import(&module, "time"), "{}: the floor of {module} is not known", path.display());
        let in_test_file =
            path.file_stem().is_some_and(|stem| ["tests", "testing", "samples", "support"].contains(&stem.to_string_lossy().as_ref()));
        if in_test_file {
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

/// The family of rules that a file belongs to.
fn family(path: &Path) -> Option<String> {
    let under = path.to_string_lossy().split_once("diagnosis/rules/").map(|(_, rest)| rest.to_owned())?;
    under.split_once('/').map(|(family, _)| family.to_owned())
}

/// Other families that a file of this one names, in `use` or path, tests left out.
fn other_families(own: &str, text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    let named = |mark: &'static str| {
        code.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(move |line| line.split(mark).skip(1))
    };
    ["rules::", "super::super::"]
        .into_iter()
        .flat_map(named)
        .map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>())
        .filter(|name| name != own && !name.is_empty() && name.chars().all(|c| c.is_lowercase() || c == '_'))
        .collect()
}

#[test]
fn families_of_rules_stand_alone() {
    let wrong: Vec<String> = all_sources()
        .into_iter()
        .filter_map(|(_, path, text)| Some((family(&path)?, path, text)))
        .flat_map(|(own, path, text)| {
            let others = other_families(&own, &text);
            others.into_iter().map(move |other| format!("{} names {other}", path.display()))
        })
        .collect();
    assert!(wrong.is_empty(), "a rule that needs another family's knowledge shares it through `diagnosis`:\n{}", wrong.join("\n"));
    assert_eq!(other_families("psk", "use crate::diagnosis::rules::names;\nlet x = super::super::silence::y();"), ["names", "silence"]);
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
    const PLACES: &[&str] = &["output/delivery.rs", "output/rotate.rs", "recorder/archive.rs"];
    let wrong: Vec<String> = all_sources()
        .into_iter()
        .filter(|(_, path, _)| !PLACES.iter().any(|place| path.ends_with(place)) && !path.ends_with("tests.rs"))
        .filter(|(_, _, text)| text.split("#[cfg(test)]\nmod ").next().is_some_and(|code| WAYS.iter().any(|way| code.contains(way))))
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
