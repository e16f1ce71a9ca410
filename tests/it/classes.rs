//! Every output counts handshakes by the same classes, and comes to the same numbers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use handshark::output::metrics::Metrics;
use handshark::report::{Class, Classes};
use serde_json::Value;

use crate::support::program::{done, handshakes, handshark, objects, text};
use crate::support::{analyse, fixtures};

/// A capture with many failures, and one of each class that it lacks.
fn captures() -> Vec<PathBuf> {
    [
        "incident/incident-small.pcapng.zst",
        "cert/cert_left_after_finished_gnutls.pcap",
        "slow/slow_server_finished_3s.pcap",
        "tcp/tcp-capture-ends-mid-handshake.pcap",
    ]
    .map(|name| fixtures().join("captures").join(name))
    .to_vec()
}

/// What was done on the wire: 60 clients too old, 37 expired certificates, 15 filtered hellos, 15 health checks among 415; and the three others.
const DONE: [(Class, u64); 6] = [
    (Class::Failed, 60 + 37 + 15),
    (Class::Rejected, 1),
    (Class::Troubled, 1),
    (Class::Undecided, 1),
    (Class::Probe, 15),
    (Class::Completed, 415 - 112 - 15),
];

type Sums = BTreeMap<String, u64>;

fn expected() -> Sums {
    DONE.into_iter().map(|(class, number)| (class.name().to_owned(), number)).collect()
}

fn tally<'a>(words: impl Iterator<Item = &'a str>) -> Sums {
    let mut sums = Sums::new();
    words.for_each(|word| *sums.entry(word.to_owned()).or_default() += 1);
    sums
}

fn numbers(object: &Value) -> Sums {
    object.as_object().unwrap().iter().map(|(word, number)| (word.clone(), number.as_u64().unwrap())).collect()
}

/// `418 handshakes: 112 failed, 1 rejected after completion, …` as sums, and the total before it.
fn told(text: &str) -> (u64, Sums) {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let number = |text: &str| text.replace(',', "").parse::<u64>().unwrap();
    let mut places = text.match_indices(" handshakes: ").map(|(at, words)| (&text[..at], &text[at + words.len()..]));
    let total = |(before, rest)| Some((str::rsplit(before, ' ').next()?.replace(',', "").parse::<u64>().ok()?, rest));
    let (total, mut rest) = places.find_map(total).unwrap();
    let mut sums = Sums::new();
    loop {
        let (count, words) = rest.split_once(' ').unwrap();
        let classes = Class::ALL.into_iter().filter(|class| words.starts_with(class.words(number(count))));
        let class = classes.max_by_key(|class| class.words(2).len()).unwrap_or_else(|| panic!("{rest}"));
        assert!(sums.insert(class.name().to_owned(), number(count)).is_none(), "{class:?} is counted twice");
        match words[class.words(number(count)).len()..].strip_prefix(", ") {
            Some(more) => rest = more,
            None => return (total, sums),
        }
    }
}

fn read(options: &[&str]) -> String {
    let captures = captures();
    done(&["read"].iter().chain(options).copied().chain(captures.iter().map(|path| text(path))).collect::<Vec<_>>())
}

#[test]
fn json_counts_them_in_lines_and_summary() {
    let json = read(&["--json", "--no-trust"]);
    assert_eq!(tally(handshakes(&json).iter().map(|line| line["handshake"]["class"].as_str().unwrap())), expected());
    let objects = objects(&json);
    let summary = objects.last().unwrap();
    assert_eq!(numbers(&summary["classes"]), expected());
    assert_eq!(summary["handshakes"], expected().values().sum::<u64>());
}

#[test]
fn a_selection_counts_what_it_took() {
    let json = read(&["--json", "--no-trust", "--outcome", "rejected-after-completion,probe"]);
    let sums = numbers(&objects(&json).last().unwrap()["classes"]);
    assert_eq!((sums["probe"], sums["rejected-after-completion"], sums.values().sum::<u64>()), (15, 1, 16));
}

#[test]
fn text_and_markdown_tell_the_same_sums() {
    let all = expected().values().sum::<u64>();
    for options in [&["--no-trust"][..], &["--no-trust", "--format", "md"]] {
        assert_eq!(told(&read(options)), (all, expected()), "{options:?}");
    }
}

#[test]
fn csv_has_a_class_in_each_row() {
    let text = read(&["--format", "csv", "--no-trust"]);
    let mut lines = text.lines();
    let place = lines.next().unwrap().split(',').rev().position(|name| name == "class").unwrap();
    // No field behind it is quoted.
    assert_eq!(tally(lines.map(|line| line.rsplit(',').nth(place).unwrap())), expected());
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_has_a_class_in_each_row() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::{Field, Row};
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("night.parquet");
    read(&["-q", "--no-trust", "--parquet", text(&file)]);
    let reader = SerializedFileReader::new(std::fs::File::open(&file).unwrap()).unwrap();
    let named = |row: &Row, name: &str| row.get_column_iter().find(|(known, _)| *known == name).map(|(_, field)| field.clone());
    let class = |row: Row| match named(&row, "handshake") {
        Some(Field::Group(handshake)) => named(&handshake, "class"),
        _ => None,
    };
    let classes: Vec<String> = reader
        .get_row_iter(None)
        .unwrap()
        .map(|row| match class(row.unwrap()) {
            Some(Field::Str(class)) => class,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(tally(classes.iter().map(String::as_str)), expected());
}

#[test]
fn the_page_has_the_same_sums() {
    let dir = tempfile::tempdir().unwrap();
    let page = dir.path().join("page.html");
    let captures = captures();
    done(&["report", "--no-trust", "-o", text(&page)].into_iter().chain(captures.iter().map(|path| text(path))).collect::<Vec<_>>());
    let page = std::fs::read_to_string(page).unwrap();
    let rows = page.split("<script").find_map(|part| part.split_once("id=\"rows\"")).unwrap().1;
    let rows = rows.split_once('>').unwrap().1.split("</script>").next().unwrap();
    let rows: Value = serde_json::from_str(rows).unwrap();
    let list = page.split("id=\"results\"").nth(1).unwrap().split("</ul>").next().unwrap();
    let words: Vec<&str> = list.split("data-name=\"").skip(1).map(|item| item.split('"').next().unwrap()).collect();
    let classes = rows["class"].as_array().unwrap().iter().map(|class| words[usize::try_from(class.as_u64().unwrap()).unwrap()]);
    assert_eq!(tally(classes), expected());
    for (class, number) in DONE {
        let tile = format!("<strong>{number}</strong> <span>{}</span>", class.words(number));
        assert!(page.contains(&tile), "{tile}");
    }
}

#[test]
fn metrics_count_each_once() {
    let metrics = Metrics::new(100);
    analyse(&captures(), 1).typed_handshakes().for_each(|handshake| metrics.handshake(handshake));
    let text = metrics.text();
    for family in ["handshark_handshakes_total{", "handshark_server_handshakes_total{"] {
        let mut sums = Sums::new();
        for line in text.lines().filter(|line| line.starts_with(family)) {
            let class = line.split("class=\"").nth(1).unwrap().split('"').next().unwrap();
            *sums.entry(class.to_owned()).or_default() += line.rsplit(' ').next().unwrap().parse::<u64>().unwrap();
        }
        assert_eq!(sums, expected(), "{family}");
    }
    let problems = text.lines().filter(|line| line.starts_with("handshark_problems_total{"));
    let problems: u64 = problems.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(problems, 112 + 1 + 1);
}

#[test]
fn what_is_counted_by_hand_is_the_same() {
    let mut classes = Classes::default();
    analyse(&captures(), 1).typed_handshakes().for_each(|handshake| classes.add(handshake.class()));
    assert_eq!(classes.iter().collect::<Vec<_>>(), DONE);
}

#[test]
fn fail_on_takes_every_class_that_is_counted() {
    let code = |class: Class, names: &[&str]| {
        let paths = names.iter().map(|name| fixtures().join("captures").join(name));
        handshark().args(["-q", "--no-trust", "--fail-on", class.name()]).args(paths).output().unwrap().status.code()
    };
    let all = ["cert/cert_left_after_finished_gnutls.pcap", "slow/slow_server_finished_3s.pcap", "tcp/tcp-capture-ends-mid-handshake.pcap"];
    for (class, found) in
        [(Class::Failed, 0), (Class::Rejected, 1), (Class::Troubled, 1), (Class::Undecided, 1), (Class::Probe, 0), (Class::Completed, 0)]
    {
        assert_eq!(code(class, &all), Some(found), "{class:?}");
    }
    assert_eq!(code(Class::Failed, &["incident/incident-small.pcapng.zst"]), Some(1));
    assert_eq!(code(Class::Probe, &["incident/incident-small.pcapng.zst"]), Some(1));
}

#[test]
fn alert_rules_and_dashboard_name_classes_that_there_are() {
    let known: Vec<&str> = Class::ALL.map(Class::name).to_vec();
    for text in [include_str!("../../deploy/prometheus-alerts.yml"), include_str!("../../deploy/grafana-dashboard.json")] {
        let text = text.replace("\\\"", "\"");
        let matchers: Vec<&str> =
            text.split("class").skip(1).filter_map(|rest| rest.strip_prefix("=~\"").or_else(|| rest.strip_prefix("!~\""))).collect();
        assert!(matchers.len() >= 2);
        for matcher in matchers {
            let words: Vec<&str> = matcher.split('"').next().unwrap().split('|').collect();
            assert!(words.iter().all(|word| known.contains(word)), "{words:?}");
        }
        // A rate of failures is that of the schema.
        assert!(text.contains("class=~\"failed|rejected-after-completion\"") && text.contains("class!~\"undecided|probe\""));
    }
}
