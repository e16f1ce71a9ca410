use super::*;
use crate::report::{Report, samples};

fn page(reports: &[Report]) -> String {
    let mut out = Vec::new();
    let mut sink = HtmlSink::new(&mut out, vec![Setting::new("Stall after", "10 s".to_owned())]);
    for report in reports {
        report.give(&mut sink).unwrap();
    }
    sink.finish().unwrap();
    String::from_utf8(out).unwrap()
}

fn handshake(report: Handshake<'static>) -> Report {
    Report::Handshake(Box::new(report))
}

#[test]
fn the_page_has_it_all_without_any_script() {
    let page = page(&samples::run());
    let plain = page.split("<script").next().unwrap();
    for part in [
        "<h1>14 of 18 handshakes failed: 12 of 13 with www.example.test from 09:00:12 to 09:00:23, because",
        "id=\"incident-1\"",
        "certificate-expired",
        "<svg",
        "openssl s_client -connect 10.0.0.2:443",
        "Dropped while capturing",
        "cut short in the last block",
        "<dd>10 s</dd>",
        "id=\"about-certificate-expired\"",
        "<h4>certbot</h4>",
        "www.example.test (10.0.0.2:443)",
    ] {
        assert!(plain.contains(part), "{part}");
    }
}

#[test]
fn names_stay_text() {
    for name in [
        "</script><script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "\" onfocus=alert(1) x=\"",
        "<!--",
        "]]>",
        "\x1b[31m\u{202e}x",
    ] {
        let mut report = samples::named(name);
        report.capture.source = name.to_owned().into();
        let clean = page(&[handshake(samples::named("a.test")), Report::Summary(Box::new(samples::summary()))]);
        let mut summary = samples::summary();
        summary.notes = vec![name.to_owned()];
        let dirty = page(&[handshake(report), Report::Summary(Box::new(summary))]);
        assert_eq!(dirty.matches("<script").count(), clean.matches("<script").count(), "{name}");
        assert_eq!(dirty.matches("</script").count(), clean.matches("</script").count(), "{name}");
        let plain = dirty.split("<script").next().unwrap();
        assert!(!dirty.contains("<img") && !dirty.contains("<!--") && !plain.contains("\" onfocus="), "{name}");
        let before = dirty.split_once(['\x1b', '\u{202e}']).map(|(before, _)| before.chars().rev().take(60).collect::<String>());
        assert_eq!(before, None, "{name}, here backwards");
    }
}

#[test]
fn the_policy_names_the_one_script_and_the_one_style() {
    use data_encoding::BASE64;
    use sha2::{Digest, Sha256};
    let page = page(&samples::run());
    let policy = page.split("http-equiv=\"Content-Security-Policy\" content=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let policy = policy.replace("&#39;", "'");
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
    let script = page.rsplit("<script>").next().and_then(|rest| rest.split("</script>").next()).unwrap();
    let style = page.split("<style>").nth(1).and_then(|rest| rest.split("</style>").next()).unwrap();
    for text in [script, style] {
        assert!(policy.contains(&BASE64.encode(&Sha256::digest(text.as_bytes()))), "{policy}");
    }
    // Addresses stand in commands only, as text.
    for asking in [" style=\"", " onclick", " src=", "href=\"http", "action=", "url(", "@import"] {
        assert!(!page.contains(asking), "{asking}");
    }
}

#[test]
fn every_handshake_can_be_opened_again() {
    use std::io::Read as _;
    let reports: Vec<Report> = (0..300).map(|n| handshake(samples::expired(n))).collect();
    let page = page(&reports);
    let pieces =
        page.split("id=\"details\"").nth(1).and_then(|rest| rest.split('>').nth(1)).and_then(|rest| rest.split('<').next()).unwrap();
    let mut found = 0;
    for piece in pieces.lines() {
        let bytes = data_encoding::BASE64.decode(piece.as_bytes()).unwrap();
        let mut json = String::new();
        flate2::read::ZlibDecoder::new(bytes.as_slice()).read_to_string(&mut json).unwrap();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        for one in value["handshakes"].as_array().unwrap() {
            assert_eq!(one["diagnosis"]["cause"], "certificate-expired");
            found += 1;
        }
    }
    assert_eq!(found, 300);
    let rows = page.split("id=\"rows\">").nth(1).and_then(|rest| rest.split("</script>").next()).unwrap();
    let rows: serde_json::Value = serde_json::from_str(rows).unwrap();
    assert_eq!(rows["id"].as_array().unwrap().len(), 300);
    let cause = rows["cause"][299].as_u64().unwrap();
    assert_eq!(rows["texts"][usize::try_from(cause).unwrap()], "certificate-expired");
}

#[test]
fn an_empty_run_is_a_page_as_well() {
    let page = page(&[Report::Summary(Box::default())]);
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"), "{page}");
}
