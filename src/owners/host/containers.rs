//! Names of containers and pods, from the files that their engines keep: no daemon is asked.
//!
//! Files of engines are root's. Those of a user's own engine are not read: whoever owns them could lead a reader with rights elsewhere.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::cgroup::{Place, cut};
use crate::report::{Container, Pod};

/// Names that were read, by the container's identifier.
#[derive(Debug, Default)]
pub(super) struct Containers {
    /// Where files are looked for; empty for the root.
    root: PathBuf,
    known: BTreeMap<String, (Instant, Named)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Named {
    name: Option<String>,
    image: Option<String>,
    runtime: Option<&'static str>,
    pod: Pod,
}

impl Containers {
    /// The container and pod of a place.
    pub(super) fn describe(&mut self, place: &Place, now: Instant) -> (Option<Container>, Option<Pod>) {
        let named = place.container.as_ref().map(|(id, _)| self.named(id, now)).unwrap_or_default();
        let container = place.container.as_ref().map(|(id, runtime)| Container {
            id: id.clone(),
            name: named.name.clone(),
            image: named.image.clone(),
            runtime: runtime.or(named.runtime).map(str::to_owned),
        });
        let pod = Pod { uid: place.pod.clone().or(named.pod.uid), ..named.pod };
        (container, (pod != Pod::default()).then_some(pod))
    }

    fn named(&mut self, id: &str, now: Instant) -> Named {
        if let Some((read, named)) = self.known.get(id)
            && now.saturating_duration_since(*read) < if named.name.is_some() { KNOWN } else { UNKNOWN }
        {
            return named.clone();
        }
        let named = self.read(id);
        if self.known.len() >= CONTAINERS {
            self.known.clear();
        }
        self.known.insert(id.to_owned(), (now, named.clone()));
        named
    }

    fn read(&self, id: &str) -> Named {
        // Only identifiers become part of a path.
        if !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Named::default();
        }
        let mut named = self.docker(id).or_else(|| self.podman(id)).or_else(|| self.bundle(id)).unwrap_or_default();
        if named.pod.name.is_none()
            && let Some((pod, container)) = self.logs(id)
        {
            named.pod.name = Some(pod.0);
            named.pod.namespace = Some(pod.1);
            named.name = Some(container);
        }
        named
    }

    /// Docker's own file.
    fn docker(&self, id: &str) -> Option<Named> {
        #[derive(Deserialize)]
        struct Config {
            #[serde(rename = "Name")]
            name: String,
            #[serde(rename = "Config")]
            config: Inner,
        }
        #[derive(Deserialize)]
        struct Inner {
            #[serde(rename = "Image")]
            image: Option<String>,
            #[serde(rename = "Labels")]
            labels: Option<BTreeMap<String, String>>,
        }
        let Config { name, config } = self.json(&format!("var/lib/docker/containers/{id}/config.v2.json"))?;
        let labels = config.labels.unwrap_or_default();
        let kubernetes = labels.get("io.kubernetes.container.name").cloned();
        Some(Named {
            name: Some(cut(kubernetes.as_deref().unwrap_or_else(|| name.trim_start_matches('/')))),
            image: config.image.as_deref().map(cut),
            runtime: Some("docker"),
            pod: pod(&labels, ["io.kubernetes.pod.uid", "io.kubernetes.pod.name", "io.kubernetes.pod.namespace"]),
        })
    }

    /// The store that podman and CRI-O share. Its `metadata` is JSON in a string.
    fn podman(&self, id: &str) -> Option<Named> {
        #[derive(Deserialize)]
        struct Stored {
            id: String,
            #[serde(default)]
            metadata: String,
            #[serde(default)]
            names: Vec<String>,
        }
        #[derive(Deserialize, Default)]
        #[serde(rename_all = "kebab-case", default)]
        struct Metadata {
            image_name: Option<String>,
            name: Option<String>,
            pod_name: Option<String>,
            namespace: Option<String>,
        }
        let places = ["containers.json", "volatile-containers.json"];
        let stored = places.iter().find_map(|file| {
            let all: Vec<Stored> = self.json(&format!("var/lib/containers/storage/overlay-containers/{file}"))?;
            all.into_iter().find(|one| one.id == id)
        })?;
        let metadata: Metadata = serde_json::from_str(&stored.metadata).unwrap_or_default();
        // CRI-O's container names are those of pod, namespace and container joined; its annotations say them one by one.
        if metadata.pod_name.is_some() {
            let bundle = self.bundle(id).unwrap_or_default();
            return Some(Named {
                image: bundle.image.or_else(|| metadata.image_name.as_deref().map(cut)),
                runtime: Some("cri-o"),
                ..bundle
            });
        }
        Some(Named {
            name: metadata.name.as_deref().or_else(|| stored.names.first().map(String::as_str)).map(cut),
            image: metadata.image_name.as_deref().map(cut),
            runtime: Some("podman"),
            pod: Pod { namespace: metadata.namespace.as_deref().map(cut), ..Pod::default() },
        })
    }

    /// The runtime's configuration (OCI), whose annotations containerd and CRI-O fill.
    fn bundle(&self, id: &str) -> Option<Named> {
        #[derive(Deserialize)]
        struct Bundle {
            #[serde(default)]
            annotations: BTreeMap<String, String>,
        }
        let places = [
            (format!("run/containerd/io.containerd.runtime.v2.task/k8s.io/{id}/config.json"), "containerd"),
            (format!("run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/{id}/config.json"), "containerd"),
            (format!("run/containers/storage/overlay-containers/{id}/userdata/config.json"), "cri-o"),
        ];
        let (annotations, runtime) =
            places.iter().find_map(|(path, runtime)| self.json::<Bundle>(path).map(|bundle| (bundle.annotations, *runtime)))?;
        let first = |keys: &[&str]| keys.iter().find_map(|key| annotations.get(*key)).map(|text| cut(text));
        Some(Named {
            name: first(&["io.kubernetes.cri.container-name", "io.kubernetes.container.name"]),
            image: first(&["io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName"]),
            runtime: Some(runtime),
            pod: Pod {
                uid: first(&["io.kubernetes.cri.sandbox-uid", "io.kubernetes.pod.uid"]),
                name: first(&["io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name"]),
                namespace: first(&["io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace"]),
            },
        })
    }

    /// The kubelet's links to logs, named `POD_NAMESPACE_CONTAINER-ID.log`.
    fn logs(&self, id: &str) -> Option<((String, String), String)> {
        let end = format!("-{id}.log");
        std::fs::read_dir(self.root_path("var/log/containers")).ok()?.take(LOGS).flatten().find_map(|entry| {
            let name = entry.file_name();
            let mut parts = name.to_str()?.strip_suffix(&end)?.splitn(3, '_');
            Some(((cut(parts.next()?), cut(parts.next()?)), cut(parts.next()?)))
        })
    }

    fn root_path(&self, path: &str) -> PathBuf {
        if self.root.as_os_str().is_empty() { Path::new("/").join(path) } else { self.root.join(path) }
    }

    /// A file that is one, and not too large.
    fn json<T: for<'de> Deserialize<'de>>(&self, path: &str) -> Option<T> {
        let file = File::open(self.root_path(path)).ok()?;
        let data = file.metadata().ok()?;
        if !data.is_file() || data.len() > FILE {
            return None;
        }
        serde_json::from_reader(BufReader::new(file.take(FILE))).ok()
    }
}

fn pod(labels: &BTreeMap<String, String>, keys: [&str; 3]) -> Pod {
    let [uid, name, namespace] = keys.map(|key| labels.get(key).map(|text| cut(text)));
    Pod { uid, name, namespace }
}

/// Containers whose names are remembered.
const CONTAINERS: usize = 1024;
/// How long a name is, and how long there is none: it may be being made.
const KNOWN: Duration = Duration::from_secs(300);
const UNKNOWN: Duration = Duration::from_secs(10);
/// Bytes of a file that names containers.
const FILE: u64 = 4 << 20;
/// Links to logs looked through.
const LOGS: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[allow(clippy::disallowed_methods, reason = "any moment will do")]
    fn now() -> Instant {
        Instant::now()
    }

    fn told(path: &str, text: &str, pod: Option<&str>) -> (Option<Container>, Option<Pod>) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(path.replace("ID", ID));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text.replace("ID", ID)).unwrap();
        let mut containers = Containers { root: root.path().to_owned(), ..Containers::default() };
        let place = Place { container: Some((ID.to_owned(), None)), pod: pod.map(str::to_owned), unit: None };
        containers.describe(&place, now())
    }

    fn container(name: &str, image: Option<&str>, runtime: Option<&str>) -> Container {
        let owned = |text: &str| text.to_owned();
        Container { id: ID.to_owned(), name: Some(owned(name)), image: image.map(owned), runtime: runtime.map(owned) }
    }

    fn named_pod(uid: Option<&str>) -> Pod {
        Pod { uid: uid.map(str::to_owned), name: Some("web-0".to_owned()), namespace: Some("shop".to_owned()) }
    }

    #[test]
    fn engines_files_name_containers_and_pods() {
        let docker = r#"{"State":{"Pid":7},"ID":"ID","Name":"/web","Config":{"Image":"nginx:1.25","Labels":{"a":"b"}}}"#;
        assert_eq!(
            told("var/lib/docker/containers/ID/config.v2.json", docker, None),
            (Some(container("web", Some("nginx:1.25"), Some("docker"))), None)
        );
        let podman = r#"[{"id":"other"},{"id":"ID","names":["db"],"image":"sha","metadata":"{\"image-name\":\"docker.io/library/postgres:16\",\"image-id\":\"x\",\"name\":\"db\",\"created-at\":1}"}]"#;
        let expected = (Some(container("db", Some("docker.io/library/postgres:16"), Some("podman"))), None);
        assert_eq!(told("var/lib/containers/storage/overlay-containers/containers.json", podman, None), expected);
        let bundle = r#"{"ociVersion":"1","annotations":{"io.kubernetes.cri.container-name":"app","io.kubernetes.cri.image-name":"r/app:1","io.kubernetes.cri.sandbox-name":"web-0","io.kubernetes.cri.sandbox-namespace":"shop","io.kubernetes.cri.sandbox-uid":"u-1"}}"#;
        let expected = (Some(container("app", Some("r/app:1"), Some("containerd"))), Some(named_pod(Some("u-1"))));
        assert_eq!(told("run/containerd/io.containerd.runtime.v2.task/k8s.io/ID/config.json", bundle, None), expected);
        assert_eq!(
            told("var/log/containers/web-0_shop_app-ID.log", "", Some("u-2")),
            (Some(container("app", None, None)), Some(named_pod(Some("u-2"))))
        );
    }

    #[test]
    fn what_is_no_file_of_an_engine_names_nothing() {
        let nameless = Some(Container { id: ID.to_owned(), ..Container::default() });
        for (path, text) in [
            ("var/lib/docker/containers/ID/config.v2.json", "root:x:0:0"),
            ("var/lib/docker/containers/ID/config.v2.json", "[[[[[["),
            ("var/lib/docker/containers/ID/config.v2.json/directory", ""),
            ("var/log/containers/ID.log", ""),
        ] {
            assert_eq!(told(path, text, None), (nameless.clone(), None), "{path}");
        }
        let mut containers = Containers::default();
        assert_eq!(containers.named("../../etc", now()), Named::default());
    }
}
