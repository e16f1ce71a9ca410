//! Find, prove, compare: the commands that follow an incident, as their user runs them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use handshark::diagnosis::cause::Cause;
use handshark::flow::Side;
use serde_json::Value;

use super::support::conversation::Conversation;
use super::support::program::{done, handshakes, objects, refused, text, tshark};
use super::support::{capture_of, fixtures, incident, labelled};

/// Labelled captures of some families.
fn captures(families: &[&str]) -> Vec<PathBuf> {
    let inside = |path: &Path| families.iter().any(|family| path.parent().unwrap().ends_with(family));
    labelled().into_iter().filter(|(path, _)| inside(path)).map(|(path, label)| capture_of(&path, &label)).collect()
}

/// Outcome, cause and who stopped it, by id.
fn verdicts(json: &str) -> BTreeMap<String, [String; 3]> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let said = |one: &Value| [word(&one["handshake"]["outcome"]), word(&one["diagnosis"]["cause"]), word(&one["diagnosis"]["stopped_by"])];
    handshakes(json).iter().map(|one| (word(&one["handshake"]["id"]), said(one))).collect()
}

#[test]
fn what_is_asked_for_is_shown_and_the_rest_is_counted() {
    let capture = incident();
    let all = handshakes(&done(&[text(&capture), "--json"]));
    // Health checks are no failures.
    let failed = |one: &&Value| {
        one["handshake"]["outcome"] != "completed"
            && one["handshake"]["outcome"] != "incomplete"
            && one["diagnosis"]["cause"] != "tcp-probe"
    };
    let expected = all.iter().filter(failed).count();
    assert!(expected > 0 && expected < all.len(), "{expected} of {}", all.len());
    let found = done(&[text(&capture), "--json", "--outcome", "failed"]);
    assert_eq!(handshakes(&found).len(), expected);
    let summary = objects(&found).pop().unwrap();
    assert_eq!(summary["handshakes"], expected);
    assert_eq!(summary["left_out"], all.len() - expected);
    assert_eq!(expected, 112);
    let condition = "handshake.outcome != 'completed' && handshake.outcome != 'incomplete' && diagnosis.cause != 'tcp-probe'";
    assert_eq!(handshakes(&done(&[text(&capture), "--json", "--where", condition])), handshakes(&found));
    let name = all.iter().find_map(|one| one["tls"]["client"]["server_name"].as_str()).unwrap();
    let named = handshakes(&done(&[text(&capture), "--json", "--name", &name.to_uppercase()]));
    assert!(!named.is_empty() && named.iter().all(|one| one["tls"]["client"]["server_name"] == name));
    let text = done(&[text(&capture), "--outcome", "failed"]);
    assert!(text.contains(&format!("(asked for, of {})", all.len())), "{text}");
}

/// A directory as tcpdump's -C and -z leave it: parts in one directory, some compressed, their names not in the order of their times.
#[test]
fn a_directory_of_rotated_captures_is_one_capture() {
    let dir = tempfile::tempdir().unwrap();
    let packed = fs::read(incident()).unwrap();
    let whole = zstd::decode_all(packed.as_slice()).unwrap();
    let single = dir.path().join("whole.pcapng");
    fs::write(&single, &whole).unwrap();
    let expected = verdicts(&done(&[text(&single), "--json", "--no-trust"]));
    let parts = dir.path().join("var/captures");
    fs::create_dir_all(parts.join("older")).unwrap();
    // Cut between blocks: section header and interface description in front of each part.
    let block = |at: usize| u32::from_le_bytes(whole[at + 4..at + 8].try_into().unwrap()) as usize;
    let (mut at, mut head, mut packets) = (0, Vec::new(), Vec::new());
    while at < whole.len() {
        let len = block(at);
        let bytes = &whole[at..at + len];
        if u32::from_le_bytes(bytes[..4].try_into().unwrap()) == 6 {
            packets.push(bytes);
        } else if packets.is_empty() {
            head.extend_from_slice(bytes);
        }
        at += len;
    }
    let third = packets.len().div_ceil(3);
    for (chunk, name) in packets.chunks(third).zip(["z-first.pcapng", "m-second.pcapng.zst", "older/a-third.pcapng.gz"]) {
        let bytes = [head.clone(), chunk.concat()].concat();
        let bytes = match name.rsplit('.').next() {
            Some("zst") => zstd::encode_all(bytes.as_slice(), 1).unwrap(),
            Some("gz") => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                std::io::Write::write_all(&mut encoder, &bytes).unwrap();
                encoder.finish().unwrap()
            }
            _ => bytes,
        };
        fs::write(parts.join(name), bytes).unwrap();
    }
    fs::write(parts.join("README.txt"), "captures of the gateway").unwrap();
    let json = done(&[text(&parts), "--json", "--no-trust"]);
    assert_eq!(verdicts(&json), expected);
    let summary = objects(&json).pop().unwrap();
    let sources: Vec<_> = summary["inputs"].as_array().unwrap().iter().map(|input| input["source"].as_str().unwrap().to_owned()).collect();
    let order = ["z-first", "m-second", "a-third"];
    assert!(sources.len() >= 3 && sources.iter().zip(order).all(|(source, name)| source.contains(name)), "{sources:?}");
}

#[test]
fn nothing_found_is_said_and_mistakes_point_at_their_column() {
    let capture = incident();
    assert!(done(&[text(&capture), "--name", "nosuch.example"]).contains("Nothing found"));
    let error = refused(&[text(&capture), "--where", "handshake.outcme == 'stalled'"]);
    assert!(error.contains("did you mean `outcome`") && error.contains("\n            ^"), "{error}");
    // Fields of QUIC and DTLS are fields, and so is the timeline.
    assert!(done(&[text(&capture), "--where", "quic.version == '1' || dtls.connection_id"]).contains("Nothing found"));
    let shown = handshakes(&done(&[text(&capture), "--json", "--where", "timeline.exists(t, t.kind == 'alert' && t.from == 'client')"]));
    assert!(!shown.is_empty() && shown.iter().all(|one| one["tls"]["alerts"][0]["from"] == "client" && one.get("timeline").is_none()));
    assert!(refused(&[text(&capture), "--server", "www.example.test"]).contains("--name"));
    assert!(refused(&[text(&capture), "--since", "yesterday"]).contains("09:00"));
    assert!(refused(&[text(&capture), "--anonymize", "short"]).contains("openssl rand"));
}

#[test]
fn a_slice_read_again_gives_the_same_verdicts() {
    let dir = tempfile::tempdir().unwrap();
    let mut checked = 0;
    for (number, capture) in
        captures(&["cert", "path", "reset", "stall", "firewall", "tcp", "encapsulation", "incident"]).iter().enumerate()
    {
        let whole = verdicts(&done(&[text(capture), "--json", "--no-trust"]));
        if whole.is_empty() {
            continue;
        }
        let out = dir.path().join(format!("{number}.pcapng"));
        done(&["slice", text(capture), "--no-trust", "-o", text(&out)]);
        assert_eq!(verdicts(&done(&[text(&out), "--json", "--no-trust"])), whole, "{}", capture.display());
        checked += whole.len();
    }
    assert!(checked > 100, "{checked}");
}

#[test]
fn a_slice_of_some_gives_their_verdicts_and_brings_what_they_rest_on() {
    let dir = tempfile::tempdir().unwrap();
    let whole = verdicts(&done(&[text(&incident()), "--json", "--no-trust"]));
    for outcome in ["stalled", "alerted", "closed", "failed"] {
        let out = dir.path().join(format!("{outcome}.pcapng"));
        let chosen = verdicts(&done(&[text(&incident()), "--json", "--no-trust", "--outcome", outcome]));
        if chosen.is_empty() {
            continue;
        }
        done(&["slice", text(&incident()), "--no-trust", "--outcome", outcome, "-o", text(&out)]);
        let sliced = verdicts(&done(&[text(&out), "--json", "--no-trust"]));
        for (id, said) in &chosen {
            assert_eq!(sliced.get(id), Some(said), "{outcome}: {id}");
            assert_eq!(whole.get(id), Some(said));
        }
        assert!(sliced.len() < whole.len());
    }
}

#[test]
fn tshark_shows_the_verdicts_of_a_slice() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("one.pcapng");
    done(&["slice", text(&incident()), "--outcome", "failed", "-o", text(&out)]);
    let bytes = fs::read(&out).unwrap();
    let comments = bytes.windows(11).filter(|window| window == b"handshark: ").count();
    assert!(comments > 1);
    let Some(shown) = tshark(&out, &["-T", "fields", "-e", "frame.comment"]) else { return };
    assert!(shown.matches("handshark: ").count() > 1);
}

#[test]
fn a_slice_overwrites_nothing_and_leaves_nothing_half_done() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.pcapng");
    fs::write(&out, "mine").unwrap();
    assert!(refused(&["slice", text(&incident()), "-o", text(&out)]).contains("--force"));
    assert_eq!(fs::read(&out).unwrap(), b"mine");
    done(&["slice", text(&incident()), "--force", "-o", text(&out)]);
    assert_ne!(fs::read(&out).unwrap(), b"mine");
    let copy = dir.path().join("copy.pcapng");
    fs::copy(&out, &copy).unwrap();
    assert!(refused(&["slice", text(&copy), "--force", "-o", text(&copy)]).contains("is an input"));
    let none = dir.path().join("none.pcapng");
    assert!(refused(&["slice", text(&incident()), "--name", "nosuch", "-o", text(&none)]).contains("nothing was written"));
    assert!(!none.exists());
    assert!(refused(&["slice", "-", "-o", text(&none)]).contains("pipe"));
    assert!(refused(&["slice", text(&incident()), "--anonymize", "k", "-o", text(&none)]).contains("original packets"));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing partial is left");
}

#[test]
fn certificates_are_written_once_with_an_index() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("certs");
    done(&["certs", text(&incident()), "-o", text(&out)]);
    let index: Value = serde_json::from_slice(&fs::read(out.join("index.json")).unwrap()).unwrap();
    let entries = index["certificates"].as_array().unwrap();
    assert!(!entries.is_empty());
    for entry in entries {
        let pem = fs::read_to_string(out.join(entry["file"].as_str().unwrap())).unwrap();
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = data_encoding::BASE64.decode(body.as_bytes()).unwrap();
        let digest = data_encoding::HEXLOWER.encode(&<sha2::Sha256 as sha2::Digest>::digest(&der));
        assert_eq!(entry["sha256"], digest.as_str());
        assert!(!entry["chains"].as_array().unwrap().is_empty() && !entry["servers"].as_array().unwrap().is_empty());
        let path = out.join(entry["file"].as_str().unwrap());
        let Ok(openssl) = Command::new("openssl").args(["x509", "-noout", "-fingerprint", "-sha256", "-in"]).arg(&path).output() else {
            crate::support::skip::skip("openssl is not installed");
            continue;
        };
        let fingerprint = String::from_utf8(openssl.stdout).unwrap().trim().rsplit('=').next().unwrap().replace(':', "").to_lowercase();
        assert_eq!(fingerprint, digest);
    }
    assert_eq!(fs::read_dir(&out).unwrap().count(), entries.len() + 1);
}

#[test]
fn anonymous_output_names_nobody_and_keeps_the_verdicts() {
    for capture in captures(&["cert", "proxy", "starttls", "plaintext", "incident"]) {
        let plain = handshakes(&done(&[text(&capture), "--json", "--no-trust"]));
        let anonymous = done(&[text(&capture), "--json", "--no-trust", "--anonymize", "correct horse battery staple"]);
        for one in &plain {
            let names = [&one["tls"]["client"]["server_name"], &one["client"]["address"], &one["server"]["address"]];
            for name in names.into_iter().filter_map(Value::as_str).filter(|name| name.len() > 3) {
                assert!(!anonymous.contains(name), "{}: {name}", capture.display());
            }
        }
        let causes = |list: &[Value]| list.iter().map(|one| one["diagnosis"]["cause"].clone()).collect::<Vec<_>>();
        assert_eq!(causes(&handshakes(&anonymous)), causes(&plain), "{}", capture.display());
    }
}

#[test]
fn before_and_after_an_incident() {
    let dir = tempfile::tempdir().unwrap();
    let [good, bad] = ["good.pcapng", "bad.pcapng"].map(|name| dir.path().join(name));
    done(&["slice", text(&incident()), "--outcome", "completed", "-o", text(&good)]);
    done(&["slice", text(&incident()), "--outcome", "failed", "-o", text(&bad)]);
    let differences: Value = serde_json::from_str(&done(&["diff", "--json", text(&good), text(&bad)])).unwrap();
    assert_eq!(differences["overall"][0]["direction"], "worse");
    let changes: Vec<&Value> =
        differences["services"].as_array().unwrap().iter().flat_map(|one| one["changes"].as_array().unwrap()).collect();
    assert!(changes.iter().any(|change| change["what"] == "cause" && change["direction"] == "worse"));
    let shown = done(&["diff", text(&good), text(&bad)]);
    assert!(shown.contains("WHAT CHANGED") && shown.lines().all(|line| line.chars().count() <= 100), "{shown}");
    assert!(done(&["diff", text(&good), text(&good)]).contains("Nothing changed"));
    // What has nothing in common is said to have.
    let other = fixtures().join("pairs/loss.pcap");
    assert!(done(&["match", text(&good), text(&other)]).contains("No handshake is in both"));
    assert!(refused(&["match", text(&other), text(&other)]).contains("is named for both points"));
}

/// Two seconds each way, for every packet alike: nothing is lost or altered, and the path is to blame all the same.
#[test]
fn a_path_that_only_takes_long_is_not_innocent() {
    const WAY: i64 = 2_000_000_000;
    let mut talk = Conversation::of(&fixtures().join("captures/tcp/tcp-tfo-syn-data-dropped.pcap"));
    talk.turns.truncate(1);
    talk.closed_by = Side::Client;
    let (mut at_client, mut at_server) = (talk.packets(&[1460]), talk.packets(&[1460]));
    let (mut trips, mut from_client) = (0, true);
    for (seen, arrived) in at_client.list.iter_mut().flatten().zip(at_server.list.iter_mut().flatten()) {
        let client = seen.1[26..30] == [10, 9, 0, 1];
        // Each answer of the server comes a round trip later.
        trips += i64::from(from_client && !client);
        from_client = client;
        seen.0 += trips * 2 * WAY;
        arrived.0 = seen.0 + if client { WAY } else { -WAY };
    }
    let dir = tempfile::tempdir().unwrap();
    let [client, server] = [("client.pcap", at_client), ("server.pcap", at_server)].map(|(name, packets)| {
        let path = dir.path().join(name);
        fs::write(&path, packets.pcap()).unwrap();
        path
    });
    let joined = objects(&done(&["match", "--json", "--no-trust", text(&client), text(&server)]));
    let said = joined[0]["verdict"]["summary"].as_str().unwrap();
    assert!(said.contains("takes 4.0 s there and back") && !said.contains("not to blame"), "{joined:?}");
    assert_eq!(joined[0]["round_trip_us"], 4_000_000, "{joined:?}");
}

/// Where a point was captured in several files, frames are those of the files.
#[test]
fn two_points_in_several_files_name_the_files() {
    let dir = tempfile::tempdir().unwrap();
    for (point, name, of) in [("client", "1.pcap", "loss.pcap"), ("client", "2.pcap", "proxy.pcap"), ("server", "1.pcap", "loss.srv.pcap")]
    {
        fs::create_dir_all(dir.path().join(point)).unwrap();
        fs::copy(fixtures().join("pairs").join(of), dir.path().join(point).join(name)).unwrap();
    }
    let [client, server] = ["client", "server"].map(|point| dir.path().join(point));
    let own = objects(&done(&["match", "--json", "--no-trust", text(&client.join("1.pcap")), text(&server.join("1.pcap"))]));
    let joined = objects(&done(&["match", "--json", "--no-trust", text(&client), text(&server)]));
    let same = joined.iter().find(|one| one["server"].is_object()).unwrap();
    assert_eq!(same["client"]["frames"], own[0]["client"]["frames"]);
    assert!(same["client"]["sources"][0].as_str().unwrap().ends_with("client/1.pcap"), "{same}");
    assert!(same["server"]["sources"].is_null(), "{same}");
    for (event, alone) in same["between"].as_array().unwrap().iter().zip(own[0]["between"].as_array().unwrap()) {
        assert_eq!(event["client_frame"], alone["client_frame"]);
        assert_eq!(event["client_source"].is_null(), event["client_frame"].is_null());
    }
    assert!(done(&["match", "--all", "--no-trust", text(&client), text(&server)]).contains("1.pcap"));
}

/// What happened alike to many packets is one line.
#[test]
fn many_losses_alike_are_one_line() {
    let [client, server] =
        ["quic-blocked-after-retry.pcap", "quic-blocked-after-retry.srv.pcap"].map(|name| fixtures().join("pairs").join(name));
    let shown = done(&["match", "--no-trust", text(&client), text(&server)]);
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        shown.contains(
            "Between them: lost 9 times: a QUIC long-header packet of 1,280 bytes was sent and never arrived at the server (frames 4-10 and \
             13-14 at the client) The way:"
        ),
        "{shown}"
    );
}

/// A fixture at both points: the truth is in its sidecar.
#[test]
fn two_points_tell_what_one_cannot() {
    let mut told = 0;
    for (client, server, cause, place) in PAIRS {
        let [client, server] = [client, server].map(|name| fixtures().join("pairs").join(name));
        let joined = objects(&done(&["match", "--json", "--no-trust", text(&client), text(&server)]));
        let verdicts: Vec<_> =
            joined.iter().map(|one| (one["verdict"]["cause"].as_str(), one["verdict"]["place"].as_str().unwrap())).collect();
        assert!(verdicts.contains(&(Some(*cause).filter(|cause| !cause.is_empty()), place)), "{}: {verdicts:?}", client.display());
        let shown = done(&["match", "--all", "--no-trust", text(&client), text(&server)]);
        assert!(shown.contains(cause) && shown.lines().all(|line| line.chars().count() <= 100), "{shown}");
        for cause in verdicts.iter().filter_map(|(cause, _)| *cause) {
            assert!(cause.parse::<Cause>().is_ok(), "{cause} is not in the catalogue");
        }
        // The router does not translate what has a wrong checksum: the ClientHello arrives, under another name than the SYN.
        let spoiled = joined[0]["verdict"]["summary"].as_str().unwrap().contains("wrong TCP checksum");
        assert_eq!(spoiled, client.ends_with("checksum-spoiled.pcap") || client.ends_with("flight-damaged.pcap"), "{joined:?}");
        // Two points say of a whole path what one suspected of it: not more surely where its last sign of life was the packet that is lost.
        assert!(!client.ends_with("link-dies.pcap") || joined[0]["verdict"]["confidence"] == "strong");
        told += 1;
    }
    assert_eq!(told, PAIRS.len());
}

/// What a device on the path writes into a banner stands in the events of a comparison.
#[test]
fn a_comparison_can_be_anonymous() {
    for (client, server, cause, _) in PAIRS {
        let [client, server] = [client, server].map(|name| fixtures().join("pairs").join(name));
        let plain = objects(&done(&["match", "--json", "--no-trust", text(&client), text(&server)]));
        let key = ["--anonymize", "correct horse battery staple"];
        let hidden = done(&[&["match", "--json", "--no-trust", text(&client), text(&server)][..], &key[..]].concat());
        let shown = done(&[&["match", "--all", "--no-trust", text(&client), text(&server)][..], &key[..]].concat());
        assert!(shown.contains(cause), "{shown}");
        for one in plain.iter().flat_map(|one| [&one["client"], &one["server"]]).filter(|half| half.is_object()) {
            let addresses = one["peers"].as_array().unwrap().iter().map(|peer| peer.as_str().unwrap().rsplit_once(':').unwrap().0);
            for name in addresses.chain(one["server_name"].as_str()).chain(["lab.test", "O=Lab"]) {
                assert!(!hidden.contains(name) && !shown.contains(name), "{name}: {hidden}");
            }
        }
    }
}

/// Client's capture, server's capture, cause and place.
const PAIRS: &[(&str, &str, &str, &str)] = &[
    ("synack-lost.pcap", "synack-lost.srv.pcap", "tcp-syn-unanswered", "path"),
    ("hello-dropped.pcap", "hello-dropped.srv.pcap", "tls13-dropped", "path"),
    ("alert-forged.pcap", "alert-forged.srv.pcap", "alert-forged", "path"),
    ("reset-injected.pcap", "reset-injected.srv.pcap", "reset-injected", "path"),
    ("mtu-ignored.pcap", "mtu-ignored.srv.pcap", "path-mtu-icmp-ignored", "path"),
    ("starttls-stripped.pcap", "starttls-stripped.srv.pcap", "starttls-not-offered", "path"),
    ("interception.pcap", "interception.srv.pcap", "tls-interception", "path"),
    ("server-silent.pcap", "server-silent.srv.pcap", "server-silent", "server"),
    ("proxy.pcap", "proxy.srv.pcap", "", "nowhere"),
    ("loss.pcap", "loss.srv.pcap", "packet-loss", "path"),
    ("loss-both-ways.pcap", "loss-both-ways.srv.pcap", "packet-loss", "path"),
    ("dtls-cookie-lost.pcap", "dtls-cookie-lost.srv.pcap", "dtls-cookie-lost", "path"),
    ("quic-blocked-after-retry.pcap", "quic-blocked-after-retry.srv.pcap", "quic-blocked", "path"),
    ("quic-mtu.pcap", "quic-mtu.srv.pcap", "quic-mtu", "path"),
    // Each packet was held back for two seconds between the points.
    ("quic-answer-too-late.pcap", "quic-answer-too-late.srv.pcap", "client-timeout", "path"),
    ("link-dies.pcap", "link-dies.srv.pcap", "client-hello-dropped", "path"),
    ("fin-forged.pcap", "fin-forged.srv.pcap", "reset-injected", "path"),
    ("synack-forged.pcap", "synack-forged.srv.pcap", "reset-injected", "path"),
    // The router between the points masquerades, the client's port too; no hello arrived by which the two could be joined.
    ("nat-hello-dropped.pcap", "nat-hello-dropped.srv.pcap", "client-hello-dropped", "path"),
    // What comes after the FIN leaves the router untranslated.
    ("nat-fin-forged.pcap", "nat-fin-forged.srv.pcap", "reset-injected", "path"),
    // The router forgets the connection after the server's flight and takes another port.
    ("nat-other-port.pcap", "nat-other-port.srv.pcap", "idle-timeout", "path"),
    // A bridge inverts bits of the TCP checksum of each ClientHello.
    ("checksum-spoiled.pcap", "checksum-spoiled.srv.pcap", "client-hello-dropped", "path"),
    // A bridge changes bits in what the server sends behind the hello, in each copy; and in what either end sends, until a sound copy gets through.
    ("flight-damaged.pcap", "flight-damaged.srv.pcap", "server-flight-dropped", "path"),
    ("damaged-and-repeated.pcap", "damaged-and-repeated.srv.pcap", "packet-loss", "path"),
    // `nft` on the host itself drops what begins with 0x16.
    ("server-filter.pcap", "server-filter.srv.pcap", "client-hello-dropped", "server"),
    ("client-filter.pcap", "client-filter.srv.pcap", "server-flight-dropped", "client"),
    // The forged alert comes 50 ms before the ClientHello is let through.
    ("alert-beside.pcap", "alert-beside.srv.pcap", "alert-forged", "path"),
    // One connection goes through, the next is rejected by the router with a RST, the third goes through.
    ("syn-rejected.pcap", "syn-rejected.srv.pcap", "firewall-reject", "path"),
    // A device writes a window of 0 into all that the server sends.
    ("window-closed.pcap", "window-closed.srv.pcap", "zero-window", "path"),
    // The client's card cuts the hello in two; the first piece is too large for the path, and never arrives.
    ("hello-cut-by-card.pcap", "hello-cut-by-card.srv.pcap", "path-mtu-black-hole", "path"),
    // The router resets the client's connection, which it has forgotten, when the server's capture has ended.
    ("capture-ends-before-reset.pcap", "capture-ends-before-reset.srv.pcap", "reset-injected", "path"),
    // A shield answers the SYN with timestamps of its own.
    ("timestamps-changed.pcap", "timestamps-changed.srv.pcap", "server-flight-dropped", "path"),
    // A router reports an MTU that a second, smaller link behind it does not take: the server obeyed.
    ("router-lies.pcap", "router-lies.srv.pcap", "path-mtu-black-hole", "path"),
    // The first packet of the flight is lost until the client has given up; then a copy arrives.
    ("repaired-too-late.pcap", "repaired-too-late.srv.pcap", "packet-loss", "path"),
    // A FIN in the client's name is forged towards the server alone.
    ("fin-forged-to-server.pcap", "fin-forged-to-server.srv.pcap", "reset-injected", "path"),
    // Good handshakes: each datagram is doubled on the way; one capture is cut at 96 bytes; one holds the client's packets only.
    ("quic-doubled.pcap", "quic-doubled.srv.pcap", "", "nowhere"),
    ("snaplen-one-end.pcap", "snaplen-one-end.srv.pcap", "", "nowhere"),
    ("one-direction-one-end.pcap", "one-direction-one-end.srv.pcap", "", "nowhere"),
];

/// Nothing is called injected that was sent, lost that came, or alone that is in both.
#[test]
fn nobody_is_accused_of_what_the_other_point_explains() {
    let explained = ["quic-doubled", "snaplen-one-end", "one-direction-one-end", "nat-hello-dropped", "nat-other-port", "server-filter"];
    for name in explained {
        let [client, server] = ["pcap", "srv.pcap"].map(|end| fixtures().join(format!("pairs/{name}.{end}")));
        let joined = objects(&done(&["match", "--json", "--no-trust", text(&client), text(&server)]));
        for one in &joined {
            assert_ne!(one["joined_by"], "nothing", "{name}: {one}");
            let lost = name == "nat-hello-dropped";
            let events = one["between"].as_array().unwrap().iter().map(|event| event["what"].as_str().unwrap());
            assert!(events.clone().all(|what| what != "injected" && (lost || what != "lost")), "{name}: {one}");
            assert_eq!(events.clone().any(|what| what == "doubled"), name == "quic-doubled", "{name}: {one}");
        }
    }
}

/// Rows read back by DuckDB equal the lines of `--json`, but for what is null in the one and absent in the other.
#[cfg(feature = "parquet")]
#[test]
fn parquet_rows_are_the_json_lines() {
    fn lean(value: &Value) -> Value {
        match value {
            Value::Object(object) => {
                let kept = object.iter().map(|(key, value)| (key.clone(), lean(value)));
                Value::Object(
                    kept.filter(|(_, value)| !value.is_null() && *value != Value::Array(Vec::new()) && *value != serde_json::json!({}))
                        .collect(),
                )
            }
            Value::Array(list) => Value::Array(list.iter().map(lean).collect()),
            Value::String(text) => Value::String(moment(text).unwrap_or_else(|| text.clone())),
            other => other.clone(),
        }
    }
    /// A time as both write it, to a microsecond: `2026-11-21T09:00:12.031000000Z`, `2026-11-21 09:00:12.031+00`.
    fn moment(text: &str) -> Option<String> {
        let (day, clock) = text.split_once(['T', ' '])?;
        let clock = clock.strip_suffix('Z').or_else(|| clock.strip_suffix("+00"))?;
        let (second, fraction) = clock.split_once('.').unwrap_or((clock, ""));
        let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit() || "-:".contains(c));
        let fraction: String = fraction.chars().chain("000000".chars()).take(6).collect();
        (day.len() == 10 && digits(day) && digits(second)).then(|| format!("{day} {second}.{fraction}"))
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("night.parquet");
    // Every protocol and every field: client certificates, QUIC's closes, DTLS.
    let mut all = captures(&["client-cert", "quic", "dtls", "alpn", "encapsulation", "incident"]);
    all.sort();
    all.dedup();
    let paths = all.iter().map(|path| text(path));
    let lines = handshakes(&done(&paths.chain(["--json", "--no-trust", "--parquet", text(&file)]).collect::<Vec<_>>()));
    assert!(lines.iter().any(|line| line["quic"]["closes"].is_array()) && lines.iter().any(|line| line["dtls"].is_object()));
    assert!(lines.iter().any(|line| line["tls"]["client"]["certificates"].is_array()));
    let bytes = fs::read(&file).unwrap();
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    let script = "import duckdb, sys\nduckdb.sql(\"set timezone = 'UTC'\")\nfor (row,) in duckdb.sql(f\"select to_json(r) from '{sys.argv[1]}' r\").fetchall(): print(row)";
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let read = Command::new(python).args(["-c", script]).arg(&file).output();
    let Ok(read) = read.and_then(|read| if read.status.success() { Ok(read) } else { Err(std::io::Error::other("no duckdb")) }) else {
        crate::support::skip::skip("Python has no module duckdb; set PYTHON to one that has");
        return;
    };
    let rows: Vec<Value> = String::from_utf8(read.stdout).unwrap().lines().map(|line| lean(&serde_json::from_str(line).unwrap())).collect();
    assert_eq!(rows, lines.iter().map(lean).collect::<Vec<_>>());
}
