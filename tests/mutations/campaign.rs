//! Runs the program on one input after another and judges what it does.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::frames::Model;
use crate::numbers::Numbers;
use crate::{Options, file};

/// What lies are told about.
#[derive(Debug)]
pub struct Corpus {
    pub captures: Vec<Model>,
    pub key_logs: Vec<Vec<u8>>,
}

impl Corpus {
    /// The captures and key logs below a directory.
    pub fn of(fixtures: &Path) -> Self {
        let mut paths = Vec::new();
        for part in ["captures", "pairs", "hostile"] {
            collect(&fixtures.join(part), &mut paths);
        }
        paths.sort();
        let keys = paths.iter().filter(|path| path.extension().is_some_and(|ext| ext == "keys"));
        let small = |path: &&PathBuf| fs::metadata(path).is_ok_and(|data| data.len() <= MOST);
        let captures: Vec<Model> = paths.iter().filter(small).filter_map(|path| Model::read(path)).collect();
        assert!(captures.len() > 100, "the fixtures are not there");
        Self { captures, key_logs: keys.map(|path| fs::read(path).unwrap()).collect() }
    }
}

fn collect(dir: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { collect(&path, paths) } else { paths.push(path) }
    }
}

/// What came of a campaign.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    pub inputs: u64,
    pub runs: u64,
    pub findings: u64,
}

/// One job.
#[derive(Debug)]
pub struct Campaign<'a> {
    corpus: &'a Corpus,
    /// Where findings are kept.
    out: &'a Path,
    /// Where the inputs and outputs of the moment lie.
    scratch: tempfile::TempDir,
    seed: u64,
    numbers: Numbers,
    program: &'a Path,
    timeout: Duration,
    times: bool,
    tally: Tally,
    /// Places of panics that are kept already.
    known: Vec<String>,
}

/// How a run ended.
struct Ran {
    /// It was ended because it took too long.
    hangs: bool,
    /// `None` when a signal ended it.
    code: Option<i32>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl<'a> Campaign<'a> {
    pub fn new(corpus: &'a Corpus, out: &'a Path, seed: u64, options: &'a Options) -> Self {
        let numbers = Numbers::new(seed);
        let scratch = tempfile::tempdir().unwrap();
        let (program, timeout, times) = (options.program.as_path(), Duration::from_secs(options.timeout), options.times);
        Self { corpus, out, scratch, seed, numbers, program, timeout, times, tally: Tally::default(), known: Vec::new() }
    }

    #[allow(clippy::disallowed_methods, reason = "a campaign may end after a span of real time")]
    pub fn run(&mut self, count: u64, span: Option<Duration>) -> Tally {
        let begin = Instant::now();
        for number in 0..count {
            if span.is_some_and(|span| begin.elapsed() >= span) {
                break;
            }
            self.input(number);
        }
        self.tally
    }

    /// Makes one input and runs the program on it.
    fn input(&mut self, number: u64) {
        let numbers = &mut self.numbers;
        let mut model = numbers.pick(&self.corpus.captures).clone();
        let original = model.path.clone();
        let times = self.times || numbers.one_in(6);
        if times {
            model.distort_times(numbers);
        }
        if !times || numbers.one_in(3) {
            if numbers.one_in(5) {
                let other = numbers.pick(&self.corpus.captures);
                if other.link == model.link {
                    model.shots.extend(other.shots.iter().cloned());
                }
            }
            model.lie(numbers);
        }
        let mut bytes = file::write(&model, numbers, times);
        if numbers.one_in(20) {
            for _ in 0..numbers.between(1, 20) {
                let at = numbers.below(bytes.len().min(4000));
                bytes[at] = numbers.byte();
            }
        }
        let log = numbers.pick(&self.corpus.key_logs).as_slice();
        let keys = numbers.one_in(6).then(|| spoilt(log, numbers));
        let [capture, before, keys_path] = ["input", "before", "keys"].map(|name| self.scratch.path().join(name));
        if fs::rename(&capture, &before).is_err() {
            fs::write(&before, &bytes).unwrap();
        }
        fs::write(&capture, &bytes).unwrap();
        if let Some(keys) = &keys {
            fs::write(&keys_path, keys).unwrap();
        }
        self.tally.inputs += 1;
        for (turn, mut words) in commands(number, &capture, &before, &original, self.scratch.path()).into_iter().enumerate() {
            if keys.is_some() && words[0] != "diff" {
                words.extend(["-k".to_owned(), text(&keys_path)]);
            }
            let ran = self.judged(&words);
            if turn == 0 && number.is_multiple_of(8) {
                let threads = words.iter().position(|word| word == "--threads").unwrap();
                "4".clone_into(&mut words[threads + 1]);
                if self.judged(&words).stdout != ran.stdout {
                    self.keep("threads", &words, b"four threads say something else than one");
                }
            }
        }
    }

    /// Runs the program and keeps what must not be.
    fn judged(&mut self, words: &[String]) -> Ran {
        let ran = self.ran(words);
        self.tally.runs += 1;
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        if ran.hangs {
            self.keep("hang", words, b"no end within the time allowed");
            return ran;
        }
        if said.contains("panicked at") || !matches!(ran.code, Some(0..=2)) {
            let place = said.split("panicked at ").nth(1).and_then(|rest| rest.lines().next()).unwrap_or_default().to_owned();
            if place.is_empty() || !self.known.contains(&place) {
                self.keep("crash", words, format!("exit {:?}\n{said}", ran.code).as_bytes());
            }
            self.known.push(place);
            return ran;
        }
        if said.contains("Usage: handshark") {
            self.keep("usage", words, said.as_bytes());
        }
        let lines_end = if words.iter().any(|word| word == "--csv") { "\r\n" } else { "\n" };
        if let Some(hidden) = said.chars().find(|c| is_hidden(*c) && *c != '\n') {
            self.keep("stderr", words, format!("{hidden:?} in {said}").as_bytes());
        }
        match std::str::from_utf8(&ran.stdout) {
            Ok(text) => {
                if let Some(hidden) = text.chars().find(|c| is_hidden(*c) && !lines_end.contains(*c)) {
                    self.keep("stdout", words, format!("{hidden:?}").as_bytes());
                }
                if words.iter().any(|word| word == "--json")
                    && let Some(error) = text.lines().find_map(|line| serde_json::from_str::<serde_json::Value>(line).err())
                {
                    self.keep("json", words, error.to_string().as_bytes());
                }
            }
            Err(error) => self.keep("utf8", words, error.to_string().as_bytes()),
        }
        ran
    }

    #[allow(clippy::disallowed_methods, reason = "a run may take so much real time")]
    fn ran(&self, words: &[String]) -> Ran {
        let [out, err] = ["stdout", "stderr"].map(|name| self.scratch.path().join(name));
        let mut child = Command::new(self.program)
            .args(words)
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(File::create(&out).unwrap())
            .stderr(File::create(&err).unwrap())
            .spawn()
            .unwrap();
        let begin = Instant::now();
        let mut hangs = false;
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if begin.elapsed() > self.timeout {
                hangs = true;
                child.kill().unwrap();
                break child.wait().unwrap();
            }
            thread::sleep(Duration::from_millis(1));
        };
        Ran { hangs, code: status.code(), stdout: fs::read(out).unwrap(), stderr: fs::read(err).unwrap() }
    }

    fn keep(&mut self, what: &str, words: &[String], info: &[u8]) {
        self.tally.findings += 1;
        let place = self.out.join(format!("{what}-{}-{}", self.seed, self.tally.inputs));
        fs::create_dir_all(&place).unwrap();
        for name in ["input", "before", "keys"] {
            let _ = fs::copy(self.scratch.path().join(name), place.join(name));
        }
        let words = words.join(" ").replace(&text(self.scratch.path()), &text(&place));
        fs::write(place.join("command"), [b"handshark ", words.as_bytes(), b"\n", info, b"\n"].concat()).unwrap();
        println!("{what}: handshark {words}\n{}", String::from_utf8_lossy(&info[..info.len().min(400)]));
    }
}

/// The runs for an input: always `read`, and one of all others in turn.
fn commands(number: u64, capture: &Path, before: &Path, original: &Path, scratch: &Path) -> Vec<Vec<String>> {
    let [capture, before, original] = [capture, before, original].map(text);
    let words = |line: &str, more: &[&str]| line.split(' ').chain(more.iter().copied()).map(str::to_owned).collect::<Vec<_>>();
    let [page, slice, certs] = ["page.html", "slice.pcapng", "certs"].map(|name| text(&scratch.join(name)));
    // Nothing is there to be overwritten.
    let _ = (fs::remove_dir_all(&certs), fs::remove_file(&page), fs::remove_file(&slice));
    let other = if number.is_multiple_of(2) { &before } else { &original };
    let key = "--anonymize=correct-horse-battery-staple";
    let turn = [
        words("show -n 2 --no-trust", &[&capture]),
        words("report --format md --no-trust", &[&capture]),
        words("slice -o", &[&slice, &capture]),
        words("certs -o", &[&certs, &capture]),
        words("diff --no-trust", &[other, &capture]),
        words("match --all --no-trust", &[other, &capture]),
        words("read -a -v --no-trust", &[&capture]),
        words("read --csv --no-trust", &[&capture, &before]),
        words("read --json --no-trust", &[key, &capture]),
        words("report --no-trust -o", &[&page, &capture]),
        words("slice -o", &[&slice, key, &capture]),
        words("match --all --no-trust", &[&capture, &before]),
    ];
    let place = usize::try_from(number % turn.len() as u64).unwrap();
    vec![words("read --json --no-trust --threads 1", &[&capture]), turn[place].clone()]
}

fn spoilt(log: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut log = log.to_vec();
    for _ in 0..numbers.below(8) {
        if !log.is_empty() {
            let at = numbers.below(log.len());
            log[at] = numbers.byte();
        }
    }
    log
}

/// A character that acts instead of being seen: control and format characters, and separators of lines.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// Larger captures take their time.
const MOST: u64 = 120_000;
