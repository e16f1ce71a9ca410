//! With secrets, what was encrypted is judged as if it had been in clear; without, with wrong or with broken ones the analysis goes on.
//!
//! A sidecar in `fixtures/captures` with `keylog` names a key log beside its capture, and in `exact` the cause that is really true.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use handshark::capture::{FrameSource, Inventory, KeyLogLines};
use handshark::frame::Block;

use crate::support::report::HandshakeReport;
use crate::support::{Said, analyse, analyse_in_full_with_keys, analyse_source, analyse_with_keys, capture_of, fixtures, labelled, open};

fn with_keys() -> Vec<(PathBuf, PathBuf, String)> {
    labelled()
        .into_iter()
        .filter_map(|(sidecar, label)| {
            let keys = sidecar.with_file_name(label.get("keylog")?.as_str()?);
            Some((capture_of(&sidecar, &label), keys, label["exact"].as_str().unwrap().to_owned()))
        })
        .collect()
}

fn suites() -> (PathBuf, PathBuf) {
    let folder = fixtures().join("captures/decryption");
    (folder.join("suites.pcap"), folder.join("suites.keys"))
}

fn causes(said: &Said) -> Vec<String> {
    said.handshakes.iter().map(|report| report.diagnosis.cause.clone().unwrap_or_else(|| "none".to_owned())).collect()
}

fn json(reports: &[HandshakeReport]) -> Vec<String> {
    reports.iter().map(|report| format!("{report:#?}")).collect()
}

/// A key log with every line changed by `change`.
fn changed(keys: &Path, change: impl Fn(&str) -> String) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    for line in std::fs::read_to_string(keys).unwrap().lines() {
        writeln!(file, "{}", change(line)).unwrap();
    }
    file
}

#[test]
fn the_exact_cause_is_found() {
    let all = with_keys();
    assert!(all.len() >= 20, "the fixtures are missing");
    let mut failures = Vec::new();
    for (capture, keys, exact) in &all {
        let said = analyse_with_keys(&[capture], &[keys], 1);
        let found = causes(&said);
        let decrypted = said.handshakes.iter().any(|report| report.handshake.decrypted);
        let right = if exact == "none" { found.iter().all(|cause| cause == "none") } else { found.contains(exact) };
        // What was changed on the way may be the first record, and then nothing opens.
        if !right || !(decrypted || exact == "record-corrupted") {
            failures.push(format!("{}: want {exact}, said {found:?}, decrypted {decrypted}", capture.display()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_suite_and_version_is_opened() {
    let (capture, keys) = suites();
    for threads in [1, 3] {
        let said = analyse_with_keys(&[&capture], &[&keys], threads);
        assert_eq!(said.handshakes.len(), 16);
        for report in &said.handshakes {
            let tls = report.tls.as_ref().unwrap();
            assert!(report.handshake.decrypted, "{:?} {:?}", tls.version, tls.cipher);
            assert_eq!(report.handshake.outcome, "completed");
            assert_eq!(tls.server.as_ref().unwrap().certificates.len(), 1);
        }
        // EncryptedExtensions, Certificate, CertificateVerify, Finished; the client's Finished.
        let hidden = said.handshakes.iter().filter(|report| report.handshake.history.starts_with("CsioxyfIF")).count();
        assert_eq!(hidden, 5, "the suites of TLS 1.3");
    }
}

/// What became of an encrypted hello, and the cause.
type Fate<'a> = (Option<&'a str>, Option<&'a str>);

/// Where the server took the encrypted hello, the log files the secrets under that one's random: what became of ECH is told for each connection.
#[test]
fn what_became_of_encrypted_hellos_is_told() {
    let folder = fixtures().join("captures/ech");
    let rows: &[(&str, &[Fate<'_>])] = &[
        ("ok_ech_accepted_rustls", &[(Some("accepted"), None)]),
        ("ok_ech_accepted_chromium", &[(Some("accepted"), None); 2]),
        ("ok_ech_grease_rustls", &[(Some("retry-configurations"), None)]),
        ("ech_stale_rustls", &[(Some("rejected"), Some("ech-rejected"))]),
        ("ok_ech_dns_rustls", &[(Some("accepted"), None)]),
        ("ech_stale_dns_rustls", &[(Some("rejected"), Some("ech-rejected"))]),
        ("ech_server_without_rustls", &[(Some("rejected"), Some("ech-rejected"))]),
        (
            "ech_stale_chromium",
            &[
                (Some("rejected"), Some("ech-rejected")),
                (Some("rejected"), Some("ech-rejected")),
                (Some("accepted"), None),
                (Some("accepted"), None),
            ],
        ),
    ];
    for (name, wanted) in rows {
        let [capture, keys] = ["pcap", "keys"].map(|kind| folder.join(format!("{name}.{kind}")));
        for threads in [1, 3] {
            let said = analyse_with_keys(&[&capture], &[&keys], threads);
            assert!(said.handshakes.iter().all(|report| report.handshake.decrypted), "{name}");
            let mut found: Vec<Fate<'_>> = said
                .handshakes
                .iter()
                .map(|report| (report.tls.as_ref().unwrap().ech.as_deref(), report.diagnosis.cause.as_deref()))
                .collect();
            found.sort_by_key(|(ech, _)| std::cmp::Reverse(*ech));
            assert_eq!(found, *wanted, "{name}");
        }
        // Nor does the name that stands in clear count as the one that the certificate is for.
        let said = analyse_with_keys(&[&capture], &[&keys], 1);
        let mismatch = |report: &HandshakeReport| report.diagnosis.findings.iter().any(|finding| finding.id == "certificate-name-mismatch");
        assert!(!said.handshakes.iter().any(mismatch), "{name}");
        let without = analyse(&[&capture], 1);
        assert!(without.handshakes.iter().all(|report| report.tls.as_ref().unwrap().ech.is_none()), "{name}: keys show it");
    }
}

/// CBC with encrypt-then-MAC (SHA-1, SHA-384), ChaCha20-Poly1305, CCM with short tags, and DTLS 1.0: each association says close_notify.
#[test]
fn every_kind_of_dtls_suite_is_opened() {
    let folder = fixtures().join("captures/decryption");
    let said = analyse_with_keys(&[folder.join("dtls-suites.pcap")], &[folder.join("dtls-suites.keys")], 1);
    assert_eq!(said.handshakes.len(), 5);
    for report in &said.handshakes {
        let tls = report.tls.as_ref().unwrap();
        assert!(report.handshake.decrypted, "{:?} {:?}", tls.version, tls.cipher);
        let closed: Vec<_> = tls.alerts.iter().map(|alert| (alert.from.as_str(), alert.code)).collect();
        assert_eq!(closed, [("client", Some(0)), ("server", Some(0))], "{:?} {:?}", tls.version, tls.cipher);
    }
}

#[test]
fn secrets_in_the_capture_itself_are_used() {
    let (capture, keys) = suites();
    let wanted = analyse_with_keys(&[&capture], &[&keys], 1);
    let capture = fixtures().join("captures/decryption/secrets.pcapng");
    let said = analyse(&[capture], 1);
    assert_eq!(said.handshakes.len(), wanted.handshakes.len());
    for (one, other) in said.handshakes.iter().zip(&wanted.handshakes) {
        assert!(one.handshake.decrypted);
        assert_eq!((&one.tls, &one.handshake.history), (&other.tls, &other.handshake.history));
    }
}

/// With keys, what is spoken through a connection to a proxy is followed: each handshake in it is told by itself, with the road that it took.
#[test]
fn a_handshake_within_another_is_told_by_itself() {
    let folder = fixtures().join("captures/proxy");
    let rows = [
        ("proxy-over-tls-ok", Some("http-connect"), "completed"),
        ("proxy-over-tls-expired", Some("http-connect"), "alerted"),
        ("proxy-over-tls-refused", Some("http-connect"), "plaintext"),
        ("socks-over-tls-untrusted", Some("socks5"), "alerted"),
        ("tls-in-tls-ok", None, "completed"),
    ];
    for (name, preamble, outcome) in rows {
        let [capture, keys] = ["pcap", "keys"].map(|kind| folder.join(format!("{name}.{kind}")));
        let without = analyse(&[&capture], 1);
        assert_eq!(without.handshakes.len(), 1, "{name}");
        for threads in [1, 3] {
            let said = analyse_with_keys(&[&capture], &[&keys], threads);
            let [outer, inner] = said.handshakes.as_slice() else { panic!("{name}: {} handshakes", said.handshakes.len()) };
            assert_eq!(
                (outer.handshake.outcome.as_str(), outer.handshake.decrypted, outer.network.path.as_slice()),
                ("completed", true, &[][..])
            );
            assert_eq!(inner.network.path, ["tls"], "{name}");
            assert_eq!((inner.handshake.preamble.as_deref(), inner.handshake.outcome.as_str()), (preamble, outcome), "{name}");
            assert_ne!(outer.handshake.id, inner.handshake.id);
        }
    }
    // What is asked of a server in clear through such a tunnel is none.
    let [capture, keys] = ["pcap", "keys"].map(|kind| folder.join(format!("proxy-over-tls-clear-ok.{kind}")));
    assert_eq!(analyse_with_keys(&[&capture], &[&keys], 1).handshakes.len(), 1);
}

/// What a tunnel's path is behind `tls`, how the handshake in it ended and by which cause.
type Way<'a> = (&'a [&'a str], &'a str, Option<&'a str>);

/// The streams of one HTTP/2 connection, and the frames of WebSocket inside TLS, are roads like any other.
#[test]
fn tunnels_through_http2_and_websocket_are_followed() {
    let folder = fixtures().join("captures/proxy");
    let first = &["http2 stream 1"][..];
    let rows: &[(&str, &str, &[Way<'_>])] = &[
        ("proxy-over-http2-ok", "http-connect", &[(first, "completed", None)]),
        ("proxy-over-http2-expired", "http-connect", &[(first, "completed", Some("certificate-expired"))]),
        ("proxy-over-http2-login-required", "http-connect", &[(first, "plaintext", Some("proxy-auth-required"))]),
        ("proxy-over-http2-silent", "http-connect", &[(first, "stalled", Some("server-silent"))]),
        ("proxy-over-http2-refused", "http-connect", &[(first, "plaintext", Some("proxy-refused"))]),
        ("proxy-over-http2-upstream-dead", "http-connect", &[(first, "plaintext", Some("proxy-upstream-failed"))]),
        ("proxy-over-http2-login", "http-connect", &[(first, "completed", None)]),
        (
            "proxy-over-http2-three-tunnels",
            "http-connect",
            &[
                (first, "completed", None),
                (&["http2 stream 3"], "closed", Some("certificate-expired")),
                (&["http2 stream 5"], "completed", None),
            ],
        ),
        ("proxy-over-http2-chromium-ok", "http-connect", &[(first, "completed", None), (&["http2 stream 3"], "completed", None)]),
        ("http2-web-ok", "", &[]),
        ("websocket-over-tls-ok", "websocket", &[(&["websocket"], "completed", None)]),
        ("websocket-over-tls-expired", "websocket", &[(&["websocket"], "alerted", Some("certificate-expired"))]),
        ("websocket-deflate-over-tls-ok", "websocket", &[(&["websocket"], "completed", None)]),
        ("websocket-over-tls-not-found", "", &[]),
        ("masque-over-http1-ok", "connect-udp", &[(&["connect-udp"], "completed", None)]),
        ("masque-over-http2-ok", "connect-udp", &[(&["http2 stream 1", "connect-udp"], "completed", None)]),
        ("masque-over-http2-expired", "connect-udp", &[(&["http2 stream 1", "connect-udp"], "alerted", Some("certificate-expired"))]),
        ("masque-over-http2-refused", "connect-udp", &[(first, "plaintext", Some("proxy-refused"))]),
    ];
    for (name, preamble, tunnels) in rows {
        let [capture, keys] = ["pcap", "keys"].map(|kind| folder.join(format!("{name}.{kind}")));
        assert_eq!(analyse(&[&capture], 1).handshakes.len(), 1, "{name} without keys");
        for threads in [1, 3] {
            let said = analyse_with_keys(&[&capture], &[&keys], threads);
            // What is over first is told first.
            let (outer, inner): (Vec<_>, Vec<_>) = said.handshakes.iter().partition(|one| one.network.path.is_empty());
            let [outer] = outer.as_slice() else { panic!("{name}: {} outer handshakes", outer.len()) };
            assert_eq!((outer.handshake.outcome.as_str(), outer.diagnosis.cause.as_deref()), ("completed", None), "{name}");
            let mut seen: Vec<_> = inner
                .iter()
                .map(|inner| {
                    assert_eq!((inner.network.path[0].as_str(), inner.handshake.preamble.as_deref()), ("tls", Some(*preamble)), "{name}");
                    (inner.network.path[1..].to_vec(), inner.handshake.outcome.as_str(), inner.diagnosis.cause.as_deref())
                })
                .collect();
            seen.sort();
            let due: Vec<_> =
                tunnels.iter().map(|(path, outcome, cause)| (path.iter().map(ToString::to_string).collect(), *outcome, *cause)).collect();
            assert_eq!(seen, due, "{name}");
            let named = said.lines.last().unwrap().contains("\"MASQUE over TLS\"");
            assert_eq!(named, name.starts_with("masque") && !name.ends_with("refused"), "{name}: datagrams are named");
            let ids: std::collections::BTreeSet<_> = said.handshakes.iter().map(|one| &one.handshake.id).collect();
            assert_eq!(ids.len(), said.handshakes.len(), "{name}: each has a name of its own");
        }
    }
}

/// What is over gives its place to what comes later: each of 68 tunnels of one connection is told, and none is said to be dropped.
#[test]
fn tunnels_that_are_over_make_room() {
    let folder = fixtures().join("captures/proxy");
    let [capture, keys] = ["pcap", "keys"].map(|kind| folder.join(format!("proxy-over-http2-many-tunnels.{kind}")));
    for threads in [1, 3] {
        let said = analyse_with_keys(&[&capture], &[&keys], threads);
        let mut causes: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
        for one in said.handshakes.iter().filter(|one| !one.network.path.is_empty()) {
            *causes.entry(one.diagnosis.cause.as_deref().unwrap_or("none")).or_default() += 1;
        }
        assert_eq!(causes.into_iter().collect::<Vec<_>>(), [("certificate-expired", 1), ("none", 34), ("proxy-upstream-failed", 33)]);
        assert!(!said.lines.last().unwrap().contains("Not read to their end"));
    }
}

/// Shows its key log only when the capture is over.
struct Late {
    inner: Box<dyn FrameSource>,
    lines: Vec<Vec<u8>>,
    known: KeyLogLines,
}

impl FrameSource for Late {
    fn fill(&mut self, block: &mut Block) -> handshark::error::Result<bool> {
        let more = self.inner.fill(block)?;
        if !more {
            self.known.lines = std::mem::take(&mut self.lines);
        }
        Ok(more)
    }
    fn inventory(&self) -> &Inventory {
        self.inner.inventory()
    }
    fn progress(&self) -> (u64, Option<u64>) {
        self.inner.progress()
    }
    fn key_log(&self) -> Option<&KeyLogLines> {
        Some(&self.known)
    }
}

#[test]
fn secrets_that_come_after_the_packets_tell_the_same() {
    for (capture, keys, _) in with_keys() {
        let wanted = analyse_with_keys(&[&capture], &[&keys], 1);
        // A connection that is settled, or followed by others, is judged before the capture ends.
        if wanted.handshakes.len() != 1 || wanted.handshakes[0].handshake.outcome == "completed" {
            continue;
        }
        let inner = open(&[&capture]);
        let lines = std::fs::read(&keys).unwrap().split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let said = analyse_source(Box::new(Late { inner, lines, known: KeyLogLines::default() }), 1, false);
        assert_eq!(said.handshakes[0].handshake, wanted.handshakes[0].handshake, "{}", capture.display());
        assert!(json(&said.handshakes) == json(&wanted.handshakes), "{}", capture.display());
    }
}

#[test]
fn secrets_that_do_not_fit_change_nothing() {
    let other = |line: &str| {
        let (head, secret) = line.rsplit_once(' ').unwrap();
        format!("{head} {}", secret.chars().map(|c| if c == '0' { '1' } else { '0' }).collect::<String>())
    };
    for (capture, keys, _) in with_keys() {
        let wrong = changed(&keys, other);
        let without = analyse(&[&capture], 1);
        let said = analyse_with_keys(&[&capture], &[wrong.path().to_owned()], 1);
        assert!(json(&said.handshakes) == json(&without.handshakes), "{}", capture.display());
        // Those of an encrypted hello are filed under a random that nobody sees: that they do not fit shows as little as whose they are.
        let told = if capture.to_string_lossy().contains("/ok_ech_") && !capture.to_string_lossy().contains("grease") {
            "None of the secrets"
        } else {
            "do not fit"
        };
        assert!(said.summary.notes.iter().any(|note| note.contains(told)), "{}: {:?}", capture.display(), said.summary.notes);
    }
}

#[test]
fn a_broken_key_log_is_said_and_its_whole_lines_are_used() {
    let (capture, keys) = suites();
    let text = std::fs::read_to_string(&keys).unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(file, "this is no key log\n{}", &text[..text.len() - 20]).unwrap();
    let said = analyse_with_keys(&[capture], &[file.path().to_owned()], 1);
    assert!(said.handshakes.iter().filter(|report| report.handshake.decrypted).count() >= 15);
    assert!(said.summary.notes.iter().any(|note| note.contains("2 lines")), "{:?}", said.summary.notes);
}

#[test]
fn any_part_of_a_key_log_is_enough_to_go_on() {
    for (capture, keys, exact) in with_keys().into_iter().filter(|(_, _, exact)| exact == "none") {
        for label in ["CLIENT_HANDSHAKE", "SERVER_HANDSHAKE", "CLIENT_TRAFFIC", "SERVER_TRAFFIC", "CLIENT_EARLY"] {
            let part = changed(&keys, |line| if line.starts_with(label) { String::new() } else { line.to_owned() });
            let said = analyse_with_keys(&[&capture], &[part.path().to_owned()], 1);
            let found = causes(&said);
            assert!(found.iter().all(|cause| *cause == exact), "{} without {label}: {found:?}", capture.display());
            assert!(said.handshakes.iter().all(|report| report.handshake.outcome == "completed"), "{} without {label}", capture.display());
        }
    }
}

#[test]
fn no_secret_is_in_any_output() {
    for (capture, keys, _) in with_keys() {
        let said = analyse_with_keys(&[&capture], &[&keys], 1);
        let shown = json(&said.handshakes).concat() + &format!("{:?}", said.summary);
        for line in std::fs::read_to_string(&keys).unwrap().lines().filter(|line| !line.starts_with('#')) {
            let secret = line.rsplit(' ').next().unwrap();
            assert!(secret.len() < 64 || !shown.contains(&secret[..32]), "{}", capture.display());
        }
    }
}

/// A capture tool that writes the secrets when it learns them puts them behind the packets. Within what is read at a time they still serve.
#[test]
fn secrets_behind_the_packets_in_the_capture_are_used() {
    let path = fixtures().join("captures/decryption/secrets.pcapng");
    let bytes = std::fs::read(&path).unwrap();
    let mut blocks = Vec::new();
    let mut rest = &bytes[..];
    while rest.len() >= 12 {
        let len = usize::try_from(u32::from_le_bytes(rest[4..8].try_into().unwrap())).unwrap();
        let (block, behind) = rest.split_at(len);
        blocks.push(block);
        rest = behind;
    }
    let is_secrets = |block: &&[u8]| block[..4] == [10, 0, 0, 0];
    assert!(blocks.iter().any(is_secrets));
    blocks.sort_by_key(|block| is_secrets(block));
    let mut file = tempfile::NamedTempFile::with_suffix(".pcapng").unwrap();
    file.write_all(&blocks.concat()).unwrap();
    let (wanted, said) = (analyse(&[path], 1), analyse(&[file.path().to_owned()], 1));
    assert_eq!(said.handshakes.len(), wanted.handshakes.len());
    assert!(said.handshakes.iter().all(|report| report.handshake.decrypted));
}

/// What the ladder says of a handshake's early data.
fn early_data(report: &HandshakeReport) -> String {
    let steps = report.timeline.iter().filter(|step| step.kind == "application_data");
    steps.map(|step| step.text.clone()).find(|text| text.contains("0-RTT")).unwrap_or_default()
}

/// 0-RTT packets come before the server has chosen a suite, and need one secret of their own.
#[test]
fn early_data_of_quic_is_opened() {
    for name in ["aioquic-0rtt", "aioquic-0rtt-chacha20-v2"] {
        let capture = fixtures().join("captures/quic").join(name).with_extension("pcap");
        let keys = capture.with_extension("keys");
        let only_early = changed(&keys, |line| if line.starts_with("CLIENT_EARLY") { line.to_owned() } else { String::new() });
        let wrong = changed(&keys, |line| format!("{}{}", &line[..line.len() - 2], if line.ends_with("00") { "01" } else { "00" }));
        for (keys, opened, decrypted) in
            [(keys.as_path(), ", 1 opened", true), (only_early.path(), ", 1 opened", false), (wrong.path(), "", false)]
        {
            let said = analyse_in_full_with_keys(&[&capture], &[keys]);
            let [report] = said.handshakes.as_slice() else { panic!("{name}") };
            assert_eq!((report.handshake.outcome.as_str(), report.handshake.early_data), ("completed", true), "{name}");
            assert_eq!(report.handshake.decrypted, decrypted, "{name} {}", keys.display());
            assert_eq!(early_data(report), format!("early data: 1 0-RTT packet in all{opened}"), "{name} {}", keys.display());
            let misfit = said.summary.notes.iter().any(|note| note.contains("do not fit"));
            assert_eq!(misfit, opened.is_empty(), "{:?}", said.summary.notes);
        }
    }
}
