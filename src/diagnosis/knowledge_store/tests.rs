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

#[test]
fn what_a_server_shows_at_one_point_is_told_for_another() {
    let mut store = KnowledgeStore::default();
    // Near the client, which sends with a TTL of 64.
    let mut served = connected();
    served.outcome = Outcome::Completed;
    store.learn(&served, None, None);
    let mut refused = connected();
    refused.outcome = Outcome::Refused;
    assert_eq!(store.view(&refused, None).server_ttls, [55]);
    // The same way, captured two routers further on.
    refused.flow.interface = 1;
    (refused.flow.sides.client.ttl, refused.flow.sides.server.ttl) = (Some(62), None);
    assert_eq!(store.view(&refused, None).server_ttls, [57]);
    // What is learnt there stays there.
    served.flow.interface = 1;
    (served.flow.sides.client.ttl, served.flow.sides.server.ttl) = (Some(62), Some(57));
    store.learn(&served, None, None);
    refused.flow.interface = 0;
    assert_eq!(store.view(&refused, None).server_ttls, [55]);
}
