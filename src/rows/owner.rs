//! Who owned an end, as a row tells it: as much as incidents count.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;

use crate::report::{Basis, Container, Owner, Pod, Process};

/// The fields beside those of an endpoint.
#[derive(Deserialize)]
pub(super) struct RawOwner<'a> {
    #[serde(borrow)]
    process: Option<RawProcess<'a>>,
    #[serde(borrow)]
    container: Option<RawContainer<'a>>,
    #[serde(borrow)]
    orchestrator: Option<RawOrchestrator<'a>>,
    #[serde(borrow)]
    systemd: Option<RawUnit<'a>>,
}

#[derive(Deserialize)]
struct RawProcess<'a> {
    pid: u32,
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[derive(Deserialize)]
struct RawContainer<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    image: Option<RawImage<'a>>,
    #[serde(borrow)]
    runtime: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct RawImage<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[derive(Deserialize)]
struct RawOrchestrator<'a> {
    #[serde(borrow)]
    namespace: Option<Cow<'a, str>>,
    #[serde(borrow)]
    resource: RawResource<'a>,
}

#[derive(Deserialize)]
struct RawResource<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct RawUnit<'a> {
    #[serde(borrow)]
    unit: Cow<'a, str>,
}

impl RawOwner<'_> {
    /// The owner, where its process is known.
    pub(super) fn owner(&self) -> Option<Arc<Owner>> {
        let process = self.process.as_ref()?;
        let own = |text: &Option<Cow<'_, str>>| text.as_deref().map(str::to_owned);
        let container = self.container.as_ref().map(|container| Container {
            id: container.id.to_string(),
            name: own(&container.name),
            image: container.image.as_ref().map(|image| image.name.to_string()),
            runtime: own(&container.runtime),
        });
        let pod = self.orchestrator.as_ref().map(|pod| Pod {
            uid: own(&pod.resource.id),
            name: own(&pod.resource.name),
            namespace: own(&pod.namespace),
        });
        Some(Arc::new(Owner {
            basis: Basis::Connection,
            process: Some(Process { pid: process.pid, name: process.name.to_string(), executable: None, start: None, sharers: Vec::new() }),
            user: None,
            container,
            pod,
            unit: self.systemd.as_ref().map(|systemd| systemd.unit.to_string()),
        }))
    }
}
