//! A key log that the client writes while it is watched: what TLS 1.3 hides is judged as it happens.

use super::cause;
use super::lab::{Lab, Live};

#[test]
fn a_key_log_that_grows_opens_what_is_watched() {
    let Some(lab) = Lab::with(&["openssl", "curl"]) else { return };
    lab.serve_tls(443, "good", &["-tls1_3"]);
    lab.serve_tls(4443, "expired", &["-tls1_3"]);
    lab.serve_tls(8443, "good", &["-tls1_3", "-Verify", "1", "-verify_return_error"]);
    std::fs::write(lab.path("keys.log"), "").unwrap();
    let mut live = Live::start(&lab, &["--json", "--keylog", "keys.log", "--user", "nobody"]);
    live.wait_until_ready();

    // What the secrets show: the server's certificate, which the client refuses; the server's encrypted alert; that all is well.
    let cases = [
        (4443, "alerted", "certificate-expired", "client", "expired.test"),
        (8443, "alerted", "client-certificate-missing", "server", "good.test"),
        (443, "completed", "", "nobody", "good.test"),
    ];
    for (port, outcome, expected, stopped_by, name) in cases {
        let before = lab.read("keys.log").len();
        let target = format!("10.77.0.2:{port}");
        // Its certificate is all that the client trusts: both have one subject, by which it looks for an issuer.
        let trusted = name.replace("test", "pem");
        let client = if port == 443 {
            let resolve = format!("{name}:{port}:10.77.0.2");
            lab.client("env", &["SSLKEYLOGFILE=keys.log", "curl", "--cacert", &trusted, "--resolve", &resolve, "https://good.test/"])
        } else {
            let common = ["s_client", "-connect", &target, "-servername", name, "-CAfile", &trusted, "-verify_return_error"];
            // It waits for what the server sends, until that closes.
            lab.client("openssl", &[&common[..], &["-keylogfile", "keys.log", "-ign_eof"]].concat())
        };
        client.wait();
        assert!(lab.read("keys.log")[before..].contains("SERVER_HANDSHAKE_TRAFFIC_SECRET"), "{name}");
        let report = live.until(|report| report["server"]["port"] == port && report["handshake"]["provisional"] == false).report;
        assert_eq!(report["handshake"]["decrypted"], true, "{report}");
        assert_eq!((report["handshake"]["outcome"].as_str(), cause(&report)), (Some(outcome), expected), "{report}");
        assert_eq!(report["diagnosis"]["stopped_by"], stopped_by);
        assert_eq!(report["tls"]["server"]["certificates"][0]["san"][0], name, "it was encrypted");
        if port == 8443 {
            let alert = report["tls"]["alerts"].as_array().and_then(|alerts| alerts.first()).unwrap();
            assert_eq!((&alert["from"], &alert["encrypted"]), (&"server".into(), &true.into()), "{alert}");
        }
    }
    let end = live.terminate();
    assert_eq!(end.code, Some(0), "{}", end.errors);
}
