//! A responder for the two pages that a scraper asks for: `/metrics` and `/healthz`. One connection at a time, each with little time.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// Answers scrapers.
#[derive(Debug)]
pub struct MetricsServer {
    listener: TcpListener,
}

impl MetricsServer {
    /// Takes the address.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address)? })
    }

    /// The address taken.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers for ever: `metrics` writes the exposition, `healthy` says whether all is well, or what is not.
    pub fn serve(self, metrics: impl Fn() -> String, healthy: impl Fn() -> Result<(), String>) {
        for stream in self.listener.incoming() {
            let Ok(stream) = stream else { continue };
            // A scraper that goes away or sends nonsense is its own affair.
            let _ = answer(stream, &metrics, &healthy);
        }
    }
}

fn answer(mut stream: TcpStream, metrics: &impl Fn() -> String, healthy: &impl Fn() -> Result<(), String>) -> io::Result<()> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    // A request that comes byte by byte is not waited for.
    for _ in 0..READS {
        let count = stream.read(&mut buffer)?;
        request.extend_from_slice(buffer.get(..count).unwrap_or_default());
        if count == 0 || request.windows(4).any(|window| window == b"\r\n\r\n") {
            break;
        }
    }
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    let (status, kind, body) = match (method, path) {
        (b"GET" | b"HEAD", b"/metrics") => ("200 OK", OPEN_METRICS, metrics()),
        (b"GET" | b"HEAD", b"/healthz") => match healthy() {
            Ok(()) => ("200 OK", PLAIN, "ok\n".to_owned()),
            Err(why) => ("503 Service Unavailable", PLAIN, format!("{why}\n")),
        },
        (b"GET" | b"HEAD", _) => ("404 Not Found", PLAIN, "See /metrics and /healthz.\n".to_owned()),
        _ => ("405 Method Not Allowed", PLAIN, "Only GET.\n".to_owned()),
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    )?;
    if method != b"HEAD" {
        stream.write_all(body.as_bytes())?;
    }
    stream.flush()
}

const TIMEOUT: Duration = Duration::from_secs(1);
const READS: usize = 8;
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

#[cfg(test)]
mod tests {
    use super::*;

    fn get(request: &str) -> String {
        let server = MetricsServer::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = server.address().unwrap();
        std::thread::spawn(move || server.serve(|| "# EOF\n".to_owned(), || Err("eth0 is down".to_owned())));
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn pages_and_mistakes_are_answered() {
        let metrics = get("GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(
            metrics.starts_with("HTTP/1.1 200 OK\r\n") && metrics.contains("openmetrics-text") && metrics.ends_with("\r\n\r\n# EOF\n"),
            "{metrics}"
        );
        assert!(get("HEAD /metrics HTTP/1.1\r\n\r\n").ends_with("\r\n\r\n"));
        assert!(get("GET /healthz HTTP/1.1\r\n\r\n").ends_with("eth0 is down\n"));
        assert!(get("GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
        assert!(get("POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405"));
    }
}
