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
  // What would hide or reorder text is made visible, and heaps of combining marks, which cover other lines.
  const code = (c) => "\\u{" + c.codePointAt(0).toString(16) + "}";
  const seen = (text) => String(text ?? "").replace(/[\p{Cc}\p{Cf}\u2028\u2029\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\uffa0\ufe00-\ufe0f\ufff0-\ufffb\u{e0000}-\u{e0fff}]/gu, code)
    .replace(/(\p{M}{4})(\p{M}+)/gu, (_, few, more) => few + [...more].map(code).join(""));
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
  // The page's zone, as its clock stood at each time.
  const zone = { name: byId("zone").dataset.name, shifts: [...document.querySelectorAll("#zone li")].map((li) => [Number(li.dataset.from), Number(li.dataset.by)]) };
  const ahead = (ms) => (zone.shifts.findLast(([from]) => ms >= from) ?? zone.shifts[0])[1];
  const day = (ms) => new Date(ms + ahead(ms)).toISOString();
  const stamp = (ms) => day(ms).replace("T", " ").replace("Z", "");

  const rows = JSON.parse(byId("rows").textContent);
  const texts = rows.texts.map(seen);
  const size = rows.id.length;
  const place = new Map(rows.id.map((id, index) => [id, index]));
  const lower = texts.map((text) => text.toLowerCase());
  // How a handshake fared: the words of each number, and its class in the style sheet.
  const results = [...document.querySelectorAll("#results li")].map((li) => ({ word: li.textContent, css: "is-" + li.dataset.class }));
  const look = (i) => results[rows.class[i]].css;
  const FAILED = 0;
  const words = new Map([...document.querySelectorAll("#words li")].map((li) => [li.dataset.kind, [li.textContent, li.dataset.class]]));

  // The table.
  const client = (i) => {
    const address = texts[rows.client[i]];
    return (address.includes(":") ? `[${address}]` : address) + ":" + rows.client_port[i];
  };
  const columns = [
    { title: `Start (${zone.name})`, css: "w-start", key: (i) => rows.start[i], text: (i) => stamp(rows.start[i]) },
    { title: "Client", css: "w-peer", key: (i) => lower[rows.client[i]] + " " + String(rows.client_port[i]).padStart(5, "0"), text: client },
    { title: "Name", css: "", key: (i) => lower[rows.name[i]], text: (i) => texts[rows.name[i]] },
    { title: "Server", css: "w-peer", key: (i) => lower[rows.server[i]], text: (i) => texts[rows.server[i]] },
    { title: "Version", css: "w-version", key: (i) => texts[rows.version[i]], text: (i) => texts[rows.version[i]] },
    { title: "Ended", css: "w-outcome", key: (i) => rows.class[i] + texts[rows.outcome[i]], text: (i) => texts[rows.outcome[i]], look },
    { title: "Cause", css: "w-cause", key: (i) => texts[rows.cause[i]], text: (i) => texts[rows.cause[i]], look },
    { title: "Took", css: "w-time n", key: (i) => rows.total[i], text: (i) => span(rows.total[i]) },
  ];
  const HEIGHT = 29;
  // Of larger pages, ladders are made when they are asked for only.
  const PREPARED = 20000;
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
  // What is asked for: `q`, `result`, `outcome`, `cause`, `version`, `from`, `to` in the form; `name`, `server`, `client` and what is wanted `also`
  // beside the cause, several with spaces, by a link.
  const inputs = Object.fromEntries(["q", "result", "outcome", "cause", "version", "from", "to"].map((name) => [name, byId("f-" + name)]));
  const exactly = { name: "", server: "", client: "", also: "" };
  const chips = byId("chips");
  const moment = (input) => {
    if (!input.value) return NaN;
    const civil = Date.parse(input.value + "Z");
    return civil - ahead(civil - ahead(civil));
  };
  // The filter as it stands in the address, so that what is seen can be sent.
  const address = () => {
    const wanted = new URLSearchParams();
    for (const [name, value] of [...Object.entries(inputs).map(([name, input]) => [name, input.value.trim()]), ...Object.entries(exactly)]) if (value) wanted.set(name, value);
    return wanted.toString().replaceAll("%3A", ":");
  };
  const remember = () => {
    const wanted = address();
    history.replaceState(null, "", wanted ? "#" + wanted : location.pathname + location.search);
  };
  const showChips = () => {
    chips.replaceChildren(...Object.entries(exactly).filter(([, value]) => value).map(([name, value]) => {
      const chip = el("button", { type: "button", class: "chip", title: "Drop this filter" }, `${name}: ${seen(value)} `, el("span", { "aria-hidden": "true" }, "✕"));
      chip.addEventListener("click", () => { exactly[name] = ""; filter(); byId("f-q").focus(); });
      return chip;
    }));
    chips.hidden = chips.children.length === 0;
  };
  const filter = () => {
    const wanted = inputs.q.value.trim().toLowerCase();
    const hit = lower.map((text) => text.includes(wanted));
    const number = (list, text) => (text === "" ? -1 : list.indexOf(text) < 0 ? -2 : list.indexOf(text));
    const also = new Set(exactly.also.split(" ").filter(Boolean).map((cause) => texts.indexOf(cause)));
    const columns = ["outcome", "version"].map((name) => [rows[name], number(texts, inputs[name].value)])
      .concat(["server", "client"].map((name) => [rows[name], number(texts, seen(exactly[name]))]), [[rows.class, number(results.map((result) => result.word), inputs.result.value)]])
      .filter(([, value]) => value !== -1);
    // Names are the same whatever their case.
    const named = exactly.name && new Set(lower.flatMap((text, place) => (text === seen(exactly.name).toLowerCase() ? [place] : [])));
    const cause = number(texts, inputs.cause.value);
    const caused = (i) => cause === -1 || rows.cause[i] === cause || also.has(rows.cause[i]);
    const [from, to] = [moment(inputs.from), moment(inputs.to)];
    shown = [];
    for (let i = 0; i < size; i++) {
      if (columns.some(([column, value]) => column[i] !== value) || named && !named.has(rows.name[i]) || !caused(i)) continue;
      if (rows.start[i] < from || rows.start[i] > to) continue;
      if (wanted && !(hit[rows.client[i]] || hit[rows.server[i]] || hit[rows.name[i]] || rows.id[i].startsWith(wanted) || client(i).includes(wanted))) continue;
      shown.push(i);
    }
    showChips();
    mark(from, to);
    sort();
    grid.scrollTop = 0;
    count();
    draw(true);
    remember();
  };
  const clear = () => { for (const name of Object.keys(exactly)) exactly[name] = ""; };

  // A stretch of time is chosen by drawing over the chart; a click chooses all.
  const chart = document.querySelector("svg.brush");
  const area = chart && Object.fromEntries(Object.entries(chart.dataset).map(([name, value]) => [name, Number(value)]));
  const band = svg("rect", { class: "band" });
  const mark = (from, to) => {
    if (!chart) return;
    const x = (at, otherwise) => area.left + area.spread * (Number.isNaN(at) ? otherwise : Math.min(1, Math.max(0, (at - area.begin) / Math.max(1, area.end - area.begin))));
    const [left, right] = [x(from, 0), x(to, 1)];
    if (Number.isNaN(from) && Number.isNaN(to)) { band.remove(); return; }
    for (const [name, value] of Object.entries({ x: left, y: area.top, width: Math.max(2, right - left), height: area.height })) band.setAttribute(name, value);
    chart.append(band);
  };
  const brush = () => {
    const at = (event) => {
      const matrix = chart.getScreenCTM();
      const part = ((event.clientX - matrix.e) / matrix.a - area.left) / area.spread;
      return area.begin + Math.min(1, Math.max(0, part)) * (area.end - area.begin);
    };
    let start;
    const stretch = (event) => [start, at(event)].sort((a, b) => a - b);
    chart.addEventListener("pointerdown", (event) => {
      // A finger scrolls.
      if (event.pointerType === "touch" || event.button !== 0) return;
      event.preventDefault();
      start = at(event);
      chart.setPointerCapture(event.pointerId);
    });
    chart.addEventListener("pointermove", (event) => { if (start !== undefined) mark(...stretch(event)); });
    chart.addEventListener("pointercancel", () => { start = undefined; mark(moment(inputs.from), moment(inputs.to)); });
    chart.addEventListener("pointerup", (event) => {
      if (start === undefined) return;
      const [from, to] = stretch(event);
      start = undefined;
      const none = to - from < (area.end - area.begin) / 200;
      [inputs.from.value, inputs.to.value] = none ? ["", ""] : [from, to].map((ms) => day(ms).replace("Z", ""));
      filter();
    });
  };

  // Tables: a column's head sorts, a button shows what is below the first rows, another copies a command.
  const sortable = (table) => {
    const top = table.tBodies[0], rest = table.tBodies[1], first = top.rows.length;
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((th, column) => {
      if (th.textContent.trim() === "") return;
      const arrow = el("span", { "aria-hidden": "true" });
      const button = el("button", { type: "button" }, ...th.childNodes, arrow);
      th.replaceChildren(button);
      button.addEventListener("click", () => {
        const list = [...top.rows, ...(rest?.rows ?? [])];
        const numeric = list[0]?.cells[column].dataset.v !== undefined;
        const key = (row) => (numeric ? Number(row.cells[column].dataset.v) : row.cells[column].textContent.trim().toLowerCase());
        // Numbers begin with the largest.
        const down = th.ariaSort === null || th.ariaSort === "none" ? numeric : th.ariaSort === "ascending";
        const keys = new Map(list.map((row) => [row, key(row)]));
        list.sort((a, b) => (keys.get(a) < keys.get(b) ? -1 : keys.get(a) > keys.get(b) ? 1 : 0) * (down ? -1 : 1));
        top.append(...list.slice(0, first));
        rest?.append(...list.slice(first));
        for (const other of heads) {
          if (!other.firstElementChild?.matches("button")) continue;
          other.ariaSort = other !== th ? "none" : down ? "descending" : "ascending";
          other.firstElementChild.lastElementChild.textContent = other !== th ? "" : down ? " ▼" : " ▲";
        }
      });
    });
  };
  const more = (button) => {
    const table = button.parentElement.querySelector("table");
    const words = button.textContent;
    button.addEventListener("click", () => {
      const all = table.classList.toggle("whole");
      button.ariaExpanded = String(all);
      button.textContent = all ? "Show fewer" : words;
    });
  };
  const copy = async (button) => {
    const code = button.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      getSelection().selectAllChildren(code);
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  };
  // The system's colours, or those that were chosen on this page before. Where nothing can be kept, the choice holds until the page is left.
  const theme = byId("theme");
  const wear = (name) => { if (name) document.documentElement.dataset.theme = name; else delete document.documentElement.dataset.theme; };
  const furnish = () => {
    document.querySelectorAll("table.sortable").forEach(sortable);
    document.querySelectorAll("button.all").forEach(more);
    document.addEventListener("click", (event) => { const button = event.target.closest("button.copy"); if (button) copy(button); });
    try { theme.value = localStorage.getItem("handshark-theme") ?? ""; } catch { theme.value = ""; }
    wear(theme.value);
    theme.addEventListener("change", () => {
      wear(theme.value);
      try { localStorage.setItem("handshark-theme", theme.value); } catch { /* nothing can be kept */ }
    });
    if (chart) brush();
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
      inputs[name].append(...values.map((value) => el("option", { value }, value)));
    }
    const fared = new Set(rows.class);
    inputs.result.append(...results.map((result, number) => ({ ...result, number })).filter(({ number }) => fared.has(number)).map(({ word }) => el("option", { value: word }, word)));
    let timer;
    const later = () => { clearTimeout(timer); timer = setTimeout(filter, 120); };
    inputs.q.addEventListener("input", later);
    inputs.cause.addEventListener("change", () => { exactly.also = ""; });
    for (const name of ["result", "outcome", "cause", "version", "from", "to"]) inputs[name].addEventListener("change", filter);
    byId("filters").addEventListener("submit", (event) => { event.preventDefault(); filter(); });
    byId("filters").addEventListener("reset", () => { clear(); setTimeout(filter); });
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

  // A frame by its file, where there are several.
  const framed = (piece) => (piece.source ? seen(piece.source.split(/[/\\]/).pop()) + " " : "") + "frame " + piece.frame;

  const ladder = (all, one, i) => {
    const longest = one.steps.reduce((most, step, n) => Math.max(most, n ? step[1] - one.steps[n - 1][1] : 0), 0);
    return el("table", { class: "ladder" },
      el("caption", { class: "visually-hidden" }, "Packets in order"),
      el("thead", {}, el("tr", {}, el("th", { class: "n", scope: "col" }, "Frame"), el("th", { class: "n", scope: "col" }, "At"), el("th", { class: "n", scope: "col" }, "After"), el("th", { scope: "col" }, el("span", { class: "visually-hidden" }, "Pause")),
        el("th", { scope: "col" }, `client ${texts[rows.client[i]]} ⇄ server ${texts[rows.server[i]]}`), el("th", { scope: "col" }, "Carries"))),
      el("tbody", {}, one.steps.map(([frame, at, from, kind, bytes, text, ended, file], n) => {
        const [title, css] = words.get(all.texts[kind]) ?? [seen(all.texts[kind]), "message"];
        const after = n ? at - one.steps[n - 1][1] : 0;
        const who = ["client", "server", "network"][from];
        const label = title + (bytes >= 0 ? ` ${many(bytes)} B` : "") + (ended ? " ✗" : "");
        return el("tr", { class: `${css} ${who}${ended ? " ended" : ""}` },
          el("td", { class: "n", title: file >= 0 ? seen(all.texts[file]) : undefined }, frame || "–"), el("td", { class: "n" }, n ? span(at) : "0"), el("td", { class: "n" }, after ? "+" + span(after) : ""),
          el("td", {}, after > longest / 50 ? el("meter", { min: 0, max: longest, value: after, "aria-hidden": "true" }) : ""),
          el("td", { class: "lane" }, el("span", { class: "arrow" }, el("span", { class: "visually-hidden" }, `${who}: `), label, ended ? el("span", { class: "visually-hidden" }, " (this ended it)") : "")),
          el("td", {}, seen(all.texts[text])));
      })));
  };
  const times = (one, heading) => {
    const parts = [["TCP round trip", "tcp_rtt_us"], ["client processing", "client_hello_us"], ["server answers", "server_hello_us"], ["of that, processing", "server_think_us"], ["rest of handshake", "finished_us"], ["total", "total_us"]].filter(([, key]) => one.timing[key] !== undefined);
    const most = Math.max(1, ...parts.map(([, key]) => one.timing[key]));
    return parts.length === 0 ? null : [el(heading, {}, "Where the time went"), el("table", { class: "times" }, el("tbody", {}, parts.map(([title, key]) =>
      el("tr", {}, el("th", { scope: "row" }, title), el("td", { class: "n" }, span(one.timing[key])), el("td", {}, el("meter", { min: 0, max: most, value: one.timing[key], "aria-label": title }))))))];
  };
  const offers = (all, one, i) => {
    if (one.hello === undefined) return null;
    const hello = JSON.parse(all.hellos[one.hello]);
    const lists = [["Version", hello.supported_versions, rows.texts[rows.version[i]]], ["Cipher suite", hello.supported_ciphers, one.cipher], ["Group", hello.supported_groups, one.curve], ["Key share", hello.key_shares ?? [], ""], ["ALPN", hello.alpn, one.alpn], ["Signature", hello.signature_algorithms, ""], ["Extension", hello.extensions ?? [], ""]];
    return [el("h3", {}, "Offered and chosen"), el("div", { class: "cols" }, lists.filter(([, list, chosen]) => list.length || chosen).map(([title, list, chosen]) =>
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
    return [el("h3", {}, title), tree, strangers.length ? el("ul", { class: "chain" }, strangers) : null];
  };
  const advice = (line, command) => (command ? el("div", { class: "command" }, el("pre", { tabindex: "0" }, el("code", {}, seen(line))), el("button", { type: "button", class: "copy", "aria-live": "polite" }, "Copy")) : el("p", {}, seen(line)));
  const packets = (all, one, i) => el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Packet by packet" }, ladder(all, one, i));
  // The same ladder where the page tells of a handshake.
  const tell = async (story) => {
    const i = place.get(story.dataset.id);
    if (story.dataset.told || i === undefined) return;
    story.dataset.told = "yes";
    const all = await piece(Math.floor(i / perPiece));
    const one = all.handshakes[i % perPiece];
    story.append(packets(all, one, i), ...[times(one, "h4")].flat().filter(Boolean));
  };
  const stories = [...document.querySelectorAll("details.story")];
  for (const story of stories) story.addEventListener("toggle", () => tell(story).catch((error) => console.error(error)));
  const dialog = byId("detail");
  const open = async (i) => {
    const all = await piece(Math.floor(i / perPiece));
    const one = all.handshakes[i % perPiece];
    const said = one.diagnosis;
    const close = el("button", { type: "button", autofocus: true }, "Close");
    close.addEventListener("click", () => dialog.close());
    const name = texts[rows.name[i]];
    const facts = [one.frames, all.texts[one.source] && "in " + seen(all.texts[one.source]), one.path && "inside " + seen(one.path), one.quality && "the capture lacks something here: " + seen(one.quality), ...(one.owners || []).map(seen)].filter(Boolean);
    const lost = [[one.loss.client_retransmits, "sent again by the client"], [one.loss.server_retransmits, "sent again by the server"], [one.loss.gap_bytes, "bytes never seen"]].filter(([n]) => n).map(([n, what]) => `${many(n)} ${what}`);
    dialog.replaceChildren(...[
      el("header", {}, el("h2", { id: "detail-title" }, el("span", { class: look(i) }, seen(one.ending) + (said.cause ? ": " + seen(said.cause) : "")), said.confidence ? ` (${seen(said.confidence)})` : ""), close),
      el("p", {}, `${stamp(rows.start[i])} ${zone.name}, ${client(i)} → ${name ? name + ", " : ""}${texts[rows.server[i]]}`),
      el("p", { class: "sub" }, facts.join("; "), "; ", el("span", { class: "mono" }, rows.id[i])),
      el("p", {}, seen(said.summary)),
      said.evidence.length ? el("ul", { class: "evidence" }, said.evidence.map((piece) => el("li", {}, piece.frame ? el("span", { class: "sub" }, `${framed(piece)}: `) : "", seen(piece.text)))) : null,
      said.against.length ? el("p", {}, el("b", {}, "Speaks against it: "), said.against.map((piece) => seen(piece.text) + (piece.frame ? ` (${framed(piece)})` : "")).join("; ")) : null,
      said.alternatives.length ? el("p", {}, el("b", {}, "Also possible: "), seen(said.alternatives.join(", "))) : null,
      said.findings.filter((finding) => finding.id !== said.cause && !said.alternatives.includes(finding.id)).map((finding) => el("p", {}, el("b", {}, "Also noticed: "), seen(finding.text))),
      said.remedy.length ? el("div", { class: "fix" }, el("b", {}, "Fix"), said.remedy.map((line, n) => advice(line, one.commands.includes(n)))) : null,
      one.next.length ? el("div", { class: "fix" }, el("b", {}, "Packet by packet on a terminal, and what offers the same again"), one.next.map((line) => advice(line, true))) : null,
      one.steps.length ? [el("h3", {}, "Packet by packet"), packets(all, one, i)] : null,
      lost.length ? el("p", { class: "warn" }, "Sent again or missing: " + lost.join(", ")) : null,
      times(one, "h3"), offers(all, one, i),
      chain(all, "Certificates of the server", one.server_certificates, rows.start[i]), chain(all, "Certificates of the client", one.client_certificates, rows.start[i]),
      one.staple ? el("p", {}, "Stapled OCSP status: " + seen(one.staple)) : null,
    ].flat(3).filter(Boolean));
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
    dialog.dataset.id = rows.id[i];
  };
  dialog.addEventListener("close", () => {
    const id = dialog.dataset.id;
    if (location.hash === "#" + id) remember();
    body.querySelector(`a[href="#${CSS.escape(id)}"]`)?.focus();
  });

  // `#ID` opens a handshake, `#about-CAUSE` what is known of a cause; `#cause=…&name=…` and what else is asked for filters.
  const route = () => {
    const raw = location.hash.slice(1);
    let hash = raw;
    // An address that somebody cut short is none.
    try { if (!raw.includes("=")) hash = decodeURIComponent(raw); } catch { return; }
    if (place.has(hash)) { open(place.get(hash)).catch((error) => console.error(error)); return; }
    if (dialog.open) dialog.close();
    const about = hash.startsWith("about-") && byId(hash);
    if (about) { about.open = true; about.scrollIntoView(); return; }
    if (!hash.includes("=")) return;
    const wanted = new URLSearchParams(hash);
    for (const [name, input] of Object.entries(inputs)) input.value = wanted.get(name) ?? "";
    for (const name of Object.keys(exactly)) exactly[name] = wanted.get(name) ?? "";
    filter();
    byId("explorer").scrollIntoView();
  };
  addEventListener("hashchange", route);
  // Paper has no folds: what cannot be unfolded in time was filled before.
  const idle = window.requestIdleCallback ?? ((work) => setTimeout(work, 200));
  const prepare = (n) => { if (n < stories.length && size <= PREPARED) idle(() => tell(stories[n]).then(() => prepare(n + 1)).catch((error) => console.error(error))); };
  addEventListener("beforeprint", () => document.querySelectorAll("details:not([id])").forEach((node) => { node.open = true; }));
  furnish();
  setUp();
  route();
  prepare(0);
})();
