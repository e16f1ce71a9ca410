//! The report's page under the hands of a user: keys pressed in a real Chromium by its WebDriver, where there is one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::incident;
use crate::support::program::{done, text};

const TAB: char = '\u{e004}';
const ENTER: char = '\u{e007}';
const ESCAPE: char = '\u{e00c}';
const END: char = '\u{e010}';
const HOME: char = '\u{e011}';
const UP: char = '\u{e013}';
const DOWN: char = '\u{e015}';

/// A browser that is driven. Both end with the value.
struct Driver {
    process: Child,
    port: u16,
    session: String,
    profile: tempfile::TempDir,
}

impl Driver {
    /// Nothing where there is no chromedriver.
    fn start() -> Option<Self> {
        let mut command = Command::new("chromedriver");
        let spawned = command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let Ok(mut process) = spawned else {
            crate::support::skip::skip("chromedriver is not installed (Debian: chromium-driver)");
            return None;
        };
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // It says first that it starts on port 0.
                let port = line.split("on port ").nth(1).and_then(|rest| rest.trim_end_matches('.').parse().ok());
                if let Some(port) = port.filter(|port: &u16| *port > 0) {
                    let _ = tell.send(port);
                }
            }
        });
        let port = told.recv_timeout(Duration::from_secs(20));
        let profile = tempfile::tempdir().unwrap();
        let mut driver = Self { process, port: port.unwrap(), session: String::new(), profile };
        let arguments = [
            "--headless".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--window-size=1280,900".to_owned(),
            format!("--user-data-dir={}", driver.profile.path().display()),
        ];
        let wanted = json!({"goog:chromeOptions": {"args": arguments}, "goog:loggingPrefs": {"browser": "ALL"}});
        let made = driver.call("POST", "", &json!({"capabilities": {"alwaysMatch": wanted}}));
        driver.session = format!("/{}", made["sessionId"].as_str().unwrap_or_else(|| panic!("{made}")));
        Some(driver)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if method == "POST" { body.to_string() } else { String::new() };
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        write!(
            stream,
            "{method} /session{}{path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.session,
            self.port,
            body.len()
        )
        .unwrap();
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        for line in reader.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()) {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut answer = vec![0; length];
        reader.read_exact(&mut answer).unwrap();
        serde_json::from_slice::<Value>(&answer).unwrap()["value"].take()
    }

    fn js(&self, script: &str) -> Value {
        self.call("POST", "/execute/sync", &json!({"script": format!("return {script}"), "args": []}))
    }

    fn press(&self, keys: &[char]) {
        let actions: Vec<Value> =
            keys.iter().flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key.to_string()}))).collect();
        self.call("POST", "/actions", &json!({"actions": [{"type": "key", "id": "keys", "actions": actions}]}));
    }

    fn wait(&self, script: &str) {
        let began = Instant::now();
        while self.js(script) != true {
            assert!(began.elapsed() < Duration::from_secs(20), "never came true: {script}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if !self.session.is_empty() && !std::thread::panicking() {
            self.call("DELETE", "", &Value::Null);
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The page of the bundled incident, loaded.
fn opened(driver: &Driver, dir: &std::path::Path) {
    let page = dir.join("report.html");
    done(&["report", "--no-trust", "-o", text(&page), text(&incident())]);
    driver.call("POST", "/url", &json!({"url": format!("file://{}", page.display())}));
    driver.wait("!document.getElementById('explorer').hidden");
}

#[test]
fn what_is_pointed_at_filters_and_the_address_tells_of_it() {
    let Some(driver) = Driver::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    opened(&driver, dir.path());
    let count = |expected: &str| driver.wait(&format!("document.getElementById('count').textContent.startsWith('{expected} of 415')"));
    let hash = || driver.js("location.hash").as_str().unwrap().to_owned();

    // What moves slowly is not where it was asked for.
    driver.js("document.documentElement.style.scrollBehavior = 'auto'");
    driver.js("document.querySelector('#incident-2 .sub a.js').click()");
    count("37");
    for part in ["cause=certificate-expired", "name=shop.lab.test", "from=2026-11-21T09:05:03.527"] {
        assert!(hash().contains(part), "{}", hash());
    }
    driver.js("document.querySelector('#chips button').click()");
    driver.wait("document.getElementById('chips').hidden");
    driver.js("document.querySelector('#filters button[type=reset]').click()");
    count("415");
    assert_eq!(hash(), "");

    // A stretch of time is drawn on the chart; a click forgets it.
    driver.js("document.querySelector('svg.brush').scrollIntoView({block: 'center'})");
    let place = driver
        .js("(() => { const r = document.querySelector('svg.brush').getBoundingClientRect(); return [r.x, r.y, r.width, r.height]; })()");
    let place: Vec<f64> = place.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect();
    let at = |part: f64| json!({"type": "pointerMove", "x": (place[0] + place[2] * part) as i64, "y": (place[1] + place[3] / 2.0) as i64});
    let (down, up) = (json!({"type": "pointerDown", "button": 0}), json!({"type": "pointerUp", "button": 0}));
    let point = |actions: &[&Value]| {
        driver.call(
            "POST",
            "/actions",
            &json!({"actions": [{"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": actions}]}),
        );
    };
    point(&[&at(0.4), &down, &at(0.6), &up]);
    driver.wait("document.getElementById('f-from').value.startsWith('2026-11-21T09:05') && document.getElementById('f-to').value.startsWith('2026-11-21T09:08')");
    assert!(hash().starts_with("#from=2026-11-21T09:05"), "{}", hash());
    point(&[&at(0.4), &down, &up]);
    count("415");

    // Tables show their first rows, are sorted by their heads, and lead to handshakes.
    let clients = "document.querySelector('section[aria-labelledby=h-clients]')";
    let visible = format!("[...{clients}.querySelectorAll('tbody tr')].filter((row) => row.offsetParent).length");
    assert_eq!(driver.js(&visible), 20);
    driver.js(&format!("{clients}.querySelector('button.all').click()"));
    assert_eq!(driver.js(&visible), 79);
    let first = format!("{clients}.querySelector('tbody th').textContent");
    for expected in ["10.77.1.100", "10.77.1.97"] {
        driver.js(&format!("{clients}.querySelector('thead button').click()"));
        assert_eq!(driver.js(&first), expected);
    }
    driver.js(&format!("{clients}.querySelector('tbody a').click()"));
    driver.wait("location.hash === '#client=10.77.1.97'");

    // What was filtered stays when a handshake was looked at.
    driver.js("document.querySelector('#body a').click()");
    driver.wait("document.getElementById('detail').open");
    driver.js("document.getElementById('detail').close()");
    driver.wait("location.hash === '#client=10.77.1.97'");

    driver.js("document.querySelector('button.copy').click()");
    driver.wait("document.querySelector('button.copy').textContent === 'Copied'");
    assert_eq!(driver.call("POST", "/se/log", &json!({"type": "browser"})), json!([]), "the console has complaints");
}

/// `npm install axe-core && AXE_CORE=$PWD/node_modules/axe-core/axe.min.js cargo test --test it axe`
#[test]
fn axe_finds_nothing_that_shuts_people_out() {
    let Some(axe) = std::env::var_os("AXE_CORE") else {
        crate::support::skip::skip("AXE_CORE does not name axe-core's axe.min.js (npm install axe-core)");
        return;
    };
    let Some(driver) = Driver::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    opened(&driver, dir.path());
    driver.call("POST", "/execute/sync", &json!({"script": std::fs::read_to_string(axe).unwrap(), "args": []}));
    let findings = "axe.run(document, {resultTypes: ['violations']}).then((said) => said.violations.map((one) => [one.id, one.nodes.map((node) => node.html)]))";
    for theme in ["light", "dark"] {
        driver.js(&format!("(() => {{ const select = document.getElementById('theme'); select.value = '{theme}'; select.dispatchEvent(new Event('change')); }})()"));
        assert_eq!(driver.js(findings), json!([]), "{theme}");
    }
    driver.js("document.querySelectorAll('details').forEach((node) => { node.open = true; })");
    driver.wait("document.querySelectorAll('details.story table').length > 0");
    assert_eq!(driver.js(findings), json!([]), "unfolded");
    driver.js("document.querySelector('#body a').click()");
    driver.wait("document.getElementById('detail').open");
    assert_eq!(driver.js(findings), json!([]), "a handshake");
}

#[test]
fn the_page_is_used_by_keys_alone() {
    let Some(driver) = Driver::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    opened(&driver, dir.path());

    // The first stop leads past the head.
    driver.press(&[TAB]);
    assert_eq!(driver.js("document.activeElement.className"), "skip");

    // The search narrows as it is typed.
    driver.js("document.getElementById('f-q').focus()");
    driver.press(&['s', 'h', 'o', 'p']);
    driver.wait("document.getElementById('count').textContent.startsWith('88 of 415')");
    driver.press(&['\u{e003}'; 4]);
    driver.wait("document.getElementById('count').textContent.startsWith('415 of 415')");

    // Rows are reached from the table, to its end and back, and opened.
    let row = "document.activeElement.dataset.row";
    driver.js("document.getElementById('grid').focus()");
    for (key, expected) in [(DOWN, "0"), (DOWN, "1"), (UP, "0"), (END, "414"), (HOME, "0"), (DOWN, "1")] {
        driver.press(&[key]);
        assert_eq!(driver.js(row), expected);
    }
    driver.press(&[ENTER]);
    driver.wait("document.getElementById('detail').open");
    driver.wait("document.getElementById('detail').textContent.includes('Packet by packet')");
    assert_eq!(driver.js("document.getElementById('detail').contains(document.activeElement)"), true);
    driver.press(&[ESCAPE]);
    driver.wait("!document.getElementById('detail').open");
    // What a closing dialog has to tell comes in a task of its own.
    driver.js("new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(true), 0)))");
    assert_eq!(driver.js(row), "1", "the focus comes back to the row");

    // A column's head sorts.
    driver.js("document.querySelector('#columns th:last-child button').focus()");
    for order in ["ascending", "descending"] {
        driver.press(&[ENTER]);
        driver.wait(&format!("document.querySelector('#columns th:last-child').getAttribute('aria-sort') === '{order}'"));
    }

    // Whatever can be focused or is a picture has a name for those who do not see it.
    let nameless = "[...document.querySelectorAll('input, select, button, a, svg[role=img], [tabindex], dialog, section')].filter((e) => \
        !(e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') || e.labels?.length || e.textContent.trim())).map((e) => e.outerHTML)";
    assert_eq!(driver.js(nameless), json!([]));
    let levels = driver.js("[...document.querySelectorAll('h1, h2, h3')].map((e) => +e.tagName[1])");
    let levels: Vec<i64> = levels.as_array().unwrap().iter().map(|level| level.as_i64().unwrap()).collect();
    assert!(levels.windows(2).all(|pair| pair[1] - pair[0] <= 1), "a level of headings is left out: {levels:?}");
    assert_eq!(driver.call("POST", "/se/log", &json!({"type": "browser"})), json!([]), "the console has complaints");
}
