//! The report's page in a real browser: headless Chromium, where there is one.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use handshark::diagnosis::cause::Cause;
use handshark::diagnosis::remedy::Advice;
use handshark::output::Sink;
use handshark::output::html::HtmlSink;
use handshark::report::{Certificate, Handshake, Id, Report};
use handshark::time::Timestamp;

use crate::support::program::{done, text};
use crate::support::{analyse_in_full, fixtures};

/// Chromium's names in Debian and elsewhere.
const BROWSERS: &[&str] = &["chromium", "chromium-browser", "google-chrome"];

fn browser() -> Option<&'static str> {
    let found = BROWSERS.iter().find(|name| {
        Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    });
    if found.is_none() {
        crate::support::skip::skip("Chromium is not installed");
    }
    found.copied()
}

/// Loads a page; gives what it became, and what the browser logged.
fn load(browser: &str, page: &Path, hash: &str) -> (String, String) {
    let profile = tempfile::tempdir().unwrap();
    let out = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--enable-logging=stderr",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(["--virtual-time-budget=10000", "--dump-dom"])
        .arg(format!("file://{}#{hash}", page.display()))
        .output()
        .unwrap();
    (String::from_utf8(out.stdout).unwrap(), String::from_utf8_lossy(&out.stderr).into_owned())
}

/// What the page itself complained of: errors of the script, and what the policy refused.
fn complaints(log: &str) -> Vec<&str> {
    log.lines().filter(|line| line.contains("CONSOLE") || line.contains("Content Security Policy")).collect()
}

fn write(dir: &Path, name: &str, reports: &[Report]) -> PathBuf {
    let path = dir.join(name);
    let mut sink = HtmlSink::new(std::fs::File::create(&path).unwrap(), Vec::new());
    for report in reports {
        report.give(&mut sink).unwrap();
    }
    sink.finish().unwrap();
    path
}

fn reports(capture: &str) -> (Vec<Handshake<'static>>, Vec<Report>) {
    let said = analyse_in_full(&[fixtures().join("captures").join(capture)]);
    (said.typed_handshakes().cloned().collect(), said.typed)
}

#[test]
fn the_page_loads_filters_and_opens_a_handshake() {
    let Some(browser) = browser() else { return };
    let (handshakes, all) = reports("incident/incident-small.pcapng.zst");
    let dir = tempfile::tempdir().unwrap();
    let page = write(dir.path(), "report.html", &all);

    let (dom, log) = load(browser, &page, "");
    assert_eq!(complaints(&log), Vec::<&str>::new());
    assert!(dom.contains("415 of 415 handshakes, 112 failed"), "the table is not set up");
    let rows = dom.matches("aria-rowindex=").count();
    assert!((10..200).contains(&rows), "{rows} rows are drawn: those in view, not all");

    let (dom, log) = load(browser, &page, "cause=certificate-expired&outcome=alerted");
    assert_eq!(complaints(&log), Vec::<&str>::new());
    assert!(dom.contains("37 of 415 handshakes, 37 failed"), "the filter does not filter");

    // An incident counts those whose hidden reason it explains.
    let of = |cause: Cause| handshakes.iter().filter(|report| report.diagnosis.cause == Some(cause)).count();
    let other = handshakes.iter().filter_map(|report| report.diagnosis.cause).find(|cause| *cause != Cause::CertificateExpired).unwrap();
    let (dom, log) = load(browser, &page, &format!("cause=certificate-expired&also=no-such%20{}", other.slug()));
    assert_eq!(complaints(&log), Vec::<&str>::new());
    assert!(dom.contains(&format!("{} of 415 handshakes", of(other) + of(Cause::CertificateExpired))), "the joined cause is not shown");

    let (dom, _) = load(browser, &page, "q=cdn.lab.test");
    let named = handshakes.iter().filter(|report| report.server_name() == Some("cdn.lab.test")).count();
    assert!(named > 0 && dom.contains(&format!("{named} of 415 handshakes")), "the search does not find {named}");

    // Elsewhere the same handshakes have other times, in the table and in the filter: the earliest of all, and those within a second of it.
    let berlin = dir.path().join("berlin.html");
    done(&[
        "report",
        "-o",
        text(&berlin),
        "--no-trust",
        "--tz",
        "Europe/Berlin",
        text(&fixtures().join("captures/incident/incident-small.pcapng.zst")),
    ]);
    let first = handshakes.iter().map(|report| report.handshake.start).min().unwrap();
    let civil = |hours: i64, until: i64| {
        let there = Timestamp::from_nanos(first.nanos() + hours * 3_600_000_000_000 + until * 1_000_000_000).to_string();
        there.chars().take(23).collect::<String>()
    };
    let early = handshakes.iter().filter(|report| report.handshake.start < Timestamp::from_nanos(first.nanos() + 1_000_000_000)).count();
    let (there, log) = load(browser, &berlin, &format!("from={}&to={}", civil(1, 0), civil(1, 1)));
    assert_eq!(complaints(&log), Vec::<&str>::new());
    assert!(early > 0 && there.contains(&format!("{early} of 415 handshakes")), "the filter is not of the page's zone: {early}");
    assert!(there.contains("Start (CET)") && there.contains(&civil(1, 0).replace('T', " ")), "{}", civil(1, 0));

    let failed = handshakes.iter().find(|report| report.diagnosis.cause == Some(Cause::CertificateExpired)).unwrap();
    let (dom, log) = load(browser, &page, failed.handshake.id.as_str());
    assert_eq!(complaints(&log), Vec::<&str>::new());
    let dialog = dom.split("<dialog").nth(1).unwrap();
    assert!(dialog.split('>').next().unwrap().contains("open"), "no handshake is open");
    for part in ["Packet by packet", "ClientHello", "Offered and chosen", "certificate-expired", "this ended it"] {
        assert!(dialog.contains(part), "{part} is not in {dialog}");
    }
}

#[test]
fn hostile_names_do_nothing() {
    let Some(browser) = browser() else { return };
    let (handshakes, _) = reports("client-cert/clientcert_missing_tls12_gnutls.pcap");
    let dir = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    let hostile = [
        "</script><script>document.title='owned'</script>",
        "<img src=x onerror=\"document.title='owned'\">",
        "\"><svg onload=document.title='owned'>",
        "\x1b[2J\u{202e}gnp.exe",
        "<!--<script>",
    ];
    for (number, text) in hostile.iter().enumerate() {
        let mut report = handshakes[0].clone();
        report.handshake.id = Id::of(&u64::try_from(number).unwrap().to_be_bytes());
        report.capture.source = (*text).into();
        report.diagnosis.summary = Some((*text).into());
        report.diagnosis.remedy = vec![Advice::Text((*text).into())].into();
        for piece in report.diagnosis.evidence.to_mut() {
            (*text).clone_into(&mut piece.text);
        }
        for step in &mut report.timeline {
            (*text).clone_into(&mut step.text);
        }
        let tls = report.tls.as_mut().unwrap();
        tls.client.as_mut().unwrap().server_name = Some((*text).into());
        for shared in &mut tls.server.as_mut().unwrap().certificates {
            *shared = std::sync::Arc::new(Certificate {
                subject: (*text).to_owned(),
                issuer: (*text).to_owned(),
                san: vec![(*text).to_owned()],
                ..Certificate::default()
            });
        }
        all.push(Report::Handshake(Box::new(report)));
    }
    all.push(Report::Summary(Box::default()));
    let page = write(dir.path(), "hostile.html", &all);
    for number in 0..hostile.len() {
        let (dom, log) = load(browser, &page, &format!("{number:016x}"));
        assert_eq!(complaints(&log), Vec::<&str>::new());
        assert!(!dom.contains("<title>owned"), "a name ran as a script");
        // A browser writes `<` in attributes as it is.
        let dom = dom
            .split(" title=\"")
            .enumerate()
            .map(|(n, part)| if n == 0 { part } else { part.split_once('"').unwrap().1 })
            .collect::<String>();
        assert!(!dom.contains("<img") && !dom.contains("<svg onload") && !dom.contains(['\x1b', '\u{202e}']));
        assert!(dom.split("<dialog").nth(1).unwrap().contains("Packet by packet"), "handshake {number} is not open");
    }
}

/// Elements that have no end tag.
const VOID: &[&str] = &["meta", "link", "br", "wbr", "input", "!DOCTYPE"];

#[test]
fn every_element_is_closed() {
    let (_, all) = reports("incident/incident-small.pcapng.zst");
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), "report.html", &all);
    let page = std::fs::read_to_string(path).unwrap();
    let mut open: Vec<String> = Vec::new();
    let mut rest = page.as_str();
    let mut trace = String::new();
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end = rest.find('>').unwrap();
        let tag = &rest[..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            let _ = write!(trace, "/{name} ");
            assert_eq!(open.pop().as_deref(), Some(name), "{}", &trace[trace.len().saturating_sub(300)..]);
            continue;
        }
        let name = tag.split(char::is_whitespace).next().unwrap();
        let _ = write!(trace, "{name} ");
        if VOID.contains(&name) {
            continue;
        }
        open.push(name.to_owned());
        // What stands in these is no markup.
        if matches!(name, "script" | "style") {
            rest = &rest[rest.find(&format!("</{name}")).unwrap()..];
        }
    }
    assert!(open.is_empty(), "{open:?}");
    // An id names one element.
    let mut ids: Vec<&str> =
        page.split("</body>").next().unwrap().split(" id=\"").skip(1).filter_map(|part| part.split('"').next()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

/// `cargo test --release --test it fifty_thousand -- --ignored --nocapture`
#[test]
#[ignore = "measures; wants an idle machine"]
fn fifty_thousand_handshakes_open_within_three_seconds() {
    let Some(browser) = browser() else { return };
    let (handshakes, all) = reports("incident/incident-small.pcapng.zst");
    let dir = tempfile::tempdir().unwrap();
    let mut many = Vec::new();
    for number in 0..50_000_usize {
        let mut report = handshakes[number % handshakes.len()].clone();
        report.handshake.id = Id::of(&u64::try_from(number).unwrap().to_be_bytes());
        report.client.port = (1024 + number % 60_000) as u16;
        report.capture.first_frame += number as u64 * 20;
        many.push(Report::Handshake(Box::new(report)));
    }
    many.extend(all.into_iter().filter(|report| !matches!(report, Report::Handshake(_))));
    let began = std::time::Instant::now();
    let page = write(dir.path(), "large.html", &many);
    let size = std::fs::metadata(&page).unwrap().len();
    eprintln!("written in {:?}, {} bytes, {} a handshake", began.elapsed(), size, size / 50_000);
    let profile = tempfile::tempdir().unwrap();
    // The browser's own start is no part of it; its first run sets up the profile.
    let empty = dir.path().join("empty.html");
    std::fs::write(&empty, "<!DOCTYPE html><title>of 50,000 handshakes</title>").unwrap();
    let mut start = std::time::Duration::ZERO;
    let mut took = std::time::Duration::MAX;
    for (page, hash) in [(&empty, ""), (&empty, ""), (&page, ""), (&page, "cause=certificate-expired"), (&page, "000000000000c34f")] {
        let began = std::time::Instant::now();
        let out = Command::new(browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--dump-dom"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!("file://{}#{hash}", page.display()))
            .output()
            .unwrap();
        took = began.elapsed();
        if page == &empty {
            start = took;
        }
        let dom = String::from_utf8(out.stdout).unwrap();
        assert!(dom.contains("of 50,000 handshakes"));
        eprintln!("{}#{hash}: {took:?}, the browser's start and the page written out again included", page.display());
    }
    assert!(took.saturating_sub(start).as_secs_f64() < 3.0, "{took:?}, of it {start:?} for the start");
}
