//! A responder for the two pages that a scraper asks for: `/metrics` and `/healthz`.
//!
//! One thread looks after all connections at once and waits for none of them. Each has little time for its request and some more to take the
//! answer; there are places for some hundred, and when all are taken the one that has been there for longest makes room. So neither those that say
//! nothing nor those that say it byte by byte keep a probe waiting.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::exposition::Exposition;
use crate::time::{Clock, Timestamp};

/// Answers scrapers.
#[derive(Debug)]
pub struct MetricsServer {
    listener: TcpListener,
}

impl MetricsServer {
    /// Takes the address.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener })
    }

    /// The address taken.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers for ever: `metrics` writes the exposition in the form that is asked for, `healthy` says whether all is well, or what is not.
    pub fn serve(self, clock: &Clock, metrics: impl Fn(Exposition) -> String, healthy: impl Fn() -> Result<(), String>) {
        let mut connections: VecDeque<Connection> = VecDeque::new();
        loop {
            self.wait(&connections, clock.now());
            let now = clock.now();
            while let Some(stream) = self.accept() {
                if connections.len() >= PLACES {
                    connections.pop_front();
                }
                connections.push_back(Connection { stream, began: now, request: Vec::new(), answer: None });
            }
            // A scraper that goes away or sends nonsense is its own affair.
            connections.retain_mut(|connection| connection.go_on(now, &metrics, &healthy).unwrap_or(false));
        }
    }

    /// Waits until something can be done, or until the first connection has had its time.
    fn wait(&self, connections: &VecDeque<Connection>, now: Timestamp) {
        let left = connections.iter().map(|connection| connection.allowed().saturating_sub(now.since(connection.began))).min();
        let left =
            left.map(|left| Timespec { tv_sec: i64::try_from(left.as_secs()).unwrap_or(1), tv_nsec: i64::from(left.subsec_nanos()) });
        let mut waiting = vec![PollFd::new(&self.listener, PollFlags::IN)];
        waiting.extend(connections.iter().map(|connection| PollFd::new(&connection.stream, connection.awaits())));
        if poll(&mut waiting, left.as_ref()).is_err() {
            std::thread::sleep(BREATH);
        }
    }

    /// The next connection that waits.
    fn accept(&self) -> Option<TcpStream> {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => return stream.set_nonblocking(true).is_ok().then_some(stream),
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(_) => {
                    // Out of descriptors: not a matter of trying at once.
                    std::thread::sleep(BREATH);
                    return None;
                }
            }
        }
    }
}

/// One that asks.
#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    began: Timestamp,
    request: Vec<u8>,
    /// What is to be sent, and how much of it was.
    answer: Option<(Vec<u8>, usize)>,
}

impl Connection {
    const fn awaits(&self) -> PollFlags {
        if self.answer.is_some() { PollFlags::OUT } else { PollFlags::IN }
    }

    const fn allowed(&self) -> Duration {
        if self.answer.is_some() { TO_ANSWER } else { TO_ASK }
    }

    /// Reads or writes what can be without waiting. False when it is over.
    fn go_on(
        &mut self,
        now: Timestamp,
        metrics: &impl Fn(Exposition) -> String,
        healthy: &impl Fn() -> Result<(), String>,
    ) -> io::Result<bool> {
        if self.answer.is_none() && self.read()? {
            let answer = answer(&self.request, metrics, healthy);
            self.answer = Some((answer, 0));
        }
        if let Some((answer, sent)) = &mut self.answer {
            while let Some(rest) = answer.get(*sent..).filter(|rest| !rest.is_empty()) {
                match self.stream.write(rest) {
                    Ok(0) => return Ok(false),
                    Ok(count) => *sent = sent.saturating_add(count),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
            if *sent >= answer.len() {
                return Ok(false);
            }
        }
        Ok(now.since(self.began) < self.allowed())
    }

    /// True when the request is whole, or as long as one may be.
    fn read(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(true),
                Ok(count) => {
                    self.request.extend_from_slice(buffer.get(..count).unwrap_or_default());
                    if self.request.len() >= LONGEST || self.request.windows(4).any(|window| window == b"\r\n\r\n") {
                        return Ok(true);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }
}

fn answer(request: &[u8], metrics: &impl Fn(Exposition) -> String, healthy: &impl Fn() -> Result<(), String>) -> Vec<u8> {
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    let (status, kind, body) = match (method, path) {
        (b"GET" | b"HEAD", b"/metrics") => {
            let form = asked_for(request);
            ("200 OK", form.content_type(), metrics(form))
        }
        (b"GET" | b"HEAD", b"/healthz") => match healthy() {
            Ok(()) => ("200 OK", PLAIN, "ok\n".to_owned()),
            Err(why) => ("503 Service Unavailable", PLAIN, format!("{why}\n")),
        },
        (b"GET" | b"HEAD", _) => ("404 Not Found", PLAIN, "See /metrics and /healthz.\n".to_owned()),
        _ => ("405 Method Not Allowed", PLAIN, "Only GET.\n".to_owned()),
    };
    let length = body.len();
    let mut out = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    );
    if method != b"HEAD" {
        out.push_str(&body);
    }
    out.into_bytes()
}

/// `OpenMetrics` where a line `Accept` names it with no lower weight than plain text; else plain text, which every scraper reads.
fn asked_for(request: &[u8]) -> Exposition {
    let text = String::from_utf8_lossy(request);
    let is_accept = |line: &&str| line.split_once(':').is_some_and(|(name, _)| name.eq_ignore_ascii_case("accept"));
    let accepted =
        text.split("\r\n").skip(1).filter(is_accept).filter_map(|line| line.split_once(':')).flat_map(|(_, value)| value.split(','));
    let (mut open, mut plain) = (None::<u32>, None::<u32>);
    for range in accepted {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1000, thousandths);
        let place = match kind.as_str() {
            "application/openmetrics-text" => &mut open,
            "text/plain" => &mut plain,
            _ => continue,
        };
        *place = (*place).max(Some(weight));
    }
    if open.is_some_and(|open| open > 0 && open >= plain.unwrap_or_default()) { Exposition::OpenMetrics } else { Exposition::Text }
}

/// `0.75` in thousandths.
fn thousandths(weight: &str) -> u32 {
    let (whole, part) = weight.split_once('.').unwrap_or((weight, ""));
    let part: String = part.chars().chain("000".chars()).take(3).collect();
    format!("{whole}{part}").parse().unwrap_or_default()
}

/// Connections at a time.
const PLACES: usize = 256;
/// Longest request, in bytes; what is longer is answered by its beginning.
const LONGEST: usize = 8192;
/// From its connection to the end of its request, a scraper may take this long.
const TO_ASK: Duration = Duration::from_secs(2);
/// And to the last byte of the answer this.
const TO_ANSWER: Duration = Duration::from_secs(10);
const BREATH: Duration = Duration::from_millis(20);
const PLAIN: &str = "text/plain; charset=utf-8";

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[allow(clippy::disallowed_methods, reason = "connections are timed by the system's clock")]
    fn clock() -> Clock {
        Clock::new(|| {
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
            Timestamp::from_parts(i64::try_from(since.as_secs()).unwrap(), since.subsec_nanos())
        })
    }

    fn start() -> SocketAddr {
        let server = MetricsServer::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = server.address().unwrap();
        std::thread::spawn(move || server.serve(&clock(), |form| form.of("# EOF\n"), || Err("eth0 is down".to_owned())));
        address
    }

    fn get(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn pages_and_mistakes_are_answered() {
        let address = start();
        let metrics = get(
            address,
            "GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\nAccept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n\r\n",
        );
        assert!(
            metrics.starts_with("HTTP/1.1 200 OK\r\n") && metrics.contains("openmetrics-text") && metrics.ends_with("\r\n\r\n# EOF\n"),
            "{metrics}"
        );
        assert!(get(address, "HEAD /metrics HTTP/1.1\r\n\r\n").ends_with("\r\n\r\n"));
        assert!(get(address, "GET /healthz HTTP/1.1\r\n\r\n").ends_with("eth0 is down\n"));
        assert!(get(address, "GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
        assert!(get(address, "POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405"));
        assert!(get(address, &"x".repeat(LONGEST)).starts_with("HTTP/1.1 405"));
    }

    #[test]
    fn the_form_is_the_one_asked_for() {
        let asked = |accept: &str| asked_for(format!("GET /metrics HTTP/1.1\r\nHost: a\r\n{accept}\r\n\r\n").as_bytes());
        let prometheus = "Accept: application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        assert_eq!(asked(prometheus), Exposition::OpenMetrics);
        assert_eq!(asked("accept: text/plain;version=0.0.4"), Exposition::Text);
        assert_eq!(asked("Accept: text/plain, application/openmetrics-text;q=0.9"), Exposition::Text);
        assert_eq!(asked("Accept: */*"), Exposition::Text);
        assert_eq!(asked("User-Agent: application/openmetrics-text"), Exposition::Text);
        assert_eq!(asked("Accept: application/openmetrics-text;q=0"), Exposition::Text);
    }

    #[test]
    fn those_that_say_nothing_keep_nobody_waiting_and_lose_their_place() {
        let address = start();
        let mut idle: Vec<TcpStream> = (0..PLACES + 50).map(|_| TcpStream::connect(address).unwrap()).collect();
        for stream in idle.iter_mut().skip(PLACES) {
            let _ = stream.write_all(b"G");
        }
        assert!(get(address, "GET /healthz HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 503"));
        // The first made room for later ones; the last are let go when their time is over, without an answer.
        let mut rest = Vec::new();
        assert_eq!(idle.first_mut().unwrap().read_to_end(&mut rest).unwrap_or_default(), 0);
        assert_eq!(idle.last_mut().unwrap().read_to_end(&mut rest).unwrap_or_default(), 0);
    }
}
