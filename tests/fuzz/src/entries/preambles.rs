//! What is said in clear before TLS.

use handshark::flow::{PerSide, Side};
use handshark::limits::PREAMBLE_OPENING;
use handshark::preamble::{Preamble, Step};
use handshark::time::Mark;

/// The first byte chooses the server's port. Then turns: a byte whose highest bit is the side and whose next says that bytes before this turn are
/// missing; a byte of length; and what the side says.
pub fn preamble(bytes: &[u8]) {
    let Some((port, mut rest)) = bytes.split_first() else { return };
    let port = PORTS[usize::from(*port) % PORTS.len()];
    let mut preamble = Preamble::new(port);
    let mut begun: PerSide<bool> = PerSide::default();
    let mut stream: PerSide<Vec<u8>> = PerSide::default();
    let mut mark = Mark::default();
    while let [turn, len, behind @ ..] = rest {
        let side = if turn & 0x80 == 0 { Side::Client } else { Side::Server };
        let (said, after) = behind.split_at(usize::from(*len).min(behind.len()));
        rest = after;
        if *begun.of(side) || said.is_empty() {
            continue;
        }
        mark.frame += 1;
        stream.of_mut(side).extend_from_slice(said);
        if turn & 0x40 != 0 {
            preamble.gap(side);
        }
        match preamble.feed(side, said, mark) {
            Step::Tls { before, consumed } => {
                assert!(consumed <= said.len() && before.len() <= PREAMBLE_OPENING, "TLS begins here");
                let tls = [&before, &said[consumed..]].concat();
                assert!(stream.of(side).ends_with(&tls), "TLS is the rest of what this side said");
                *begun.of_mut(side) = true;
            }
            Step::More | Step::NotTls(_) => {}
        }
        let _ = (preamble.is_granted(), preamble.unwrappers(), preamble.is_tls(side));
    }
    for side in Side::BOTH {
        let _ = preamble.plaintext(side);
    }
    assert_eq!(preamble.facts(), preamble.into_facts(), "what was learnt is the same with and without a copy");
}

/// Where the dialects are at home.
pub const PORTS: [u16; 16] = [443, 25, 143, 110, 21, 389, 5222, 5432, 3306, 3389, 119, 4190, 6667, 1433, 1080, 8080];
