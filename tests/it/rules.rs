//! The catalogue is whole: every cause has its rule, every rule its page, and each fires somewhere and stays silent where all is well, and where
//! something near it is true.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use handshark::diagnosis::cause::Cause;
use handshark::diagnosis::rules;
use handshark::tls::registry::AlertDescription;

use crate::support::{analyse, analyse_with, capture_of, fixtures, labelled, open, options};

/// Causes that no bundled capture shows, and what shows them instead: the file under `src/diagnosis/rules`, the test in it, and why.
const SHOWN_BY_A_TEST: &[(&str, &str, &str, &str)] = &[
    (
        "capture-gaps",
        "capture/tests.rs",
        "bytes_that_were_acknowledged_and_never_seen_were_lost_by_the_capture",
        "the bundled captures lost nothing",
    ),
    (
        "plaintext-injected",
        "middlebox/tests.rs",
        "a_block_page_is_a_filters_answer_and_an_ordinary_page_the_servers",
        "written by filters that are not at hand",
    ),
    (
        "throttled",
        "middlebox/tests.rs",
        "a_path_that_crawls_for_one_name_alone_is_throttled",
        "needs other names at the same server for comparison",
    ),
    ("starttls-injection", "plaintext/injection.rs", "worth_knowing_but_no_cause", "no ordinary client does it"),
    ("no-common-version", "version/tests.rs", "versions_that_do_not_meet", "old clients and TLS 1.3 alone have causes of their own"),
    (
        "default-certificate",
        "certificate/tests.rs",
        "a_products_default_certificate_is_told_from_another_hosts",
        "the products that make such certificates are not at hand",
    ),
    (
        "client-certificate-wrong-usage",
        "client_auth/tests.rs",
        "a_servers_certificate_does_not_authenticate_a_client",
        "the bundled captures show it under TLS 1.3 alone, where the certificate is hidden",
    ),
    (
        "quic-retry-loop",
        "quic/tests.rs",
        "a_token_that_is_not_taken_is_a_loop_and_two_retries_alone_are_none",
        "takes several servers behind one address",
    ),
    (
        "dtls-cookie-lost",
        "dtls/tests.rs",
        "a_cookie_that_leads_to_nothing_is_lost_or_refused",
        "takes several servers behind one address, or a NAT that changes ports",
    ),
];

#[test]
fn every_cause_has_one_rule() {
    for cause in Cause::ALL.iter().copied() {
        let count = rules::all().iter().filter(|rule| rule.cause == cause).count();
        assert_eq!(count, 1, "{cause} has {count} rules");
    }
}

#[test]
fn every_cause_stands_in_its_family() {
    for family in rules::FAMILIES {
        for about in family.about() {
            assert_eq!(about.cause.family(), family.family, "{}", about.cause);
        }
    }
}

/// One table says in which order is judged, and causes are listed.
#[test]
fn causes_are_listed_in_the_order_of_judgement() {
    let index = handshark::output::explain::causes_markdown();
    let listed: Vec<&str> = index.lines().filter_map(|line| line.strip_prefix("- [`")?.split('`').next()).collect();
    let judged: Vec<&str> = rules::all().iter().map(|about| about.cause.slug()).collect();
    assert_eq!(listed, judged);
    let headings: Vec<&str> = index.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    assert_eq!(headings, rules::FAMILIES.iter().map(|family| family.family.name()).collect::<Vec<_>>());
}

#[test]
fn every_folder_is_a_family() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/diagnosis/rules");
    let folders: BTreeSet<String> = fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_string_lossy().replace('_', "-"))
        .collect();
    let families: BTreeSet<String> = rules::FAMILIES.iter().map(|family| family.family.name().to_owned()).collect();
    assert_eq!(folders, families);
}

/// The signs by which families are asked leave out nobody who has something to say.
#[test]
fn signs_keep_no_family_silent_that_would_speak() {
    let asked = options(1, false);
    let mut all = options(1, false);
    all.policy.ask_all = true;
    for (sidecar, label) in labelled() {
        let capture = capture_of(&sidecar, &label);
        let keys = capture.with_extension("keys");
        let source = || {
            if keys.exists() {
                handshark::capture::with_key_logs(open(&[&capture]), std::slice::from_ref(&keys)).unwrap()
            } else {
                open(&[&capture])
            }
        };
        let (some, every) = (analyse_with(source(), &asked), analyse_with(source(), &all));
        assert_eq!(some.lines, every.lines, "{}", sidecar.display());
    }
}

#[test]
fn every_page_is_whole() {
    let mut files: BTreeSet<String> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/causes"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for rule in rules::all() {
        let page = rule.page;
        let sections = [page.title, page.meaning, page.recognised, page.confused_with, page.check];
        assert!(sections.iter().all(|text| text.len() > 10), "{}: a section is missing", rule.cause);
        let fixes: Vec<_> = page.fixes().collect();
        assert!(fixes.iter().all(|(who, what)| !who.is_empty() && !what.is_empty()), "{}: a fix without a text", rule.cause);
        assert_eq!(
            fixes.len(),
            page.fix.lines().filter(|line| line.starts_with("### ")).count(),
            "{}: text before the first fix",
            rule.cause
        );
        assert!(!fixes.is_empty(), "{}: no fix", rule.cause);
        assert_eq!(page.sources().count(), page.references.lines().count(), "{}: a reference is no item of a list", rule.cause);
        assert!(page.sources().count() > 0, "{}: no references", rule.cause);
        assert_eq!(page.sayings().count(), page.known_as.lines().count(), "{}: `- who: what` is wanted", rule.cause);
        assert!(!page.title.ends_with('.'), "{}: a title is no sentence", rule.cause);
        assert_eq!(page.family, rule.cause.family().name(), "{}", rule.cause);
        let texts = [page.meaning, page.check, page.fix];
        let fences = texts.iter().flat_map(|text| text.lines()).filter(|line| line.starts_with("```"));
        let mut open = false;
        for fence in fences {
            assert_eq!(fence, if open { "```" } else { "```sh" }, "{}", rule.cause);
            open = !open;
        }
        assert!(!open, "{}: a block of commands does not end", rule.cause);
        assert!(files.remove(&format!("{}.md", rule.cause)), "{}: another file's page", rule.cause);
    }
    assert!(files.is_empty(), "pages of no rule: {files:?}");
}

#[test]
fn alerts_of_the_pages_are_the_registry_s() {
    for rule in rules::all() {
        for (_, what) in rule.page.sayings().filter(|(who, _)| *who == "alert") {
            let (number, name) = what.split_once(' ').unwrap();
            assert_eq!(AlertDescription(number.parse().unwrap()).name(), Some(name), "{}", rule.cause);
        }
    }
}

#[test]
fn every_rule_fires_somewhere_and_is_no_cause_where_all_is_well() {
    let mut fires: BTreeMap<String, String> = BTreeMap::new();
    let mut false_alarms = Vec::new();
    for (sidecar, label) in labelled() {
        let said = analyse(&[capture_of(&sidecar, &label)], 1);
        let well = sidecar.parent().is_some_and(|family| family.ends_with("success"));
        for report in &said.handshakes {
            let named = report.diagnosis.cause.iter().chain(report.diagnosis.findings.iter().map(|finding| &finding.id));
            for cause in named {
                fires.entry(cause.clone()).or_insert_with(|| sidecar.display().to_string());
            }
            if let (true, Some(cause)) = (well, &report.diagnosis.cause) {
                false_alarms.push(format!("{}: {cause}", sidecar.display()));
            }
        }
    }
    assert!(false_alarms.is_empty(), "causes where all is well:\n{}", false_alarms.join("\n"));
    let elsewhere: BTreeSet<&str> = SHOWN_BY_A_TEST.iter().map(|(cause, ..)| *cause).collect();
    let silent: Vec<&str> =
        Cause::ALL.iter().copied().map(Cause::slug).filter(|slug| !fires.contains_key(*slug) && !elsewhere.contains(slug)).collect();
    assert!(silent.is_empty(), "no capture shows these, and SHOWN_BY_A_TEST names no test: {silent:?}");
    let both: Vec<&&str> = elsewhere.iter().filter(|slug| fires.contains_key(**slug)).collect();
    assert!(both.is_empty(), "captures show these; remove them from SHOWN_BY_A_TEST: {both:?}");
}

/// `fixtures/near.toml` names a capture for each cause that is close to it and not it.
#[test]
fn no_cause_is_seen_where_something_near_it_is_true() {
    let table: toml::Table = fs::read_to_string(fixtures().join("near.toml")).unwrap().parse().unwrap();
    let all: BTreeSet<&str> = Cause::ALL.iter().map(|cause| cause.slug()).collect();
    let named: BTreeSet<&str> = table.keys().map(String::as_str).collect();
    assert_eq!(named, all, "a near miss for each cause, and for nothing else");
    let mut said: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (cause, near) in &table {
        let [capture, why] = [0, 1].map(|index| near[index].as_str().unwrap());
        assert!(why.ends_with('.') && why.split(' ').count() > 4, "{cause}: a sentence that tells the two apart");
        let yielded = said.entry(capture).or_insert_with(|| {
            let handshakes = analyse(&[fixtures().join("captures").join(capture)], 1).handshakes;
            assert!(!handshakes.is_empty(), "{capture} holds no handshake");
            let told = handshakes.into_iter().flat_map(|report| {
                let findings = report.diagnosis.findings.into_iter().map(|finding| finding.id);
                report.diagnosis.cause.into_iter().chain(findings).collect::<Vec<_>>()
            });
            told.collect()
        });
        if yielded.contains(cause) {
            wrong.push(format!("{cause} in {capture}, though: {why}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_tests_that_stand_in_for_captures_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/diagnosis/rules");
    for (cause, file, test, _) in SHOWN_BY_A_TEST {
        let cause: Cause = cause.parse().unwrap_or_else(|()| panic!("{cause} is no cause"));
        let text = fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(text.contains(&format!("fn {test}()")), "{cause}: {file} has no test {test}");
    }
}
