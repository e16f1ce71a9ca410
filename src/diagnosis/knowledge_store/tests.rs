use super::*;
use crate::diagnosis::testing::connected;

#[test]
fn an_interface_is_deaf_to_servers_until_one_is_heard() {
    let mut store = KnowledgeStore::default();
    let mut answered = connected();
    answered.outcome = Outcome::Stalled;
    answered.flow.sides.client.packets = 4;
    answered.flow.sides.server.packets = 0;
    answered.flow.sides.server.acked = 1200;
    for met in [None, None, Some(3)] {
        store.learn(&answered, None, None);
        assert_eq!(store.view(&answered, None).unheard, met);
    }
    let mut both = connected();
    both.flow.sides.client.packets = 4;
    both.flow.sides.server.packets = 4;
    store.learn(&both, None, None);
    assert_eq!((store.view(&answered, None).unheard, store.view(&answered, None).hears_both_sides), (None, true));
}
