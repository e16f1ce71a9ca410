//! The result does not depend on the number of threads.

use crate::support::{analyse, capture_of, labelled};

#[test]
fn one_thread_and_four_say_the_same() {
    let captures: Vec<_> = labelled().iter().map(|(sidecar, label)| capture_of(sidecar, label)).collect();
    for paths in captures.chunks(40) {
        let (alone, together) = (analyse(paths, 1), analyse(paths, 4));
        assert_eq!(alone.handshakes, together.handshakes);
        assert_eq!(alone.incidents, together.incidents);
        assert_eq!(alone.summary, together.summary);
    }
    let all = (analyse(&captures, 1), analyse(&captures, 3));
    assert!(all.0.handshakes.len() > 300);
    assert_eq!(all.0.handshakes, all.1.handshakes);
    assert_eq!(all.0.summary, all.1.summary);
}
