//! Memory is bounded in bytes: four times as many connections, each of which costs as much as it can, take no more than the budgets allow.
//!
//! The captures are made on the way into the program, whose largest resident size counts.

use std::fs;
use std::io::Write;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use handshark::limits;
use rcgen::{CertificateParams, KeyPair, SerialNumber};
use serde_json::Value;

use crate::support::program::{handshakes, handshark, objects};

/// Writes a capture of TCP connections.
struct Traffic<W> {
    out: W,
    micros: u64,
}

/// A connection: the client's address, and the sequence numbers of client and server.
struct Talk {
    client: [u8; 4],
    seq: [u32; 2],
}

const SERVER: [u8; 4] = [198, 51, 100, 1];
const CLIENTS: usize = 0;
const SERVERS: usize = 1;

impl<W: Write> Traffic<W> {
    fn new(mut out: W) -> Self {
        for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 1 << 18, 101] {
            out.write_all(&word.to_le_bytes()).unwrap();
        }
        Self { out, micros: 1_795_000_000_000_000 }
    }

    /// A connection that is open, `micros` after what came before.
    fn open(&mut self, number: u32, micros: u64) -> Talk {
        self.micros += micros;
        let [_, a, b, c] = number.to_be_bytes();
        let mut talk = Talk { client: [10, a, b, c], seq: [1000, 5000] };
        self.segment(&mut talk, CLIENTS, 0x02, &[]);
        self.segment(&mut talk, SERVERS, 0x12, &[]);
        self.segment(&mut talk, CLIENTS, 0x10, &[]);
        talk
    }

    /// Says this, and the other side acknowledges it.
    fn say(&mut self, talk: &mut Talk, side: usize, bytes: &[u8]) {
        for part in bytes.chunks(32_000) {
            self.segment(talk, side, 0x18, part);
        }
        self.segment(talk, 1 - side, 0x10, &[]);
    }

    fn segment(&mut self, talk: &mut Talk, side: usize, flags: u8, payload: &[u8]) {
        self.micros += 5;
        let (from, to) = if side == CLIENTS { (talk.client, SERVER) } else { (SERVER, talk.client) };
        let (from_port, to_port) = if side == CLIENTS { (40_000_u16, 443_u16) } else { (443, 40_000) };
        let acked = if flags & 0x10 == 0 { 0 } else { talk.seq[1 - side] };
        let len = 40 + payload.len() as u16;
        let mut packet = vec![0x45, 0, (len >> 8) as u8, len as u8, 0, 0, 0x40, 0, 64, 6, 0, 0];
        packet.extend(from.iter().chain(&to));
        packet.extend(from_port.to_be_bytes().iter().chain(&to_port.to_be_bytes()));
        packet.extend(talk.seq[side].to_be_bytes().iter().chain(&acked.to_be_bytes()));
        packet.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        let all = packet.len() + payload.len();
        for word in [(self.micros / 1_000_000) as u32, (self.micros % 1_000_000) as u32, all as u32, all as u32] {
            self.out.write_all(&word.to_le_bytes()).unwrap();
        }
        self.out.write_all(&packet).unwrap();
        self.out.write_all(payload).unwrap();
        talk.seq[side] = talk.seq[side].wrapping_add(payload.len() as u32 + u32::from(flags & 3 != 0));
    }
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let pieces = body.chunks(16_000).map(|part| [&[kind, 3, 3][..], &(part.len() as u16).to_be_bytes(), part].concat());
    pieces.collect::<Vec<_>>().concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &(body.len() as u32).to_be_bytes()[1..], body].concat()
}

/// A ClientHello with these cipher suites and extensions.
fn client_hello(number: u32, suites: &[u8], extensions: &[u8]) -> Vec<u8> {
    let random = [number.to_be_bytes(); 8].concat();
    let lists = [&(suites.len() as u16).to_be_bytes()[..], suites, &[1, 0], &(extensions.len() as u16).to_be_bytes(), extensions].concat();
    message(1, &[&[3, 3], random.as_slice(), &[0], &lists].concat())
}

fn server_hello(suite: u16, extensions: &[u8]) -> Vec<u8> {
    let head = [&[3, 3][..], &[7; 32], &[0], &suite.to_be_bytes(), &[0], &(extensions.len() as u16).to_be_bytes(), extensions].concat();
    record(22, &message(2, &head))
}

/// Largest resident size in MB, what the summary counted as thrown out, and the bytes of output.
struct Cost {
    peak: u64,
    evictions: u64,
    output: usize,
    json: String,
}

/// Runs the program on `n` connections; `each` writes one.
fn cost(n: u32, arguments: &[&str], each: impl Fn(&mut Traffic<&mut dyn Write>, u32) + Send) -> Cost {
    let mut child = handshark()
        .args(["read", "--json", "--no-trust", "--no-progress", "--threads", "1"])
        .args(arguments)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut input = std::io::BufWriter::with_capacity(1 << 20, child.stdin.take().unwrap());
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut traffic = Traffic::new(&mut input as &mut dyn Write);
            (0..n).for_each(|number| each(&mut traffic, number));
            traffic.out.flush().unwrap();
        });
        let watcher = scope.spawn(move || {
            let mut peak = 0;
            // Of one that has ended the system tells no size any more.
            while let Some(kilobytes) = fs::read_to_string(&status).ok().as_deref().and_then(high_water_mark) {
                peak = peak.max(kilobytes / 1024);
                thread::sleep(Duration::from_millis(4));
            }
            peak
        });
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let json = String::from_utf8(output.stdout).unwrap();
        let summary: Value = objects(&json).pop().unwrap();
        Cost { peak: watcher.join().unwrap(), evictions: summary["evictions"].as_u64().unwrap(), output: json.len(), json }
    })
}

fn high_water_mark(status: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB")?.trim().parse().ok())
}

/// Four times as many take at most this budget more.
fn bounded(n: u32, budget: usize, arguments: &[&str], each: impl Fn(&mut Traffic<&mut dyn Write>, u32) + Send + Copy) -> [Cost; 2] {
    let costs = [n, 4 * n].map(|n| cost(n, arguments, each));
    let more = costs[1].peak.saturating_sub(costs[0].peak);
    assert!(costs[0].peak > 5, "it was not seen while it ran");
    assert!(more <= (budget >> 20) as u64, "{n} take {} MB, four times as many {} MB", costs[0].peak, costs[1].peak);
    costs
}

#[test]
#[cfg(target_os = "linux")]
fn messages_that_never_end() {
    let part = record(22, &message(11, &vec![0; 262_000])[..200_000]);
    let [_, most] = bounded(400, limits::FOLLOWED_BYTES, &[], |traffic, number| {
        let mut talk = traffic.open(number, 0);
        traffic.say(&mut talk, CLIENTS, &record(22, &client_hello(number, &[0xc0, 0x2f], &[])));
        traffic.say(&mut talk, SERVERS, &[&server_hello(0xc02f, &[])[..], &part].concat());
    });
    assert!(most.evictions > 0, "what is thrown out is counted");
    assert!(most.json.contains("the largest were dropped first"), "and told");
    assert_eq!(handshakes(&most.json).len(), 1600, "each is reported all the same");
}

#[test]
#[cfg(target_os = "linux")]
fn hellos_of_sixty_kilobytes() {
    let each = |traffic: &mut Traffic<&mut dyn Write>, number: u32| {
        let suites: Vec<u8> = (0..31_000_u32).flat_map(|place| ((number * 7 + place) as u16).to_be_bytes()).collect();
        let mut talk = traffic.open(number, 150_000);
        traffic.say(&mut talk, CLIENTS, &record(22, &client_hello(number, &suites, &[])));
        if number.is_multiple_of(2) {
            traffic.say(&mut talk, SERVERS, &[21, 3, 3, 0, 2, 2, 40]);
        }
    };
    // A whole one would take 390 kB, so that 90 more of them would take 35 MB.
    let [few, _] = bounded(30, limits::OFFER_BYTES, &[], each);
    assert!(few.output < 30 * 24_000, "a report of {} bytes tells all suites", few.output / 30);
    assert!(few.json.contains("\"and 30"), "how many more there are is told");
}

#[test]
#[cfg(target_os = "linux")]
fn records_that_await_their_keys() {
    let log = tempfile::NamedTempFile::new().unwrap();
    fs::write(log.path(), format!("CLIENT_RANDOM {} {}\n", "ab".repeat(32), "cd".repeat(48))).unwrap();
    let sealed = record(23, &vec![0x5a; 180_000]);
    let share = [&[0, 43, 0, 2, 3, 4, 0, 51, 0, 36, 0, 0x1d, 0, 32][..], &[9; 32]].concat();
    bounded(300, limits::FOLLOWED_BYTES, &["-k", log.path().to_str().unwrap()], |traffic, number| {
        let mut talk = traffic.open(number, 0);
        traffic.say(&mut talk, CLIENTS, &record(22, &client_hello(number, &[0x13, 1], &[0, 43, 0, 3, 2, 3, 4])));
        traffic.say(&mut talk, SERVERS, &[&server_hello(0x1301, &share)[..], &sealed].concat());
    });
}

/// Each is another one, for its serial number.
#[test]
#[cfg(target_os = "linux")]
fn certificates_with_thousands_of_names() {
    let names: Vec<String> = (0..12_000).map(|number| format!("{number:x}.x{}.test", number % 97)).collect();
    let last = names.last().unwrap().clone();
    let mut params = CertificateParams::new(names).unwrap();
    params.serial_number = Some(SerialNumber::from_slice(&MARK));
    let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec();
    let place = der.windows(MARK.len()).position(|window| window == MARK).unwrap();
    let len = last.len() as u8;
    let name = [&[0, 0, 0, len + 5, 0, len + 3, 0, 0, len][..], last.as_bytes()].concat();
    let budget = limits::CERTIFICATE_BYTES / limits::PARTITIONS + limits::CHAIN_BYTES + limits::SERVED_BYTES + limits::HELD_BYTES;
    let [few, _] = bounded(50, budget, &[], |traffic, number| {
        let mut der = der.clone();
        der[place + 8..place + 12].copy_from_slice(&number.to_be_bytes());
        let list = [&(der.len() as u32 + 3).to_be_bytes()[1..], &(der.len() as u32).to_be_bytes()[1..], &der].concat();
        let mut talk = traffic.open(number, 150_000);
        traffic.say(&mut talk, CLIENTS, &record(22, &client_hello(number, &[0xc0, 0x2f], &name)));
        traffic.say(&mut talk, SERVERS, &[server_hello(0xc02f, &[]), record(22, &message(11, &list))].concat());
        traffic.say(&mut talk, CLIENTS, &[21, 3, 3, 0, 2, 2, 42]);
    });
    assert!(few.json.contains("\"and 11000 more\""), "how many names there are besides is told");
    assert!(!few.json.contains("certificate-name-mismatch"), "the last of the names is the one asked for");
}

/// In the certificates' serial number.
const MARK: [u8; 16] = [0x7f, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff];

/// An ordinary hello and then silence: one costs hardly more than what the limit counts with, some twenty thousand in
/// [`limits::FOLLOWED_BYTES`].
#[test]
#[cfg(target_os = "linux")]
fn hellos_and_then_silence() {
    let n = 1000;
    bounded(n, 3 * n as usize * limits::FOLLOWED_BYTES / 16_000, &[], |traffic, number| {
        let mut talk = traffic.open(number, 0);
        traffic.say(&mut talk, CLIENTS, &record(22, &client_hello(number, &[0xc0, 0x2f, 0xc0, 0x30], &[0, 10, 0, 4, 0, 2, 0, 0x1d])));
    });
}

/// Part of a message and then silence: none is larger than others, and those that were quiet for longest go.
#[test]
#[cfg(target_os = "linux")]
fn messages_that_are_as_long_as_all_others() {
    let part = record(22, &message(11, &vec![0; 40_000])[..32_000]);
    let each = part.len() as u32;
    assert!(part.len() < limits::LARGE_FLOW);
    let n = limits::FOLLOWED_BYTES as u32 / 4 / each + 100;
    let [few, most] = bounded(n, limits::FOLLOWED_BYTES, &[], |traffic, number| {
        let mut talk = traffic.open(number, 0);
        traffic.say(&mut talk, CLIENTS, &record(22, &client_hello(number, &[0xc0, 0x2f], &[])));
        traffic.say(&mut talk, SERVERS, &[&server_hello(0xc02f, &[])[..], &part].concat());
    });
    assert_eq!(few.evictions, 0);
    assert!(most.evictions > 0, "what is thrown out is counted");
    let all = handshakes(&most.json);
    let summary = |number: u32| {
        let [_, a, b, c] = number.to_be_bytes();
        let client = format!("10.{a}.{b}.{c}");
        let report = all.iter().find(|report| report["client"]["address"] == client.as_str()).unwrap();
        report["diagnosis"]["summary"].as_str().unwrap()
    };
    let dropped = |number| summary(number).contains("from memory to stay");
    assert!(dropped(0), "{}", summary(0));
    assert!(!dropped(4 * n - 1), "{}", summary(4 * n - 1));
}
