//! What `reproduce` prints offers the same again: run against each other on a loopback interface of their own, its commands come to the same
//! verdict. They stay commands of this source, whatever the wire said.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::remedies::{fault, poisoned};
use super::support::program::{done, handshakes, objects, refused, text};
use super::support::{capture_of, fixtures, labelled, skip};

fn reproduction(path: &Path) -> Value {
    objects(&done(&["reproduce", "--json", "--no-trust", text(path)])).remove(0)
}

fn commands(reproduction: &Value) -> Vec<&str> {
    let one = |key: &str| reproduction[key].as_str();
    let files = reproduction["files"].as_array().into_iter().flatten().filter_map(Value::as_str);
    ["client", "curl", "server", "against"].into_iter().filter_map(one).chain(files).collect()
}

#[test]
fn commands_are_safe_to_paste_whatever_was_said() {
    let dir = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    let mut seen = 0;
    // A few of each family, as they are and with hostile names.
    for (number, (sidecar, label)) in labelled().into_iter().enumerate().filter(|(number, _)| number % 9 == 0) {
        let path = capture_of(&sidecar, &label);
        if path.extension().is_none_or(|extension| extension != "pcap") {
            continue;
        }
        let hostile = dir.path().join("hostile.pcap");
        fs::write(&hostile, poisoned(&fs::read(&path).unwrap(), 6, number)).unwrap();
        for path in [&path, &hostile] {
            let output = super::support::program::handshark().args(["reproduce", "--json", "--no-trust", text(path)]).output().unwrap();
            if !output.status.success() {
                continue;
            }
            let all = objects(&String::from_utf8(output.stdout).unwrap()).remove(0);
            seen += commands(&all).len();
            wrong.extend(commands(&all).into_iter().filter_map(|command| Some(format!("{}: {command}", fault(command)?))));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 100, "{seen}");
}

#[test]
fn the_hello_is_offered_in_the_clients_order() {
    let all = reproduction(&fixtures().join("captures/cert/cert_expired_tls12_java.pcap"));
    let client = all["client"].as_str().unwrap();
    for part in [
        "openssl s_client -connect 10.77.0.2:443 -servername www.lab.test -min_protocol TLSv1.2 -max_protocol TLSv1.3 -cipher ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:",
        " -ciphersuites TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256 -groups x25519:secp256r1:secp384r1:secp521r1:x448:",
        " -sigalgs ecdsa_secp256r1_sha256:",
        " -verify_return_error -verify_hostname www.lab.test </dev/null",
    ] {
        assert!(client.contains(part), "{part}\n{client}");
    }
    assert!(all["server"].as_str().unwrap().contains("-tls1_2 -cipher ECDHE-RSA-AES256-GCM-SHA384:@SECLEVEL=0"));
    assert_eq!((all["cause"].as_str(), all["same_verdict"].as_bool()), (Some("certificate-expired"), Some(true)));
    let files = all["files"].to_string();
    assert!(files.contains("-startdate 20240101000000Z -enddate 20250101000000Z") && files.contains("subjectAltName = DNS:www.lab.test"));
}

#[test]
fn what_cannot_be_imitated_is_said() {
    let all = reproduction(&fixtures().join("captures/path/pmtu-blackhole-v6.pcap"));
    assert_eq!(all["same_verdict"], false);
    assert!(all["differs"].as_str().unwrap().contains("on the path between the hosts"), "{all}");
    assert!(refused(&["reproduce", "--anonymize", "0123456789abcdef", "x.pcap"]).contains("name the server"));
}

/// Captures whose verdicts the commands come to, each another way of answering.
const SAME: &[&str] = &[
    "cert/cert_expired_tls12_java",
    "cert/cert_selfsigned_tls12_curl",
    "cipher/cipher_none_tls12_openssl",
    "client-cert/clientcert_missing_tls13_go",
    "alpn/alpn_none_java",
];

#[test]
fn the_commands_come_to_the_same_verdict() {
    let ready = ["unshare", "tcpdump", "openssl"].iter().all(|program| {
        Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
            || Command::new(program).arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    });
    let own_network = || Command::new("unshare").args(["-n", "true"]).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if !ready || !own_network() {
        skip::skip("commands of reproduce are not run: unshare -n, tcpdump or openssl is not there");
        return;
    }
    for name in SAME {
        let capture = fixtures().join("captures").join(format!("{name}.pcap"));
        let dir = tempfile::tempdir().unwrap();
        let (script, again): (PathBuf, PathBuf) = (dir.path().join("again.sh"), dir.path().join("again.pcap"));
        fs::write(&script, done(&["reproduce", "--script", "--no-trust", text(&capture)])).unwrap();
        let run = format!(
            "ip link set lo up; tcpdump -i lo -U -Z root -w {again} port 4433 2>{again}.log & watch=$!; \
             for i in 1 2 3 4 5 6 7 8 9; do grep -q listening {again}.log && break; sleep 1; done; \
             TMPDIR={dir} sh {script} >/dev/null 2>&1; sleep 1; kill $watch; wait",
            again = text(&again),
            dir = text(dir.path()),
            script = text(&script),
        );
        Command::new("unshare").args(["-n", "sh", "-c", &run]).status().unwrap();
        let cause = |path: &Path| {
            let all = handshakes(&done(&["read", "--json", "--no-trust", text(path)]));
            all.iter().map(|report| report["diagnosis"]["cause"].as_str().unwrap_or("none").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(cause(&again), cause(&capture), "{name}");
    }
}
