//! The run's end of the talk: questions go out and answers come in on threads of their own.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::ask::{ANSWER_LEN, Answer, Question};
use super::store::{Known, Store};
use crate::flow::{Endpoint, FlowKey, PerSide, Transport};
use crate::limits;
use crate::report::{Basis, Handshake, Owner};
use crate::time::Timestamp;

/// Asks the process that looks, and keeps what it answers.
#[derive(Debug, Clone)]
pub struct Desk {
    shared: Arc<Shared>,
}

/// What those who ask and those who answer share.
#[derive(Debug)]
pub(super) struct Shared {
    store: Mutex<Store>,
    questions: Sender<Question>,
    counts: Mutex<OwnerCounts>,
}

/// What became of the ends of handshakes that were reported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnerCounts {
    /// Ends on this host, by what is known of their owners.
    pub known: BTreeMap<Basis, u64>,
    /// Ends that could not be asked about, because connections came faster than they are looked up.
    pub left_out: u64,
    /// Ends whose answer had not come when their handshake was reported.
    pub late: u64,
    /// The process that looks has ended before its time.
    pub over: bool,
}

impl Desk {
    /// How long a handshake that is to be reported waits for answers.
    pub const PATIENCE: Duration = Duration::from_millis(500);

    /// Talks to the process at the other end.
    ///
    /// # Errors
    /// When the stream cannot be used from two threads.
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        let (questions, asked) = bounded(limits::OWNER_QUESTIONS);
        let shared = Arc::new(Shared { store: Mutex::default(), questions, counts: Mutex::default() });
        let (out, answers) = (stream.try_clone()?, Arc::clone(&shared));
        // Both end with the stream, or with the process.
        thread::spawn(move || send(out, &asked));
        thread::spawn(move || answers.hear(stream));
        Ok(Self { shared })
    }

    /// For whoever looks at packets.
    pub(super) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Whether an answer about an end of this connection is on its way: worth waiting for, for [`Desk::PATIENCE`] at most.
    pub fn awaits(&self, transport: Transport, ends: [Endpoint; 2], end: Timestamp) -> bool {
        let store = self.shared.lock();
        !store.over && store.of(transport, ends, end).iter().any(|known| matches!(known, Known::Asked(..)))
    }

    /// Adds what is known by now of the owners of a handshake's ends. It waits for nothing.
    pub fn name(&self, handshake: &mut Handshake<'_>) {
        let ends = [handshake.client, handshake.server];
        let known = self.shared.lock().of(handshake.network.transport, ends, handshake.handshake.end);
        let mut counts = self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = !handshake.handshake.provisional;
        let [client, server] = known.map(|known| counts.take(known, counted));
        handshake.owners = PerSide { client, server };
    }

    /// What became of all that was asked.
    pub fn counts(&self) -> OwnerCounts {
        let over = self.shared.lock().over;
        OwnerCounts { over, ..self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner).clone() }
    }
}

impl OwnerCounts {
    fn take(&mut self, known: Known, counted: bool) -> Option<Arc<Owner>> {
        let more = u64::from(counted);
        let owner = match known {
            Known::Told(owner) | Known::Asked(_, owner @ Some(_)) => owner,
            Known::Asked(_, None) => {
                self.late = self.late.saturating_add(more);
                None
            }
            Known::LeftOut => {
                self.left_out = self.left_out.saturating_add(more);
                None
            }
            Known::Unasked => None,
        };
        if let Some(owner) = &owner {
            let count = self.known.entry(owner.basis).or_default();
            *count = count.saturating_add(more);
        }
        owner
    }

    /// Ends of this host whose owners are named.
    pub fn named(&self) -> u64 {
        [Basis::Connection, Basis::Listener]
            .iter()
            .filter_map(|basis| self.known.get(basis))
            .fold(0, |sum, count| sum.saturating_add(*count))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection begins, and these ends of it are asked about. False when it is known already.
    pub(super) fn begin(&self, key: &FlowKey, at: Timestamp, first: Option<u32>, ends: &[Endpoint]) -> bool {
        let mut store = self.lock();
        let Some(number) = store.begin(key, at, first) else { return false };
        for end in ends {
            self.ask(&mut store, number, *end);
        }
        true
    }

    /// A connection has come further: this end of it may be known better now.
    pub(super) fn go_on(&self, key: &FlowKey, end: Endpoint) {
        let mut store = self.lock();
        if let Some(number) = store.current(key) {
            self.ask(&mut store, number, end);
        }
    }

    fn ask(&self, store: &mut Store, number: u64, end: Endpoint) {
        if store.over {
            return;
        }
        if let Some(question) = store.ask(number, end)
            && self.questions.try_send(question).is_err()
        {
            store.leave_out(question.token);
        }
    }

    /// Takes answers in until there are no more.
    fn hear(&self, stream: UnixStream) {
        let mut lines = BufReader::with_capacity(ANSWER_LEN, stream);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = lines.by_ref().take(ANSWER_LEN as u64).read_until(b'\n', &mut line);
            if !read.is_ok_and(|length| length > 0) || line.last() != Some(&b'\n') {
                break;
            }
            if let Ok(answer) = serde_json::from_slice::<Answer>(&line) {
                self.lock().answer(answer);
            }
        }
        self.lock().over = true;
    }
}

/// Sends questions as they come, those that wait together.
fn send(mut stream: UnixStream, asked: &Receiver<Question>) {
    let mut bytes = Vec::new();
    while let Ok(first) = asked.recv() {
        bytes.clear();
        for question in std::iter::once(first).chain(asked.try_iter().take(TOGETHER)) {
            bytes.extend(question.to_bytes());
        }
        if stream.write_all(&bytes).is_err() {
            return;
        }
    }
}

/// Questions sent at a time.
const TOGETHER: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    /// A desk, and the other process's end.
    fn desk() -> (Desk, UnixStream) {
        let (near, far) = UnixStream::pair().unwrap();
        (Desk::new(near).unwrap(), far)
    }

    fn begin(desk: &Desk, handshake: &Handshake<'_>) {
        let (key, _) = FlowKey::new(handshake.network.transport, handshake.client, handshake.server, 0);
        assert!(desk.shared.begin(&key, handshake.handshake.start, Some(1), &[handshake.client]));
    }

    fn awaits(desk: &Desk, handshake: &Handshake<'_>) -> bool {
        desk.awaits(handshake.network.transport, [handshake.client, handshake.server], handshake.handshake.end)
    }

    fn named(desk: &Desk, handshake: &Handshake<'static>) -> Handshake<'static> {
        let mut named = handshake.clone();
        desk.name(&mut named);
        named
    }

    #[test]
    fn an_answer_is_awaited_until_it_comes() {
        let (desk, mut far) = desk();
        let handshake = samples::completed();
        assert!(!awaits(&desk, &handshake));
        begin(&desk, &handshake);
        assert!(awaits(&desk, &handshake));
        let mut bytes = [0; Question::LEN];
        far.read_exact(&mut bytes).unwrap();
        let question = Question::from_bytes(&bytes);
        assert_eq!(question.local, handshake.client);
        let mut line = serde_json::to_vec(&Answer { token: question.token, owner: Some(samples::owner()) }).unwrap();
        line.push(b'\n');
        far.write_all(&line).unwrap();
        while awaits(&desk, &handshake) {
            thread::sleep(Duration::from_millis(5));
        }
        let named = named(&desk, &handshake);
        assert_eq!(named.owners.client.as_deref(), Some(&samples::owner()));
        assert_eq!(named.owners.server, None);
        assert_eq!(desk.counts().known, BTreeMap::from([(Basis::Connection, 1)]));
    }

    #[test]
    fn what_is_not_answered_is_counted_as_late_and_one_that_is_gone_is_not_awaited() {
        let (desk, far) = desk();
        let handshake = samples::completed();
        begin(&desk, &handshake);
        assert_eq!(named(&desk, &handshake).owners.client, None);
        assert_eq!((desk.counts().late, desk.counts().over), (1, false));
        drop(far);
        while awaits(&desk, &handshake) {
            thread::sleep(Duration::from_millis(5));
        }
        assert!(desk.counts().over);
    }

    #[test]
    fn what_there_is_no_room_for_is_left_out_and_nobody_waits() {
        // Nobody reads at the other end: the queue fills, and then what is asked is left out at once.
        let (desk, _far) = desk();
        let base = samples::completed();
        for port in 1..=40_000_u16 {
            let client = Endpoint::new(base.client.address, port);
            let (key, _) = FlowKey::new(base.network.transport, client, base.server, 0);
            desk.shared.begin(&key, base.handshake.start, Some(1), &[client]);
        }
        let mut last = base.clone();
        last.client.port = 40_000;
        assert!(!awaits(&desk, &last));
        assert_eq!(named(&desk, &last).owners.client, None);
        assert_eq!((desk.counts().left_out, desk.counts().late), (1, 0));
    }
}
