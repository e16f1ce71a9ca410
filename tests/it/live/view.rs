//! The view on a terminal, driven through tmux as a person would.

use std::thread;
use std::time::Duration;

use super::lab::{Lab, PROGRAM, eventually, output};

struct Screen {
    socket: String,
}

impl Screen {
    fn new(lab: &Lab, command: &str) -> Self {
        let socket = format!("hs{}{}", std::process::id(), lab.server_namespace());
        let screen = Self { socket };
        screen.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", command]);
        screen
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        output("tmux", &[&["-L", &self.socket], arguments].concat())
    }

    fn text(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// The process that runs in it.
    fn running(&self) -> String {
        let shell = self.tmux(&["list-panes", "-F", "#{pane_pid}"]);
        let shell = shell.trim();
        std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).unwrap().trim().to_owned()
    }

    fn shows(&self, text: &str) {
        let mut last = String::new();
        for _ in 0..600 {
            last = self.text();
            if last.contains(text) {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("{text:?} does not appear:\n{last}");
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

fn command(lab: &Lab) -> String {
    format!(
        "ip netns exec {} {PROGRAM} live --buffer 8MiB -i {}; echo ended with $?; stty -a | tr ' ' '\\n' | grep -x -e icanon -e echo; sleep 60",
        lab.server_namespace(),
        lab.server_if
    )
}

#[test]
fn a_signal_ends_the_view_and_puts_the_terminal_back() {
    let Some(lab) = Lab::with(&["tmux", "kill"]) else { return };
    let screen = Screen::new(&lab, &command(&lab));
    // Neighbour discovery may have brought packets by then.
    screen.shows("0 handshakes");
    assert_eq!(output("kill", &["-TERM", &screen.running()]), "");
    screen.shows("ended with 0");
    screen.shows("icanon");
    assert!(!screen.text().contains("q quit"), "{}", screen.text());
}

#[test]
fn the_view_ends_with_its_terminal() {
    let Some(lab) = Lab::with(&["tmux"]) else { return };
    let screen = Screen::new(&lab, &command(&lab));
    screen.shows("0 handshakes");
    let process = format!("/proc/{}/stat", screen.running());
    drop(screen);
    eventually("the end of the view without a terminal", || std::fs::read_to_string(&process).map_or(true, |stat| stat.contains(") Z ")));
}

#[test]
fn the_view_starts_moves_opens_filters_and_quits() {
    let Some(lab) = Lab::with(&["openssl", "curl", "tmux"]) else { return };
    lab.serve_tls(8443, "good", &["-tls1_3"]);
    let screen = Screen::new(&lab, &command(&lab));
    // Neighbour discovery may have brought packets by then.
    screen.shows("0 handshakes");
    // One is shown before the other begins: rows stand in the order in which verdicts came.
    assert_ne!(lab.curl("good.test", 8443, &["--tls-max", "1.2"]).wait(), 0);
    screen.shows("client-version-too-old");
    assert_ne!(lab.curl("other.test", 7443, &[]).wait(), 0);
    screen.shows("tcp-refused");
    // Each stands alone: the first list has no incident.
    screen.shows("No incident: 2 failures stand alone");
    screen.keys(&["2"]);
    screen.shows("2 Problems (2)");
    // The latest is on top; the cursor moves down to the other and opens it.
    screen.keys(&["j", "Enter"]);
    screen.shows("Diagnosis");
    screen.shows("good.test (10.77.0.2:8443)");
    screen.keys(&["G"]);
    screen.shows("ALPN");
    screen.keys(&["Escape"]);
    screen.shows("2 Problems (2)");
    screen.keys(&["k"]);
    screen.keys(&["/"]);
    screen.keys(&["8443", "Enter"]);
    screen.shows("6 Clients  /8443");
    screen.keys(&["Enter"]);
    screen.shows("alert protocol_version (70)");
    // Two that come together are two: out of the handshake, and out of the filter.
    screen.keys(&["Escape", "Escape"]);
    screen.shows("2 Problems (2)");
    screen.keys(&["?"]);
    screen.shows("next, previous");
    screen.keys(&["x", "4", "Enter"]);
    screen.shows("Servers › 10.77.0.2:");
    screen.keys(&["Escape"]);
    // Two of one cause at one server are an incident.
    assert_ne!(lab.curl("good.test", 8443, &["--tls-max", "1.2"]).wait(), 0);
    screen.keys(&["1"]);
    screen.shows("in the last two minutes");
    screen.keys(&["Enter"]);
    screen.shows("Incidents › client-version-too-old at good.test");
    screen.keys(&["Enter"]);
    screen.shows("handshakes (2)");
    screen.keys(&["w"]);
    screen.shows("Not saved: this run may write nowhere");
    // A key that comes beside a change of the window's size is not lost.
    screen.tmux(&["resize-window", "-x", "120", "-y", "40", ";", "send-keys", "3", "p"]);
    screen.shows("PAUSED");
    screen.keys(&["q"]);
    // What stays is the summary, on a terminal as it was.
    eventually("the end", || screen.text().contains("ended with 0"));
    screen.shows("icanon");
    assert!(screen.text().contains("3 handshakes"), "{}", screen.text());
}

#[test]
fn what_is_selected_is_saved_where_the_confined_process_may_write() {
    let Some(lab) = Lab::with(&["openssl", "curl", "tmux"]) else { return };
    lab.serve_tls(8443, "good", &["-tls1_3"]);
    let directory = tempfile::tempdir().unwrap();
    let save = format!(" live --save {} ", directory.path().display());
    let screen = Screen::new(&lab, &command(&lab).replace(" live ", &save));
    screen.shows("0 handshakes");
    assert_ne!(lab.curl("good.test", 8443, &["--tls-max", "1.2"]).wait(), 0);
    screen.shows("client-version-too-old");
    screen.keys(&["2"]);
    for form in ["p", "h"] {
        screen.keys(&["w"]);
        screen.shows("Save what is selected");
        screen.keys(&[form]);
        screen.shows("Saved as");
        screen.keys(&["k"]);
    }
    let mut saved: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    saved.sort_by_key(|path| path.extension().map(std::ffi::OsStr::to_owned));
    let [page, packets] = saved.as_slice() else { panic!("{saved:?}") };
    assert!(std::fs::read_to_string(page).unwrap().contains("client-version-too-old"));
    let said = output(PROGRAM, &["read", "--no-trust", packets.to_str().unwrap()]);
    assert!(said.contains("client-version-too-old"), "{said}");
}
