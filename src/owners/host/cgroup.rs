//! What the path of a control group says of what runs in it: container, pod, systemd unit.
//!
//! Engines name the groups of their containers by identifiers; which form each uses follows its cgroup driver (systemd or cgroupfs).

/// Where a process runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Place {
    /// The container's identifier and its engine.
    pub(super) container: Option<(String, Option<&'static str>)>,
    /// The UID of its Kubernetes pod.
    pub(super) pod: Option<String>,
    /// The systemd unit, outside of containers.
    pub(super) unit: Option<String>,
}

impl Place {
    /// Of the paths of one process: with version 2 there is one, with version 1 one for each controller.
    pub(super) fn of<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
        let mut best = Self::default();
        for path in paths {
            let place = Self::of_path(path);
            if place.knows() > best.knows() {
                best = place;
            }
        }
        best
    }

    const fn knows(&self) -> u8 {
        match (&self.container, &self.pod, &self.unit) {
            (Some(_), Some(_), _) => 4,
            (Some(_), None, _) => 3,
            (None, Some(_), _) => 2,
            (None, None, Some(_)) => 1,
            (None, None, None) => 0,
        }
    }

    fn of_path(path: &str) -> Self {
        let mut place = Self::default();
        let mut under = "";
        // Of nested containers the innermost is what the process runs in.
        for part in path.split('/').filter(|part| !matches!(*part, "" | "." | "..")) {
            if let Some(pod) = pod(part) {
                place.pod = Some(pod);
            }
            if let Some(container) = container(part, under, place.pod.is_some()) {
                place.container = Some(container);
                place.unit = None;
            } else if place.container.is_none() && is_unit(part) {
                place.unit = Some(cut(part));
            }
            under = part;
        }
        if place.container.is_some() || place.pod.is_some() {
            place.unit = None;
        }
        place
    }
}

/// The container of one part of a path: `docker-ID.scope`, `cri-containerd-ID.scope`, `libpod-ID.scope`, `ID` below `docker`, …
fn container(part: &str, under: &str, in_pod: bool) -> Option<(String, Option<&'static str>)> {
    // containerd below the unit of its own service: `kubepods-…-podUID.slice:cri-containerd:ID`.
    if let Some((_, rest)) = part.split_once(".slice:")
        && let Some((engine, id)) = rest.split_once(':')
        && is_id(id)
    {
        return Some((id.to_owned(), engine_of(engine)));
    }
    let name = part.strip_suffix(".scope").unwrap_or(part);
    if let Some((engine, id)) = name.rsplit_once('-').filter(|(_, id)| is_id(id)) {
        // The monitor of a container is not in it.
        return (!engine.ends_with("conmon")).then(|| (id.to_owned(), engine_of(engine)));
    }
    if is_id(name) && (in_pod || matches!(under, "docker" | "libpod_parent" | "lxc" | "actions_job" | "buildkit" | "default" | "moby")) {
        return Some((name.to_owned(), engine_of(under)));
    }
    let named = [("lxc.payload.", "lxc"), ("machine-", "systemd-nspawn"), ("systemd-nspawn@", "systemd-nspawn")];
    for (before, engine) in named {
        if let Some(name) = name.strip_prefix(before)
            && (engine == "lxc" || is_unit(part))
        {
            let name = name.strip_suffix(".service").unwrap_or(name);
            return (!name.is_empty()).then(|| (cut(name), Some(engine)));
        }
    }
    None
}

/// The UID of a pod: `pod1234…` of the cgroupfs driver, `kubepods-burstable-pod1234_….slice` of systemd's.
fn pod(part: &str) -> Option<String> {
    let part = part.split_once(".slice").map_or(part, |(name, _)| name);
    let uid = part.strip_prefix("pod").or_else(|| part.starts_with("kubepods").then(|| part.rsplit_once("-pod"))?.map(|(_, uid)| uid))?;
    let fits = (32..=36).contains(&uid.len()) && uid.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'-' | b'_'));
    fits.then(|| uid.replace('_', "-"))
}

/// A unit of systemd in which processes run.
fn is_unit(part: &str) -> bool {
    matches!(part.rsplit_once('.'), Some((_, "service" | "scope")))
}

/// The identifier of a container: 64 hexadecimal digits.
fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn engine_of(word: &str) -> Option<&'static str> {
    let known = [
        ("docker", "docker"),
        ("moby", "docker"),
        ("cri-containerd", "containerd"),
        ("containerd", "containerd"),
        ("nerdctl", "containerd"),
        ("crio", "cri-o"),
        ("libpod", "podman"),
        ("libpod_parent", "podman"),
        ("lxc", "lxc"),
        ("buildkit", "buildkit"),
    ];
    known.iter().find(|(name, _)| *name == word).map(|(_, engine)| *engine)
}

/// A name, no longer than what anyone gives.
pub(super) fn cut(name: &str) -> String {
    name.chars().take(NAME).collect()
}

/// Characters of a name.
const NAME: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    /// Container, engine, pod, unit of a path in which `ID` stands for an identifier.
    fn told(path: &str) -> [String; 4] {
        let place = Place::of([path.replace("ID", ID).as_str()]);
        let (id, engine) = place.container.map_or((String::new(), ""), |(id, engine)| (id, engine.unwrap_or_default()));
        [if id == ID { "ID".to_owned() } else { id }, engine.to_owned(), place.pod.unwrap_or_default(), place.unit.unwrap_or_default()]
    }

    #[test]
    fn engines_name_their_groups_in_their_own_ways() {
        let uid = "c8c1e5b2-7a1f-4f0a-9c53-0f6e1d2b3a4c";
        let low = uid.replace('-', "_");
        for (path, expected) in [
            // Docker: cgroupfs, systemd.
            ("/docker/ID".to_owned(), ["ID", "docker", "", ""]),
            ("/system.slice/docker-ID.scope".to_owned(), ["ID", "docker", "", ""]),
            // Docker in Docker, by the inner one.
            ("/docker/a/docker/ID".to_owned(), ["ID", "docker", "", ""]),
            // Podman: as root, of a user, with a process of its own inside; its monitor is no part of it.
            ("/machine.slice/libpod-ID.scope".to_owned(), ["ID", "podman", "", ""]),
            ("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container".to_owned(), ["ID", "podman", "", ""]),
            ("/libpod_parent/libpod-ID".to_owned(), ["ID", "podman", "", ""]),
            ("/machine.slice/libpod-conmon-ID.scope".to_owned(), ["", "", "", "libpod-conmon-ID.scope"]),
            // Kubernetes: containerd and CRI-O, both drivers, and containerd below its own unit.
            (
                format!("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{low}.slice/cri-containerd-ID.scope"),
                ["ID", "containerd", uid, ""],
            ),
            (format!("/kubepods.slice/kubepods-pod{low}.slice/crio-ID.scope"), ["ID", "cri-o", uid, ""]),
            (format!("/kubepods/burstable/pod{uid}/ID"), ["ID", "", uid, ""]),
            (
                format!("/system.slice/containerd.service/kubepods-besteffort-pod{low}.slice:cri-containerd:ID"),
                ["ID", "containerd", uid, ""],
            ),
            (format!("/../../kubepods/pod{uid}/ID"), ["ID", "", uid, ""]),
            // containerd without Kubernetes.
            ("/system.slice/nerdctl-ID.scope".to_owned(), ["ID", "containerd", "", ""]),
            // Names in place of identifiers.
            ("/lxc.payload.web/system.slice/nginx.service".to_owned(), ["web", "lxc", "", ""]),
            ("/machine.slice/machine-web.scope".to_owned(), ["web", "systemd-nspawn", "", ""]),
            // systemd: a service, one with groups of its own, a session, a user's application.
            ("/system.slice/nginx.service".to_owned(), ["", "", "", "nginx.service"]),
            ("/system.slice/postfix@-.service/workers".to_owned(), ["", "", "", "postfix@-.service"]),
            ("/user.slice/user-1000.slice/session-3.scope".to_owned(), ["", "", "", "session-3.scope"]),
            ("/user.slice/user-1000.slice/user@1000.service/app.slice/app-firefox.scope".to_owned(), ["", "", "", "app-firefox.scope"]),
            ("/".to_owned(), ["", "", "", ""]),
            ("/ID".to_owned(), ["", "", "", ""]),
        ] {
            let expected = expected.map(|text| text.replace("ID", if text == "ID" { "ID" } else { ID }));
            assert_eq!(told(&path), expected, "{path}");
        }
    }

    #[test]
    fn of_several_controllers_the_one_that_knows_most_counts() {
        let docker = format!("/docker/{ID}");
        let place = Place::of(["/", "/system.slice/docker.service", docker.as_str(), "/user.slice"]);
        assert_eq!(place.container, Some((ID.to_owned(), Some("docker"))));
        assert_eq!(place.unit, None);
    }
}
