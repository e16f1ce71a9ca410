//! docs/CAUSES.md: the index of the pages.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::families;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::page::Page;
use crate::diagnosis::rules;

/// The text of docs/CAUSES.md. Writing to a String cannot fail.
pub fn causes_markdown() -> String {
    let mut out = String::from(
        "# Causes\n\nEvery cause that handshark can name: [by family](#by-family), [by alert](#by-alert) and [by what programs \
         say](#by-what-programs-say). Each has a page, which `handshark explain CAUSE` prints; `handshark explain WORDS` searches.\n\n## By family\n",
    );
    for (family, causes) in families() {
        let _ = writeln!(out, "\n### {}\n", family.name());
        for cause in causes {
            let title = rules::of(cause).map_or("", |rule| rule.page.title);
            let _ = writeln!(out, "- {}: {title}", link(cause));
        }
    }
    let mut alerts: BTreeMap<(u8, &str), Vec<Cause>> = BTreeMap::new();
    let mut sayings: BTreeMap<(&str, &str), Vec<Cause>> = BTreeMap::new();
    for (cause, page) in pages() {
        for (who, what) in page.sayings() {
            let alert = Some(what).filter(|_| who == "alert").and_then(|what| what.split_once(' '));
            match alert.and_then(|(number, name)| Some((number.parse().ok()?, name))) {
                Some(alert) => alerts.entry(alert).or_default().push(cause),
                None => sayings.entry((who, what)).or_default().push(cause),
            }
        }
    }
    out.push_str("\n## By alert\n\n| alert | causes |\n|---|---|\n");
    for ((number, name), causes) in alerts {
        let _ = writeln!(out, "| {number} `{name}` | {} |", links(&causes));
    }
    out.push_str("\n## By what programs say\n\n| | says | causes |\n|---|---|---|\n");
    for ((who, what), causes) in sayings {
        let what = what.replace('|', "\\|");
        let what = if who == "symptom" { what } else { format!("`{what}`") };
        let _ = writeln!(out, "| {who} | {what} | {} |", links(&causes));
    }
    out
}

fn pages() -> impl Iterator<Item = (Cause, &'static Page)> {
    let causes = families().flat_map(|(_, causes)| causes);
    causes.filter_map(|cause| Some((cause, rules::of(cause)?.page)))
}

fn links(causes: &[Cause]) -> String {
    causes.iter().map(|cause| link(*cause)).collect::<Vec<_>>().join(", ")
}

fn link(cause: Cause) -> String {
    format!("[`{cause}`](causes/{cause}.md)")
}
