//! What is expected of made-up handshakes, and mistakes in files.

use super::*;
use crate::report::{Cause, Class, NamedGroup, Outcome as Ending, ProtocolVersion, Sighting, samples};

fn good() -> Sighting {
    let mut seen = Sighting::of(&samples::completed());
    seen.group = Some(NamedGroup::X25519MLKEM768);
    seen
}

fn outcome(file: &str, all: &[Sighting]) -> Outcome {
    let mut checker = Checker::new(Expectations::parse(file).unwrap());
    all.iter().for_each(|seen| checker.add(seen));
    checker.outcome()
}

fn statuses(outcome: &Outcome) -> Vec<(&str, Status)> {
    outcome.services.iter().flat_map(|service| &service.checks).map(|check| (check.what, check.status)).collect()
}

const FILE: &str = "[[service]]\nname = \"*.example.test\"\nversions = [\"1.3\"]\ngroups = [\"X25519MLKEM768\"]\n\
    issuers = [\"CN=Example*\"]\ndays_to_expiry = 14\nfailure_rate = 0.5\ncauses = []\n";

#[test]
fn what_holds_what_differs_and_what_was_not_observed_are_told_apart() {
    let told = outcome(FILE, &[good()]);
    let expected = [
        ("versions", Status::Holds),
        ("groups", Status::Holds),
        ("issuers", Status::NotObserved),
        ("days_to_expiry", Status::NotObserved),
        ("causes", Status::Holds),
        ("failure_rate", Status::Holds),
    ];
    assert_eq!(statuses(&told), expected);
    assert!(told.as_expected);
    let strict = outcome(&format!("unobserved = \"fail\"\n{FILE}"), &[good()]);
    assert!(!strict.as_expected && statuses(&strict) == expected, "the same is seen, and counts");
}

#[test]
fn a_difference_names_the_handshake_that_shows_it() {
    let old = Sighting { version: Some(ProtocolVersion::TLS12), group: Some(NamedGroup::X25519), ..good() };
    let told = outcome(FILE, &[good(), old.clone(), old]);
    assert!(!told.as_expected);
    let versions = &told.services[0].checks[0];
    assert_eq!((versions.status, versions.observed), (Status::Differs, 3));
    assert_eq!((versions.differences[0].found.as_str(), versions.differences[0].handshakes), ("TLS 1.2", 2));
    let example = &versions.differences[0].examples[0];
    assert_eq!((example.first_frame, example.last_frame, example.source.as_str()), (4, 17, "night.pcapng"));
    assert_eq!(told.services[0].checks[1].differences[0].found, "x25519");
}

#[test]
fn failures_and_new_causes_are_differences_beyond_what_is_allowed() {
    let failed = Sighting { outcome: Ending::Alerted, class: Class::Failed, cause: Some(Cause::CertificateExpired), ..good() };
    let told = outcome(FILE, &[good(), failed.clone()]);
    assert_eq!(statuses(&told)[4..], [("causes", Status::Differs), ("failure_rate", Status::Holds)], "half of them may fail");
    let told = outcome(FILE, &[good(), failed.clone(), failed.clone()]);
    assert_eq!(told.services[0].checks[5].differences[0].found, "2 of 3 failed, 66.7 %");
    let allowed = outcome(&FILE.replace("causes = []", "causes = [\"certificate-expired\"]"), &[good(), failed.clone()]);
    assert!(allowed.as_expected);
    // The capture lacks the rest: that is no failure and no cause.
    let undecided = Sighting { class: Class::Undecided, outcome: Ending::Incomplete, ..failed };
    assert!(outcome(FILE, &[undecided]).as_expected);
}

#[test]
fn services_that_are_not_described_are_allowed_or_not() {
    let other = Sighting { name: Some("elsewhere.test".to_owned()), ..good() };
    let told = outcome(FILE, &[good(), other.clone()]);
    assert!(told.as_expected && told.other_services[0].found == "elsewhere.test");
    assert!(!outcome(&format!("other_services = \"fail\"\n{FILE}"), &[good(), other]).as_expected);
    let by_address = "[[service]]\nserver = \"10.0.0.0/8:443\"\nhandshakes = 2\n";
    assert!(outcome(by_address, &[good(), good()]).as_expected);
    let few = outcome(by_address, &[good()]);
    assert!(!few.as_expected);
    assert_eq!(few.services[0].checks[0].differences[0].found, "1 handshake was seen");
}

#[test]
fn mistakes_name_their_line_and_what_would_be_right() {
    let head = "# mine\n[[service]]\nname = \"a.test\"\n";
    for (file, line, parts) in [
        (format!("{head}versoins = []\n"), Some(4), ["versoins", "did you mean `versions`?"]),
        (format!("{head}versions = [\"1.3\",\n  \"1.7\"]\n"), Some(5), ["\"1.7\" is no version", "\"1.3\""]),
        (format!("{head}groups = [\"x25518\"]\n"), Some(4), ["x25518", "X25519MLKEM768"]),
        (format!("{head}ciphers = [\"AES\"]\n"), Some(4), ["AES", "TLS_AES_128_GCM_SHA256"]),
        (format!("{head}causes = [\"certificate-expird\"]\n"), Some(4), ["did you mean `certificate-expired`", "handshark explain"]),
        (format!("{head}failure_rate = 2\n"), Some(4), ["from 0 to 1", "2 %"]),
        (format!("{head}days_to_expiry = -1\n"), Some(4), ["days_to_expiry", "not negative"]),
        (format!("{head}server = \"nowhere\"\n"), Some(4), ["is not an address", "192.0.2.1:443"]),
        (format!("{head}issuers = [\"[a\"]\n"), Some(4), ["[a", "pattern"]),
        ("unobserved = \"no\"\n[[service]]\nname = \"a\"\n".to_owned(), Some(1), ["unobserved", "\"allow\" or \"fail\""]),
        ("[[service]]\nversions = []\n".to_owned(), Some(1), ["says of no one", "name ="]),
        ("x = \n".to_owned(), Some(1), ["", ""]),
        (String::new(), None, ["expects nothing", "--learn"]),
    ] {
        let mistake = Expectations::parse(&file).unwrap_err();
        assert_eq!(mistake.line, line, "{file}: {mistake}");
        assert!(parts.iter().all(|part| mistake.why.contains(part)), "{file}: {mistake}");
    }
}

#[test]
fn what_is_learnt_holds_for_what_it_was_learnt_from() {
    let hostile = Sighting { name: Some("*.{a}\\\"\n[[service]] \u{202e}.test".to_owned()), ..good() };
    let unnamed = Sighting { name: None, version: Some(ProtocolVersion::TLS12), ..good() };
    let failed = Sighting { outcome: Ending::Alerted, class: Class::Failed, cause: Some(Cause::CertificateExpired), ..good() };
    let all = [good(), failed, hostile, unnamed];
    let mut learner = Learner::default();
    all.iter().for_each(|seen| learner.add(seen));
    let file = learner.file("a\n[[service]]");
    assert_eq!(file.matches("\n[[service]]").count(), 3, "{file}");
    assert!(!file.contains('\u{202e}'));
    let strict = file.replace("\"allow\"\n[[", "\"fail\"\n[[").replace("other_services = \"allow\"", "other_services = \"fail\"");
    let told = outcome(&strict, &all);
    assert!(told.as_expected && told.other_services.is_empty(), "{file}\n{told:?}");
    let worse = Sighting { version: Some(ProtocolVersion::TLS10), ..good() };
    assert!(!outcome(&file, &[worse]).as_expected);
}
