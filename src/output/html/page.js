"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  // Elements and text only: nothing from the capture is ever parsed as HTML.
  const el = (name, props = {}, ...children) => {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(props)) {
      if (value === undefined || value === null || value === false) continue;
      node.setAttribute(key, value === true ? "" : value);
    }
    for (const child of children.flat()) {
      if (child !== undefined && child !== null && child !== "") node.append(child);
    }
    return node;
  };
  const svg = (name, props = {}, ...children) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(props)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  };
  // What would hide or reorder text is made visible.
  const seen = (text) => String(text ?? "").replace(/[\p{Cc}\p{Cf}\u2028\u2029\u034f\u115f\u1160\u3164\uffa0\ufe00-\ufe0f]/gu, (c) => "\\u{" + c.codePointAt(0).toString(16) + "}");
  const many = (n) => n.toLocaleString("en");
  const span = (us) => {
    if (us < 0) return "";
    if (us < 1e3) return us + " µs";
    if (us < 1e5) return (us / 1e3).toFixed(1) + " ms";
    if (us < 1e6) return Math.floor(us / 1e3) + " ms";
    if (us < 6e7) return (us / 1e6).toFixed(2) + " s";
    if (us < 3.6e9) return Math.floor(us / 6e7) + " min " + Math.floor((us % 6e7) / 1e6) + " s";
    if (us < 1.728e11) return Math.floor(us / 3.6e9) + " h " + Math.floor((us % 3.6e9) / 6e7) + " min";
    return Math.floor(us / 8.64e10) + " d";
  };
  const day = (ms) => new Date(ms).toISOString();
  const stamp = (ms) => day(ms).replace("T", " ").replace("Z", "");

  const rows = JSON.parse(byId("rows").textContent);
  const texts = rows.texts.map(seen);
  const size = rows.id.length;
  const place = new Map(rows.id.map((id, index) => [id, index]));
  const lower = texts.map((text) => text.toLowerCase());
  // By class, the gravest first: failed, rejected after completion, completed with trouble, undecided, probe, completed.
  const classes = ["bad", "bad", "warn", "warn", "", "good"];
  const FAILED = 0, COMPLETED = 5;
  const words = new Map([...document.querySelectorAll("#words li")].map((li) => [li.dataset.kind, [li.textContent, li.dataset.class]]));

  // The table.
  const client = (i) => {
    const address = texts[rows.client[i]];
    return (address.includes(":") ? `[${address}]` : address) + ":" + rows.client_port[i];
  };
  const columns = [
    { title: "Start (UTC)", css: "w-start", key: (i) => rows.start[i], text: (i) => stamp(rows.start[i]) },
    { title: "Client", css: "w-peer", key: (i) => lower[rows.client[i]] + " " + String(rows.client_port[i]).padStart(5, "0"), text: client },
    { title: "Name", css: "", key: (i) => lower[rows.name[i]], text: (i) => texts[rows.name[i]] },
    { title: "Server", css: "w-peer", key: (i) => lower[rows.server[i]], text: (i) => texts[rows.server[i]] },
    { title: "Version", css: "w-version", key: (i) => texts[rows.version[i]], text: (i) => texts[rows.version[i]] },
    { title: "Outcome", css: "w-outcome", key: (i) => rows.class[i] + texts[rows.outcome[i]], text: (i) => texts[rows.outcome[i]], look: (i) => classes[rows.class[i]] },
    { title: "Cause", css: "w-cause", key: (i) => texts[rows.cause[i]], text: (i) => texts[rows.cause[i]], look: (i) => (rows.class[i] === COMPLETED ? "" : classes[rows.class[i]]) },
    { title: "Took", css: "w-time n", key: (i) => rows.total[i], text: (i) => span(rows.total[i]) },
  ];
  const HEIGHT = 29;
  const grid = byId("grid"), body = byId("body"), table = byId("table");
  let shown = Array.from({ length: size }, (_, i) => i);
  let order = { column: 0, down: false };
  let drawn = "";

  const draw = (force) => {
    const from = Math.max(0, Math.floor(grid.scrollTop / HEIGHT) - 12);
    const to = Math.min(shown.length, from + Math.ceil((grid.clientHeight || 500) / HEIGHT) + 24);
    if (!force && drawn === from + "-" + to) return;
    drawn = from + "-" + to;
    const focus = document.activeElement?.dataset?.row;
    const gap = (count) => {
      const cell = el("td", { colspan: columns.length });
      cell.style.height = count * HEIGHT + "px";
      return el("tr", { class: "gap", "aria-hidden": "true" }, cell);
    };
    const list = [];
    if (from > 0) list.push(gap(from));
    for (let at = from; at < to; at++) {
      const i = shown[at];
      list.push(el("tr", { "aria-rowindex": at + 2 }, columns.map((column, number) => {
        const text = column.text(i);
        const css = [number === 7 ? "n" : "", column.look?.(i)].filter(Boolean).join(" ");
        return el("td", { class: css || undefined, title: text }, number === 0 ? el("a", { href: "#" + rows.id[i], "data-row": at }, text) : text);
      })));
    }
    if (to < shown.length) list.push(gap(shown.length - to));
    body.replaceChildren(...list);
    if (focus !== undefined) body.querySelector(`[data-row="${focus}"]`)?.focus({ preventScroll: true });
  };
  const count = () => {
    const failed = shown.reduce((sum, i) => sum + (rows.class[i] === FAILED), 0);
    byId("count").textContent = `${many(shown.length)} of ${many(size)} handshakes, ${many(failed)} failed`;
    table.setAttribute("aria-rowcount", shown.length + 1);
  };
  const sort = () => {
    const { column, down } = order;
    const keys = new Map(shown.map((i) => [i, columns[column].key(i)]));
    shown.sort((a, b) => {
      const x = keys.get(a), y = keys.get(b);
      const by = x < y ? -1 : x > y ? 1 : a - b;
      return down ? -by : by;
    });
    [...byId("columns").children].forEach((th, number) => {
      th.setAttribute("aria-sort", number !== column ? "none" : down ? "descending" : "ascending");
      th.querySelector("[aria-hidden]").textContent = number !== column ? "" : down ? " ▼" : " ▲";
    });
  };
  const inputs = { q: byId("f-text"), outcome: byId("f-outcome"), cause: byId("f-cause"), version: byId("f-version") };
  const filter = () => {
    const wanted = inputs.q.value.trim().toLowerCase();
    const hit = lower.map((text) => text.includes(wanted));
    const exact = (name) => (inputs[name].value === "" ? -1 : texts.indexOf(inputs[name].value));
    const failed = inputs.outcome.value === "failed (any)";
    const [outcome, cause, version] = [failed ? -1 : exact("outcome"), exact("cause"), exact("version")];
    shown = [];
    for (let i = 0; i < size; i++) {
      if (failed && rows.class[i] !== FAILED) continue;
      if (outcome >= 0 && rows.outcome[i] !== outcome) continue;
      if (cause >= 0 && rows.cause[i] !== cause) continue;
      if (version >= 0 && rows.version[i] !== version) continue;
      if (wanted && !(hit[rows.client[i]] || hit[rows.server[i]] || hit[rows.name[i]] || rows.id[i].startsWith(wanted) || client(i).includes(wanted))) continue;
      shown.push(i);
    }
    sort();
    grid.scrollTop = 0;
    count();
    draw(true);
  };

  const setUp = () => {
    byId("columns").append(...columns.map((column, number) => {
      const button = el("button", { type: "button" }, column.title, el("span", { "aria-hidden": "true" }));
      button.addEventListener("click", () => {
        order = { column: number, down: order.column === number && !order.down };
        sort();
        draw(true);
      });
      return el("th", { scope: "col", class: column.css || undefined }, button);
    }));
    for (const [name, column] of [["outcome", rows.outcome], ["cause", rows.cause], ["version", rows.version]]) {
      const values = [...new Set(column)].map((number) => texts[number]).filter(Boolean).sort();
      if (name === "outcome") values.unshift("failed (any)");
      inputs[name].append(...values.map((value) => el("option", { value }, value)));
    }
    let timer;
    const later = () => { clearTimeout(timer); timer = setTimeout(filter, 120); };
    inputs.q.addEventListener("input", later);
    for (const name of ["outcome", "cause", "version"]) inputs[name].addEventListener("change", filter);
    byId("filters").addEventListener("submit", (event) => { event.preventDefault(); filter(); });
    byId("filters").addEventListener("reset", () => setTimeout(filter));
    let frame;
    grid.addEventListener("scroll", () => { cancelAnimationFrame(frame); frame = requestAnimationFrame(() => draw(false)); });
    addEventListener("resize", () => draw(false));
    // Up and down move from row to row.
    grid.addEventListener("keydown", (event) => {
      const row = Number(event.target.dataset?.row);
      if (Number.isNaN(row) && event.target !== grid || !shown.length) return;
      // From the grid itself, the first row in view comes next.
      const at = Number.isNaN(row) ? Math.ceil(grid.scrollTop / HEIGHT) - 1 : row;
      const page = Math.max(1, Math.floor(grid.clientHeight / HEIGHT) - 2);
      const last = shown.length - 1;
      const wanted = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: last }[event.key];
      if (wanted === undefined) return;
      event.preventDefault();
      const next = Math.min(last, Math.max(0, wanted));
      const top = next * HEIGHT;
      if (top < grid.scrollTop) grid.scrollTop = top;
      if (top + 2 * HEIGHT > grid.scrollTop + grid.clientHeight) grid.scrollTop = top + 3 * HEIGHT - grid.clientHeight;
      draw(true);
      body.querySelector(`[data-row="${next}"]`)?.focus({ preventScroll: true });
    });
    byId("explorer").hidden = false;
    const plain = byId("plain");
    if (plain) plain.hidden = true;
    document.documentElement.classList.add("scripted");
    count();
    sort();
    draw(true);
  };

  // One handshake in full.
  const data = byId("details");
  const perPiece = Number(data.dataset.piece);
  let pieces, opened = new Map();
  const piece = async (number) => {
    pieces ??= data.textContent.split("\n");
    if (!opened.has(number)) {
      const bytes = Uint8Array.from(atob(pieces[number]), (c) => c.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
      const parsed = JSON.parse(await new Response(stream).text());
      if (opened.size > 8) opened.clear();
      opened.set(number, parsed);
    }
    return opened.get(number);
  };

  const ladder = (all, one, i) => {
    const longest = one.steps.reduce((most, step, n) => Math.max(most, n ? step[1] - one.steps[n - 1][1] : 0), 0);
    return el("table", { class: "ladder" },
      el("caption", { class: "visually-hidden" }, "Packets in order"),
      el("thead", {}, el("tr", {}, el("th", { class: "n", scope: "col" }, "Frame"), el("th", { class: "n", scope: "col" }, "At"), el("th", { class: "n", scope: "col" }, "After"), el("th", { scope: "col" }, el("span", { class: "visually-hidden" }, "Pause")),
        el("th", { scope: "col" }, `client ${texts[rows.client[i]]} ⇄ server ${texts[rows.server[i]]}`), el("th", { scope: "col" }, "Carries"))),
      el("tbody", {}, one.steps.map(([frame, at, from, kind, bytes, text, ended], n) => {
        const [title, css] = words.get(all.texts[kind]) ?? [seen(all.texts[kind]), "message"];
        const after = n ? at - one.steps[n - 1][1] : 0;
        const who = ["client", "server", "network"][from];
        const label = title + (bytes >= 0 ? ` ${many(bytes)} B` : "") + (ended ? " ✗" : "");
        return el("tr", { class: `${css} ${who}${ended ? " ended" : ""}` },
          el("td", { class: "n" }, frame || "–"), el("td", { class: "n" }, n ? span(at) : "0"), el("td", { class: "n" }, after ? "+" + span(after) : ""),
          el("td", {}, after > longest / 50 ? el("meter", { min: 0, max: longest, value: after, "aria-hidden": "true" }) : ""),
          el("td", { class: "lane" }, el("span", { class: "arrow" }, el("span", { class: "visually-hidden" }, `${who}: `), label, ended ? el("span", { class: "visually-hidden" }, " (this ended it)") : "")),
          el("td", {}, seen(all.texts[text])));
      })));
  };
  const times = (one) => {
    const parts = [["TCP round trip", "tcp_rtt_us"], ["client thinks", "client_hello_us"], ["server answers", "server_hello_us"], ["of that, thinks", "server_think_us"], ["rest of handshake", "finished_us"], ["all", "total_us"]].filter(([, key]) => one.timing[key] !== undefined);
    const most = Math.max(1, ...parts.map(([, key]) => one.timing[key]));
    return parts.length === 0 ? null : [el("h4", {}, "Where the time went"), el("table", { class: "times" }, el("tbody", {}, parts.map(([title, key]) =>
      el("tr", {}, el("th", { scope: "row" }, title), el("td", { class: "n" }, span(one.timing[key])), el("td", {}, el("meter", { min: 0, max: most, value: one.timing[key], "aria-label": title }))))))];
  };
  const offers = (all, one, i) => {
    if (one.hello === undefined) return null;
    const hello = JSON.parse(all.hellos[one.hello]);
    const lists = [["Version", hello.supported_versions, rows.texts[rows.version[i]]], ["Cipher suite", hello.supported_ciphers, one.cipher], ["Group", hello.supported_groups, one.curve], ["Key share", hello.key_shares ?? [], ""], ["ALPN", hello.alpn, one.alpn], ["Signature", hello.signature_algorithms, ""], ["Extension", hello.extensions ?? [], ""]];
    return [el("h4", {}, "Offered and chosen"), el("div", { class: "cols" }, lists.filter(([, list, chosen]) => list.length || chosen).map(([title, list, chosen]) =>
      el("div", {}, el("b", {}, title), chosen ? el("p", { class: list.length === 0 || list.includes(chosen) ? "chosen" : "bad" }, (list.length === 0 ? "" : list.includes(chosen) ? "✓ " : "✗ not offered: ") + seen(chosen)) : "",
        el("ol", { tabindex: "0", "aria-label": `${title}: offered by the client` }, list.map((offer) => el("li", { class: offer === chosen ? "chosen" : undefined }, seen(offer))))))),
    el("p", { class: "sub mono" }, `JA3 ${hello.ja3}  JA4 ${hello.ja4}` + (hello.ech ? `  ECH ${hello.ech}` : "")),
    one.requested ? el("p", {}, "The server asked the client for a certificate.") : null];
  };
  const certificate = (of, at) => {
    const [begin, end] = [Date.parse(of.not_before), Date.parse(of.not_after)];
    const [low, high] = [Math.min(begin, at), Math.max(end, at)];
    const x = (when) => 4 + ((when - low) / Math.max(1, high - low)) * 292;
    const over = at > end || at < begin;
    const word = at > end ? `expired ${span((at - end) * 1e3)} before` : at < begin ? `valid only ${span((begin - at) * 1e3)} later` : `${span((end - at) * 1e3)} left`;
    const bar = svg("svg", { viewBox: "0 0 300 14", preserveAspectRatio: "none", role: "img", "aria-label": word },
      svg("rect", { class: over ? "over" : "life", x: x(begin), y: 4, width: Math.max(1, x(end) - x(begin)), height: 6 }), svg("rect", { class: "now", x: x(at) - 1, y: 0, width: 3, height: 14 }));
    return [el("b", {}, seen(of.subject)), el("div", { class: "sub" }, `issued by ${seen(of.issuer)}; ${seen(of.key)}, ${seen(of.signature)}; serial ${seen(of.serial)}`), bar,
      el("div", { class: over ? "bad" : "good" }, `${seen(of.not_before).slice(0, 10)} to ${seen(of.not_after).slice(0, 10)}: ${word}`),
      of.san.length ? el("div", { class: "sub" }, "for " + of.san.slice(0, 12).map(seen).join(", ") + (of.san.length > 12 ? ` and ${of.san.length - 12} more` : "")) : null];
  };
  const chain = (all, title, numbers, at) => {
    if (numbers.length === 0) return null;
    const rest = numbers.map((number) => JSON.parse(all.certificates[number]));
    const path = [rest.shift()];
    for (;;) {
      const last = path[path.length - 1];
      const next = last.issuer === last.subject ? -1 : rest.findIndex((other) => other.subject === last.issuer);
      if (next < 0) break;
      path.push(rest.splice(next, 1)[0]);
    }
    const top = path[path.length - 1];
    let tree = top.issuer === top.subject ? null : el("ul", {}, el("li", { class: "sub" }, seen(top.issuer) + ", not sent"));
    for (const of of path.reverse()) tree = el("ul", {}, el("li", {}, certificate(of, at), tree));
    tree.className = "chain";
    const strangers = rest.map((of) => el("li", {}, el("i", {}, "also sent, no part of the chain: "), certificate(of, at)));
    return [el("h4", {}, title), tree, strangers.length ? el("ul", { class: "chain" }, strangers) : null];
  };
  const advice = (line, command) => (command ? el("pre", { tabindex: "0" }, el("code", {}, seen(line))) : el("p", {}, seen(line)));
  const dialog = byId("detail");
  const open = async (i) => {
    const all = await piece(Math.floor(i / perPiece));
    const one = all.handshakes[i % perPiece];
    const said = one.diagnosis;
    const close = el("button", { type: "button", autofocus: true }, "Close");
    close.addEventListener("click", () => dialog.close());
    const name = texts[rows.name[i]];
    const facts = [one.frames, all.texts[one.source] && "in " + seen(all.texts[one.source]), one.path && "inside " + seen(one.path), one.quality && "the capture lacks something here: " + seen(one.quality)].filter(Boolean);
    const lost = [[one.loss.client_retransmits, "sent again by the client"], [one.loss.server_retransmits, "sent again by the server"], [one.loss.gap_bytes, "bytes never seen"]].filter(([n]) => n).map(([n, what]) => `${many(n)} ${what}`);
    dialog.replaceChildren(...[
      el("header", {}, el("h2", { id: "detail-title" }, el("span", { class: classes[rows.class[i]] }, seen(one.ending) + (said.cause ? ": " + seen(said.cause) : "")), said.confidence ? ` (${seen(said.confidence)})` : ""), close),
      el("p", {}, `${stamp(rows.start[i])} UTC, ${client(i)} → ${name ? name + ", " : ""}${texts[rows.server[i]]}`),
      el("p", { class: "sub" }, facts.join("; "), "; ", el("span", { class: "mono" }, rows.id[i])),
      el("p", {}, seen(said.summary)),
      said.evidence.length ? el("ul", { class: "evidence" }, said.evidence.map((piece) => el("li", {}, piece.frame ? el("span", { class: "sub" }, `frame ${piece.frame}: `) : "", seen(piece.text)))) : null,
      said.against.length ? el("p", {}, el("b", {}, "Speaks against it: "), said.against.map((piece) => seen(piece.text) + (piece.frame ? ` (frame ${piece.frame})` : "")).join("; ")) : null,
      said.alternatives.length ? el("p", {}, el("b", {}, "Also possible: "), seen(said.alternatives.join(", "))) : null,
      said.findings.filter((finding) => finding.id !== said.cause && !said.alternatives.includes(finding.id)).map((finding) => el("p", {}, el("b", {}, "Also noticed: "), seen(finding.text))),
      said.remedy.length ? el("div", { class: "fix" }, el("b", {}, "Fix"), said.remedy.map((line, n) => advice(line, one.commands.includes(n)))) : null,
      one.steps.length ? [el("h4", {}, "Packet by packet"), el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Packet by packet" }, ladder(all, one, i))] : null,
      lost.length ? el("p", { class: "warn" }, "Lost on the way: " + lost.join(", ")) : null,
      times(one), offers(all, one, i),
      chain(all, "Certificates of the server", one.server_certificates, rows.start[i]), chain(all, "Certificates of the client", one.client_certificates, rows.start[i]),
      one.staple ? el("p", {}, "Stapled OCSP status: " + seen(one.staple)) : null,
    ].flat(3).filter(Boolean));
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
    dialog.dataset.id = rows.id[i];
  };
  dialog.addEventListener("close", () => {
    const id = dialog.dataset.id;
    if (location.hash === "#" + id) history.replaceState(null, "", location.pathname + location.search);
    body.querySelector(`a[href="#${CSS.escape(id)}"]`)?.focus();
  });

  // `#ID` opens a handshake, `#about-CAUSE` what is known of a cause; `#q=…&outcome=…&cause=…&version=…` filters.
  const route = () => {
    const hash = decodeURIComponent(location.hash.slice(1));
    if (place.has(hash)) { open(place.get(hash)).catch((error) => console.error(error)); return; }
    if (dialog.open) dialog.close();
    const about = hash.startsWith("about-") && byId(hash);
    if (about) { about.open = true; about.scrollIntoView(); return; }
    if (!hash.includes("=")) return;
    const wanted = new URLSearchParams(hash);
    for (const [name, input] of Object.entries(inputs)) input.value = wanted.get(name) ?? "";
    filter();
    byId("explorer").scrollIntoView();
  };
  addEventListener("hashchange", route);
  addEventListener("beforeprint", () => document.querySelectorAll("details:not([id])").forEach((node) => { node.open = true; }));
  setUp();
  route();
})();
