//! Two namespaces, a veth, certificates, servers, clients; and handshark on the server's side. Everything is gone when the lab is.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_handshark");
/// The longest that anything is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether a program is installed.
pub fn have(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|directory| directory.join(program).is_file()))
        || ["/sbin", "/usr/sbin"].iter().any(|directory| Path::new(directory).join(program).is_file())
}

/// Why a test cannot run here.
fn why_not(programs: &[&str]) -> Option<String> {
    // Tests run at the same time: only one of them may try.
    static MAY: OnceLock<bool> = OnceLock::new();
    if let Some(missing) = ["ip"].iter().chain(programs).find(|program| !have(program)) {
        return Some(format!("{missing} is not installed"));
    }
    let may = *MAY.get_or_init(|| {
        let probe = format!("hs{}probe", std::process::id());
        let made = Command::new("ip").args(["netns", "add", &probe]).output().is_ok_and(|out| out.status.success());
        let _ = Command::new("ip").args(["netns", "del", &probe]).output();
        made
    });
    (!may).then(|| "network namespaces need root".to_owned())
}

pub fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// What a program writes to both its streams.
pub fn output<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> String {
    let out = Command::new(program).args(arguments).output().unwrap();
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// A process that ends with its owner.
pub struct Process(Mutex<Child>);

impl Process {
    pub fn signal(&self, signal: &str) {
        let id = self.0.lock().unwrap().id();
        assert!(Command::new("kill").args([&format!("-{signal}"), &id.to_string()]).status().unwrap().success());
    }

    pub fn id(&self) -> u32 {
        self.0.lock().unwrap().id()
    }

    pub fn is_running(&self) -> bool {
        self.0.lock().unwrap().try_wait().unwrap().is_none()
    }

    /// Waits for the end; the exit code.
    pub fn wait(&self) -> i32 {
        self.0.lock().unwrap().wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let child = self.0.get_mut().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}

pub struct Lab {
    client: String,
    server: String,
    pub server_if: String,
    client_if: String,
    directory: tempfile::TempDir,
    servers: Mutex<Vec<Arc<Process>>>,
}

impl Lab {
    /// A lab for a test that needs these programs; `None`, and a word about it, where it cannot run.
    pub fn with(programs: &[&str]) -> Option<Self> {
        match why_not(programs) {
            None => Some(Self::new()),
            Some(why) => {
                crate::support::skip::skip(&why);
                None
            }
        }
    }

    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("hs{:x}n{}", std::process::id() & 0xffff, COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = tempfile::tempdir().unwrap();
        // Whom privileges are given up to must be able to write here.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        fs::set_permissions(directory.path(), open).unwrap();
        let lab = Self {
            client: format!("{prefix}c"),
            server: format!("{prefix}s"),
            server_if: format!("{prefix}vs"),
            client_if: format!("{prefix}vc"),
            directory,
            servers: Mutex::default(),
        };
        for line in [format!("netns add {}", lab.client), format!("netns add {}", lab.server), format!("-n {} link set lo up", lab.server)]
        {
            ip(&line);
        }
        lab.connect();
        let mut roots = String::new();
        for (name, (from, until)) in [("good", (2020, 2090)), ("expired", (2019, 2021))] {
            let mut parameters = rcgen::CertificateParams::new(vec![format!("{name}.test")]).unwrap();
            parameters.not_before = rcgen::date_time_ymd(from, 1, 1);
            parameters.not_after = rcgen::date_time_ymd(until, 1, 1);
            let key = rcgen::KeyPair::generate().unwrap();
            let certificate = parameters.self_signed(&key).unwrap();
            fs::write(lab.path(&format!("{name}.pem")), format!("{}{}", certificate.pem(), key.serialize_pem())).unwrap();
            // The good certificate is trusted; the expired one is, too, so that only its age is wrong. Written before any client runs: curl reads
            // it only once its ClientHello is sent.
            roots.push_str(&certificate.pem());
        }
        fs::write(lab.path("roots.pem"), roots).unwrap();
        lab
    }

    /// Joins the namespaces by a veth, which exists neither before nor twice.
    pub fn connect(&self) {
        let (c, s, vc, vs) = (&self.client, &self.server, &self.client_if, &self.server_if);
        for line in [
            format!("link add {vc} netns {c} type veth peer name {vs} netns {s}"),
            format!("-n {c} addr add 10.77.0.1/24 dev {vc}"),
            format!("-n {s} addr add 10.77.0.2/24 dev {vs}"),
            format!("-n {c} link set {vc} up"),
            format!("-n {s} link set {vs} up"),
        ] {
            ip(&line);
        }
    }

    /// Takes the veth away altogether.
    pub fn disconnect(&self) {
        ip(&format!("-n {} link del {}", self.server, self.server_if));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub fn files(&self, name: &str) -> Vec<PathBuf> {
        let mut files: Vec<_> = fs::read_dir(self.path(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    fn within(&self, namespace: &str, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace, program]).current_dir(self.directory.path()).stdin(Stdio::null());
        command
    }

    fn start(command: &mut Command) -> Process {
        Process(Mutex::new(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()))
    }

    /// A DTLS server, and waits until its socket is there.
    pub fn serve_dtls(&self, port: u16) -> Arc<Process> {
        let mut command = self.within(&self.server, "openssl");
        command.args(["s_server", "-dtls1_2", "-accept", &port.to_string(), "-cert", "good.pem", "-key", "good.pem", "-quiet"]);
        let server = Arc::new(Self::start(&mut command));
        self.servers.lock().unwrap().push(Arc::clone(&server));
        let hex = format!(":{port:04X} ");
        eventually("a server", || ["/proc/net/udp", "/proc/net/udp6"].iter().any(|file| self.output_there("cat", &[file]).contains(&hex)));
        server
    }

    /// A TLS server that answers HTTP, and waits until it listens.
    pub fn serve_tls(&self, port: u16, certificate: &str, arguments: &[&str]) -> Arc<Process> {
        let pem = format!("{certificate}.pem");
        let mut command = self.within(&self.server, "openssl");
        command.args(["s_server", "-accept", &port.to_string(), "-cert", &pem, "-key", &pem, "-quiet", "-www"]).args(arguments);
        let server = Arc::new(Self::start(&mut command));
        self.servers.lock().unwrap().push(Arc::clone(&server));
        let hex = format!(":{port:04X} ");
        eventually("a server", || {
            let listening = |file| {
                output("ip", &["netns", "exec", &self.server, "cat", file]).lines().any(|line| line.contains(&hex) && line.contains(" 0A "))
            };
            listening("/proc/net/tcp") || listening("/proc/net/tcp6")
        });
        server
    }

    fn curl_in(&self, namespace: &str, name: &str, port: u16, arguments: &[&str]) -> Process {
        let mut command = self.within(namespace, "curl");
        command.args([
            "--silent",
            "--noproxy",
            "*",
            "--output",
            "/dev/null",
            "--cacert",
            "roots.pem",
            "--resolve",
            &format!("{name}:{port}:10.77.0.2"),
        ]);
        Self::start(command.args(arguments).arg(format!("https://{name}:{port}/")))
    }

    pub fn curl(&self, name: &str, port: u16, arguments: &[&str]) -> Process {
        self.curl_in(&self.client, name, port, arguments)
    }

    /// From the server's own namespace, over the loopback.
    pub fn curl_at_home(&self, name: &str, port: u16) -> Process {
        self.curl_in(&self.server, name, port, &[])
    }

    pub fn scrape(&self, page: &str) -> String {
        output("ip", &["netns", "exec", &self.server, "curl", "--silent", "--noproxy", "*", &format!("http://127.0.0.1:9477{page}")])
    }

    pub fn output_there(&self, program: &str, arguments: &[&str]) -> String {
        output("ip", &[&["netns", "exec", &self.server, program], arguments].concat())
    }

    pub fn link(&self, state: &str) {
        ip(&format!("-n {} link set {} {state}", self.server, self.server_if));
    }

    pub fn replay(&self, capture: &Path, how: &[&str]) {
        let path = capture.to_string_lossy();
        let base = ["netns", "exec", &self.client, "tcpreplay", "-i", &self.client_if];
        let said = output("ip", &[&base, how, &[&path]].concat());
        assert!(said.contains("Failed packets:            0"), "{said}");
    }

    /// An address in the client's network at which nobody answers, though packets to it travel.
    pub fn dead_end(&self) -> &'static str {
        let address = "10.77.0.9";
        ip(&format!("-n {} neigh add {address} lladdr 02:00:00:00:00:09 dev {} nud permanent", self.client, self.client_if));
        address
    }

    /// Any client.
    pub fn client(&self, program: &str, arguments: &[&str]) -> Process {
        Self::start(self.within(&self.client, program).args(arguments))
    }

    /// Any server.
    pub fn server(&self, program: &str, arguments: &[&str]) -> Process {
        Self::start(self.within(&self.server, program).args(arguments))
    }

    /// The command that runs handshark on the server's interface.
    pub fn live_command(&self, arguments: &[&str]) -> Command {
        self.live_command_under(&[], arguments)
    }

    /// The same by another program, which is given these words before it.
    fn live_command_under(&self, under: &[&str], arguments: &[&str]) -> Command {
        let words = [under, &[PROGRAM]].concat();
        let mut command = self.within(&self.server, words[0]);
        command.args(&words[1..]).arg("live").args(arguments);
        if !arguments.contains(&"any") {
            command.args(["--interface", &self.server_if]);
        }
        if !arguments.contains(&"--buffer") {
            command.args(["--buffer", "8MiB"]);
        }
        command
    }

    pub fn server_namespace(&self) -> &str {
        &self.server
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.servers.lock().unwrap().clear();
        for namespace in [&self.client, &self.server] {
            let _ = Command::new("ip").args(["netns", "del", namespace]).output();
        }
    }
}

fn ip(line: &str) {
    let out = Command::new("ip").args(line.split_whitespace()).output().unwrap();
    assert!(out.status.success(), "ip {line}: {}", String::from_utf8_lossy(&out.stderr));
}

/// A report and when it was read.
pub struct Told {
    pub at: SystemTime,
    pub report: Value,
}

impl Told {
    /// How long after the client's hello it was told.
    pub fn after_hello(&self) -> Duration {
        let handshake = &self.report["handshake"];
        let micros = |name: &str| Duration::from_micros(handshake["timing"][name].as_u64().unwrap_or_default());
        let hello = start(&self.report) + micros("tcp_rtt_us") + micros("client_hello_us");
        self.at.duration_since(hello).unwrap()
    }

    /// How long after the first packet it was told.
    pub fn after_start(&self) -> Duration {
        self.at.duration_since(start(&self.report)).unwrap()
    }
}

fn start(report: &Value) -> SystemTime {
    moment(&report["handshake"]["start"])
}

/// A time as reports have it.
pub fn moment(at: &Value) -> SystemTime {
    let text = at.as_str().unwrap();
    time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).unwrap().into()
}

/// How late this machine lets a thread run: what else it is doing is not the program's fault.
pub struct Lateness {
    worst: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Lateness {
    pub fn measure() -> Self {
        let measured = Self { worst: Arc::default(), stop: Arc::default() };
        let (worst, stop) = (Arc::clone(&measured.worst), Arc::clone(&measured.stop));
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let began = Instant::now();
                thread::sleep(Duration::from_millis(10));
                worst.fetch_max(u64::try_from(began.elapsed().as_millis()).unwrap(), Ordering::Relaxed);
            }
        });
        measured
    }

    /// What several threads in a row may lose by it.
    pub fn allowance(&self) -> Duration {
        5 * Duration::from_millis(self.worst.load(Ordering::Relaxed).saturating_sub(10))
    }
}

impl Drop for Lateness {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// How a run ended.
pub struct End {
    pub code: Option<i32>,
    pub last: Value,
    pub reports: Vec<Value>,
    pub errors: String,
}

/// handshark, running.
pub struct Live {
    child: Child,
    reports: Receiver<Told>,
    errors: Option<thread::JoinHandle<()>>,
    /// Standard error so far.
    said: Arc<Mutex<String>>,
    /// Reports passed over by [`Live::until`].
    passed: Vec<Told>,
}

impl Live {
    pub fn start(lab: &Lab, arguments: &[&str]) -> Self {
        Self::start_under(lab, &[], arguments)
    }

    /// By another program, which changes what it may do.
    pub fn start_under(lab: &Lab, under: &[&str], arguments: &[&str]) -> Self {
        let mut live = Self::spawn(&mut lab.live_command_under(under, arguments));
        let (tell, reports) = channel();
        let stdout = live.child.stdout.take().unwrap();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let report = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
                let _ = tell.send(Told { at: SystemTime::now(), report });
            }
        });
        live.reports = reports;
        live
    }

    /// Its standard output is a pipe that nobody reads.
    pub fn start_unread(lab: &Lab, arguments: &[&str]) -> Self {
        Self::spawn(&mut lab.live_command(arguments))
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let saying = Arc::clone(&said);
        let errors = thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = stderr.read(&mut buffer) {
                saying.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
        });
        Self { child, reports: channel().1, errors: Some(errors), said, passed: Vec::new() }
    }

    /// Until the process has its threads, which come after its sockets, and then the moment they need to start.
    pub fn wait_until_ready(&mut self) {
        let id = self.child.id();
        eventually("handshark to capture", || {
            let ended = self.child.try_wait().unwrap().is_some();
            assert!(!ended, "it ended at once: {}", self.errors());
            fs::read_dir(format!("/proc/{id}/task")).is_ok_and(|tasks| tasks.count() > 3)
        });
        thread::sleep(Duration::from_millis(300));
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn status(&self) -> String {
        fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap()
    }

    pub fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([&format!("-{signal}"), &self.child.id().to_string()]).status().unwrap().success());
    }

    /// The first report of its kind, among those passed over and those to come.
    pub fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Told {
        if let Some(place) = self.passed.iter().position(|told| wanted(&told.report)) {
            return self.passed.remove(place);
        }
        let began = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(began.elapsed());
            let Ok(told) = self.reports.recv_timeout(left) else {
                let passed: Vec<_> = self.passed.iter().map(|told| &told.report).collect();
                panic!("waited in vain for a report; there were {passed:#?}")
            };
            if wanted(&told.report) {
                return told;
            }
            self.passed.push(told);
        }
    }

    pub fn terminate(&mut self) -> End {
        self.signal("TERM");
        self.ended()
    }

    pub fn terminate_unread(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.child.wait().unwrap().code()
    }

    /// Waits for its end.
    pub fn ended(&mut self) -> End {
        let began = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < PATIENCE, "it does not end");
            thread::sleep(Duration::from_millis(20));
        }
        let code = self.child.wait().unwrap().code();
        let passed = std::mem::take(&mut self.passed).into_iter();
        let reports: Vec<Value> = passed.chain(self.reports.iter()).map(|told| told.report).collect();
        let last = reports.last().cloned().unwrap_or_default();
        End { code, last, reports, errors: self.errors() }
    }

    /// All of standard error, of a process that has ended.
    fn errors(&mut self) -> String {
        self.errors.take().unwrap().join().unwrap();
        self.said.lock().unwrap().clone()
    }

    /// Waits for words on standard error that were not waited for before.
    pub fn until_said(&self, words: &str) {
        eventually(words, || {
            let mut said = self.said.lock().unwrap();
            let place = said.find(words);
            if let Some(place) = place {
                said.drain(..place + words.len());
            }
            place.is_some()
        });
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
