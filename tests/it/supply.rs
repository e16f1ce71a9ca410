//! What the program is made of besides its own code: .ci/deny.toml, without cargo-deny, and that docs/SECURITY.md speaks of all that is C.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The graph of what is built for this machine, and the rules.
struct Supply {
    packages: BTreeMap<String, Value>,
    /// Ids of what is in the program or needed to build it.
    shipped: BTreeSet<String>,
    rules: toml::Table,
}

impl Supply {
    fn load() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let rustc = Command::new(std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned())).arg("-vV").output().unwrap();
        let said = String::from_utf8(rustc.stdout).unwrap();
        let host = said.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        let mut command = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
        command.args(["metadata", "--locked", "--offline", "--format-version", "1", "--filter-platform", host]).current_dir(root);
        // What a build without it does not need is not here either.
        if cfg!(feature = "mcp") {
            command.args(["--features", "mcp"]);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let data: Value = serde_json::from_slice(&output.stdout).unwrap();
        let by_id = |list: &Value| -> BTreeMap<String, Value> {
            list.as_array().unwrap().iter().map(|one| (one["id"].as_str().unwrap().to_owned(), one.clone())).collect()
        };
        let nodes = by_id(&data["resolve"]["nodes"]);
        let mut shipped = BTreeSet::new();
        let mut next = vec![data["resolve"]["root"].as_str().unwrap().to_owned()];
        while let Some(id) = next.pop() {
            for dependency in nodes[&id]["deps"].as_array().unwrap() {
                if dependency["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"] != "dev") {
                    next.extend(dependency["pkg"].as_str().map(str::to_owned).filter(|id| !shipped.contains(id)));
                }
            }
            shipped.insert(id);
        }
        let rules = std::fs::read_to_string(root.join(".ci/deny.toml")).unwrap().parse().unwrap();
        Self { packages: by_id(&data["packages"]), shipped, rules }
    }

    fn crates(&self) -> impl Iterator<Item = &Value> {
        self.shipped.iter().map(|id| &self.packages[id]).filter(|package| package["name"] != "handshark")
    }

    fn list(&self, section: &str, key: &str) -> Vec<String> {
        let word = |value: &toml::Value| value.as_str().or_else(|| value.get("crate")?.as_str()).unwrap().to_owned();
        // A crate that some may depend on is banned where they are not built.
        let lifted = |value: &&toml::Value| cfg!(feature = "mcp") && value.get("wrappers").is_some();
        self.rules[section][key].as_array().unwrap().iter().filter(|value| !lifted(value)).map(word).collect()
    }
}

/// Whether an SPDX expression is met: `OR` binds less than `AND`.
fn is_met(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let met = any(&words, &mut at, allowed);
    met && at == words.len()
}

fn any(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut met = all(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        met |= all(words, at, allowed);
    }
    met
}

fn all(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut met = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(words, at, allowed);
    }
    met
}

fn one(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    if words[*at] == "(" {
        *at += 1;
        let met = any(words, at, allowed);
        *at += 1;
        return met;
    }
    let mut license = words[*at].to_owned();
    *at += 1;
    if words.get(*at) == Some(&"WITH") {
        license = format!("{license} WITH {}", words[*at + 1]);
        *at += 2;
    }
    allowed.contains(&license)
}

#[test]
fn expressions_of_licenses_are_read_as_spdx_means_them() {
    let allowed = ["MIT".to_owned(), "ISC".to_owned(), "A WITH e".to_owned()];
    for met in ["MIT", "GPL OR MIT", "MIT/Apache-2.0", "MIT AND ISC", "(GPL OR MIT) AND ISC", "A WITH e OR GPL", "GPL AND ISC OR MIT"] {
        assert!(is_met(met, &allowed), "{met}");
    }
    for not in ["GPL", "MIT AND GPL", "A", "(MIT OR ISC) AND GPL", "MIT AND (GPL OR A)"] {
        assert!(!is_met(not, &allowed), "{not}");
    }
}

#[test]
fn licenses_sources_and_bans_hold() {
    let supply = Supply::load();
    let (allowed, banned) = (supply.list("licenses", "allow"), supply.list("bans", "deny"));
    assert!(supply.crates().count() > 100);
    for package in supply.crates() {
        let name = package["name"].as_str().unwrap();
        let license = package["license"].as_str().unwrap_or_default();
        assert!(is_met(license, &allowed), "{name}: {license}");
        assert!(package["source"].as_str().is_some_and(|source| source.ends_with("/crates.io-index")), "{name}: {}", package["source"]);
        assert!(!banned.iter().any(|banned| banned == name), "{name} is banned");
    }
}

#[test]
fn no_crate_comes_twice_but_those_that_are_listed() {
    let supply = Supply::load();
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in supply.crates() {
        versions.entry(package["name"].as_str().unwrap()).or_default().push(package["version"].as_str().unwrap());
    }
    let skipped = supply.list("bans", "skip");
    let is_skipped = |name: &str, version: &str| {
        skipped.iter().any(|skip| {
            let (crate_name, wanted) = skip.split_once('@').unwrap();
            crate_name == name && (version == wanted || version.starts_with(&format!("{wanted}.")))
        })
    };
    for (name, versions) in &versions {
        let counted: Vec<_> = versions.iter().filter(|version| !is_skipped(name, version)).collect();
        assert!(counted.len() <= 1, "{name} comes as {counted:?}: bring them together, or say in .ci/deny.toml why not");
    }
    for skip in &skipped {
        let (name, wanted) = skip.split_once('@').unwrap();
        let here =
            versions.get(name).is_some_and(|versions| versions.len() > 1 && versions.iter().any(|version| version.starts_with(wanted)));
        assert!(here, "{skip} does not come twice any more: take it out of .ci/deny.toml");
    }
}

#[test]
fn what_is_made_of_c_is_accounted_for() {
    let supply = Supply::load();
    let document = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/SECURITY.md")).unwrap();
    // Crates that link a library, or compile something that is no Rust.
    let builds_c = |package: &Value| {
        let links = package["links"].is_string();
        let dependencies = package["dependencies"].as_array().unwrap();
        let compiles = |one: &Value| one["kind"] == "build" && one["optional"] != true && (one["name"] == "cc" || one["name"] == "cmake");
        links || dependencies.iter().any(compiles)
    };
    let foreign: Vec<&str> = supply.crates().filter(|package| builds_c(package)).map(|package| package["name"].as_str().unwrap()).collect();
    assert!(foreign.contains(&"ring") && foreign.contains(&"zstd-sys"), "{foreign:?}");
    for name in foreign.iter().copied().chain(["pcap", "cel", "parquet", "rmcp"]) {
        assert!(document.contains(&format!("`{name}`")), "docs/SECURITY.md does not say what {name} is for");
    }
}
