//! The fields of owners of ends in their order: of a handshake's, and of most of an incident's.

use super::owner::{CommonOwner, Container, Owner, Pod, Process, User};
use super::writer::{Writer, key};

impl Owner {
    /// Writes its fields, beside those of the endpoint.
    pub(super) fn write(&self, w: &mut impl Writer) {
        w.word(key!("owner"), self.basis.name());
        if let Some(Process { pid, name, executable, start, sharers }) = &self.process {
            w.object(key!("process"), |w| {
                w.number(key!("pid"), (*pid).into());
                w.text(key!("name"), name);
                w.text_if_any(key!("executable"), executable.as_deref());
                if let Some(start) = *start {
                    w.time(key!("start"), start);
                }
                if !sharers.is_empty() {
                    w.objects(key!("sharers"), sharers, |w, sharer| {
                        w.number(key!("pid"), sharer.pid.into());
                        w.text(key!("name"), &sharer.name);
                    });
                }
            });
        }
        if let Some(User { id, name }) = &self.user {
            w.object(key!("user"), |w| {
                w.word(key!("id"), itoa::Buffer::new().format(*id));
                w.text_if_any(key!("name"), name.as_deref());
            });
        }
        place(w, self.container.as_ref(), self.pod.as_ref(), self.unit.as_deref());
    }
}

impl CommonOwner {
    /// Writes its fields.
    pub(super) fn write<W: Writer>(w: &mut W, owner: &Self) {
        w.word(key!("side"), owner.side.name());
        w.object(key!("process"), |w| {
            w.number_if_any(key!("pid"), owner.pid.map(u64::from));
            w.text(key!("name"), &owner.process);
        });
        place(w, owner.container.as_ref(), owner.pod.as_ref(), owner.unit.as_deref());
        w.number(key!("handshakes"), owner.handshakes);
    }
}

/// Where a process runs.
fn place(w: &mut impl Writer, container: Option<&Container>, pod: Option<&Pod>, unit: Option<&str>) {
    if let Some(Container { id, name, image, runtime }) = container {
        w.object(key!("container"), |w| {
            w.text(key!("id"), id);
            w.text_if_any(key!("name"), name.as_deref());
            if let Some(image) = image {
                w.object(key!("image"), |w| w.text(key!("name"), image));
            }
            w.text_if_any(key!("runtime"), runtime.as_deref());
        });
    }
    if let Some(Pod { uid, name, namespace }) = pod {
        w.object(key!("orchestrator"), |w| {
            w.word(key!("type"), "kubernetes");
            w.text_if_any(key!("namespace"), namespace.as_deref());
            w.object(key!("resource"), |w| {
                w.word(key!("type"), "pod");
                w.text_if_any(key!("name"), name.as_deref());
                w.text_if_any(key!("id"), uid.as_deref());
            });
        });
    }
    if let Some(unit) = unit {
        w.object(key!("systemd"), |w| w.text(key!("unit"), unit));
    }
}
