//! Questions asked and answered over a pair of sockets, about real connections of this process and of others.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::thread;

use super::*;
use crate::flow::Endpoint;

#[allow(clippy::disallowed_methods, reason = "the process that looks measures real time")]
fn now() -> Instant {
    Instant::now()
}

struct Asked {
    stream: UnixStream,
    answers: BufReader<UnixStream>,
    token: u64,
}

impl Asked {
    fn new() -> Option<Self> {
        let (near, far) = UnixStream::pair().unwrap();
        let host = Host::open(now).ok()?;
        thread::spawn(move || host.serve(far).unwrap());
        Some(Self { answers: BufReader::new(near.try_clone().unwrap()), stream: near, token: 0 })
    }

    fn owner(&mut self, transport: Transport, local: SocketAddr, remote: SocketAddr) -> Option<Owner> {
        let end = |at: SocketAddr| Endpoint::new(at.ip(), at.port());
        self.token += 1;
        let question = Question { token: self.token, transport, local: end(local), remote: end(remote) };
        self.stream.write_all(&question.to_bytes()).unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let answer: Answer = serde_json::from_str(&line).unwrap();
        assert_eq!(answer.token, self.token);
        answer.owner
    }
}

fn pid(owner: Option<&Owner>) -> Option<(Basis, u32)> {
    let owner = owner?;
    Some((owner.basis, owner.process.as_ref().map_or(0, |process| process.pid)))
}

#[test]
fn both_ends_of_a_connection_have_their_owner() {
    let Some(mut asked) = Asked::new() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    let client = TcpStream::connect(server).unwrap();
    let own = std::process::id();
    let at = client.local_addr().unwrap();
    assert_eq!(pid(asked.owner(Transport::Tcp, at, server).as_ref()), Some((Basis::Connection, own)));
    assert_eq!(pid(asked.owner(Transport::Tcp, server, at).as_ref()), Some((Basis::Listener, own)));
    let (accepted, _) = listener.accept().unwrap();
    assert_eq!(pid(asked.owner(Transport::Tcp, server, at).as_ref()), Some((Basis::Connection, own)));
    // The server closes first: the connection is not over, and whoever listens was its server.
    drop(accepted);
    assert_eq!(pid(asked.owner(Transport::Tcp, server, at).as_ref()), Some((Basis::Listener, own)));
    drop(listener);
    assert_eq!(pid(asked.owner(Transport::Tcp, server, at).as_ref()), Some((Basis::Gone, 0)));
    let elsewhere = "192.0.2.1:443".parse().unwrap();
    assert_eq!(asked.owner(Transport::Tcp, elsewhere, at), None);
}

#[test]
fn a_datagrams_ends_have_their_owners_too() {
    let Some(mut asked) = Asked::new() else { return };
    let (server, client) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let (server_end, client_end) = (server.local_addr().unwrap(), client.local_addr().unwrap());
    for (local, remote) in [(server_end, client_end), (client_end, server_end)] {
        assert_eq!(pid(asked.owner(Transport::Udp, local, remote).as_ref()), Some((Basis::Connection, std::process::id())));
    }
}

#[test]
fn who_ended_before_the_question_is_told_as_gone() {
    let Some(mut asked) = Asked::new() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{}; exit", server.port());
    let Ok(mut child) = Command::new("bash").args(["-c", &script]).stderr(Stdio::null()).spawn() else { return };
    let (_accepted, client) = listener.accept().unwrap();
    child.wait().unwrap();
    let owner = asked.owner(Transport::Tcp, client, server).unwrap();
    assert_eq!((owner.basis, owner.process), (Basis::Gone, None));
}

/// One at a time or all at once, each question gets its own answer.
#[test]
fn many_questions_are_answered_in_one_look() {
    let Some(mut asked) = Asked::new() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    let clients: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(server).unwrap()).collect();
    for (token, client) in (0..).zip(&clients) {
        let (local, remote) = (client.local_addr().unwrap(), server);
        let end = |at: SocketAddr| Endpoint::new(at.ip(), at.port());
        let question = Question { token, transport: Transport::Tcp, local: end(local), remote: end(remote) };
        asked.stream.write_all(&question.to_bytes()).unwrap();
    }
    let mut tokens = BTreeSet::new();
    for line in (&mut asked.answers).lines().take(clients.len()) {
        let answer: Answer = serde_json::from_str(&line.unwrap()).unwrap();
        assert_eq!(pid(answer.owner.as_ref()), Some((Basis::Connection, std::process::id())));
        tokens.insert(answer.token);
    }
    assert_eq!(tokens.len(), clients.len());
}

#[test]
fn the_same_in_several_namespaces_is_nobodys() {
    let socket = |inode, state| Socket { inode, user: 0, state };
    let (own, listens) = (socket(1, State::Own), socket(2, State::Listening));
    for (transport, sockets, expected) in [
        (Transport::Tcp, vec![], Ok(None)),
        (Transport::Tcp, vec![listens], Ok(Some(listens))),
        (Transport::Tcp, vec![listens, own], Ok(Some(own))),
        (Transport::Tcp, vec![listens, socket(3, State::Listening)], Err(())),
        (Transport::Tcp, vec![own, socket(3, State::Own)], Err(())),
        (Transport::Udp, vec![own], Ok(Some(own))),
        (Transport::Udp, vec![own, socket(3, State::Own)], Err(())),
    ] {
        assert_eq!(unambiguous(transport, &sockets), expected, "{sockets:?}");
    }
}
