/**
 * A `fetch` for ChatKit's `api.fetch` whose answers survive the network: a dropped line is taken up again where it
 * broke, a Stop reaches the server, and leaving the page is not a Stop. No dependencies; types in the .d.ts beside it.
 */

const STREAMING = /^threads\.(create|add_\w+|retry_after_item|custom_action)$/;
const SILENCE_MS = 35_000; // the server says something every 15 s: after 35 s of nothing the line is dead
const STALE_MS = 20_000; // a tab that is shown again trusts a line that it has heard from within this
const [LONGEST_WAIT_MS, SENDING_TRIES] = [10_000, 7]; // for what the server cannot take just now
const GRACE_MS = 100; // the component's word on a thread switch may come just after its abort
const backOff = (tries) => Math.min(LONGEST_WAIT_MS, 200 * 2 ** tries) * (0.5 + Math.random() / 2);
const randomKey = () => crypto.getRandomValues(new Uint8Array(16)).join('-');
const pause = (ms, early = () => {}) => new Promise((resolve) => { early(resolve); setTimeout(resolve, ms); });
const parsed = (body) => { try { return JSON.parse(new TextDecoder().decode(body)) ?? {}; } catch { return {}; } };
/** The server no longer knows the run, or no longer lets this user read it. */
export class RunGone extends Error { name = 'RunGone'; }

export function createResumableFetch({ getToken, onState = () => {}, onFrame = () => {} }) {
  const answers = new Set();
  const activeBefore = new Map();
  let base, token, element, leaving = false;

  const at = (path) => new URL(path, base).href;
  const signed = (url, init, headers = new Headers(init.headers)) => {
    if (token) headers.set('Authorization', `Bearer ${token}`);
    return fetch(url, { ...init, headers });
  };

  /** With a fresh token, and with another one if that is refused; elsewhere than at the API, with none. */
  async function authorised(url, init, refused = false) {
    if (base && new URL(url).origin !== new URL(base).origin) return fetch(url, init);
    token = await getToken({ refused });
    const response = await signed(url, init);
    return response.status === 401 && !refused ? authorised(url, init, true) : response;
  }

  /** Sent with the token at hand, before anything is awaited, so that a Stop also leaves a page that then closes. */
  async function cancel(run) {
    const [url, init] = [at(`runs/${run}/cancel`), { method: 'POST', keepalive: true }];
    for (let tries = 0, sent = signed(url, init); tries < SENDING_TRIES; sent = authorised(url, init)) {
      const status = (await sent.catch(() => null))?.status ?? 500;
      if (status < 500 && status !== 401) return;
      await pause(backOff(tries++));
    }
  }

  /** The Response to a streaming request, and everything it takes to keep its body going. */
  function follow(url, init, said, signal) {
    const answer = { run: null, thread: said.params?.thread_id ?? said.thread_id ?? null, left: false, drop, wake };
    let out, cursor, held, line, watchdog, verdict, tries = 0, heard = 0, begun = false, over = false, poke = () => {};
    const body = new ReadableStream({ start: (controller) => { out = controller; }, cancel: () => abandon() });
    const tell = (state, more) => onState({ state, runId: answer.run, threadId: answer.thread, ...more });
    const end = (status) => { settle(); tell('ended', { status }); };
    answers.add(answer);

    function drop() { line?.abort(); }
    function wake(lineIsDead) {
      if (lineIsDead || Date.now() - heard > STALE_MS) drop();
      poke();
    }
    function listen() {
      clearTimeout(watchdog);
      [heard, watchdog] = [Date.now(), setTimeout(drop, SILENCE_MS)];
    }
    function settle() {
      clearTimeout(watchdog);
      over = true;
      answers.delete(answer);
    }
    /** Without a place in the answer yet, the request itself is sent again: its key leads to the same run. */
    function connect() {
      [line, held] = [new AbortController(), ''];
      listen();
      if (!cursor) return authorised(url, { ...init, signal: line.signal });
      const headers = { 'Last-Event-ID': cursor, Accept: 'text/event-stream' };
      const events = at(`runs/${answer.run}/events?dialect=${said.type ? 'chatkit' : 'simple'}`);
      return authorised(events, { headers, credentials: init.credentials, signal: line.signal });
    }

    /** A frame without an id belongs to the next one that has one, unless it is the relay's own word. */
    function take(frame) {
      const id = /^id: ?(.+)$/m.exec(frame)?.[1];
      const status = /^: end ?(\w*)/m.exec(frame)?.[1];
      onFrame({ runId: answer.run, id, frame });
      if (over || frame.startsWith(': ping')) return;
      held += `${frame}\n\n`;
      if (id || status !== undefined || /^data: ?\{"type": ?"progress_update"/.test(held)) {
        out.enqueue(new TextEncoder().encode(held));
        held = '';
      }
      cursor = id ?? cursor;
      if (status !== undefined) end(status, out.close());
    }
    async function read(response) {
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let text = '', chunk; !over && !(chunk = await reader.read()).done; tries = 0) {
        listen();
        const frames = (text + chunk.value).split('\n\n');
        text = frames.pop();
        frames.forEach(take);
      }
    }

    /** The reader wants no more of it: a Stop, unless the user has only gone elsewhere. */
    function abandon(reason) {
      if (over) return;
      over = true;
      if (reason) out.error(reason);
      if (element) setTimeout(leave, GRACE_MS); else leave();
    }
    function leave() {
      settle();
      verdict ??= leaving || answer.left || element?.isConnected === false ? 'left' : 'stopped';
      if (!answer.run) return;
      if (verdict === 'stopped') cancel(answer.run);
      tell(verdict);
      drop();
    }

    /** Until the answer has ended. What was abandoned before its headers came still waits for them. */
    async function pump(begin) {
      for (let wait = 0; !over || !answer.run; wait = 0) {
        const response = await connect().catch(() => null);
        if (response?.ok && response.headers.get('Content-Type')?.startsWith('text/event-stream')) {
          answer.run ??= response.headers.get('X-Run-Id');
          answer.thread = response.headers.get('X-Thread-Id') || answer.thread;
          if (over) return verdict && leave();
          tell(begun ? 'reattached' : 'streaming');
          if (!begun) begin(new Response(body, { status: response.status, headers: response.headers }));
          begun = true;
          await read(response).catch(() => {});
        } else if (response) {
          const passing = response.status >= 500 || [408, 425, 429].includes(response.status);
          if (begun && !passing) throw new RunGone('This answer can no longer be read. Reload to see what was kept.');
          wait = 1000 * response.headers.get('Retry-After');
          const tired = wait > LONGEST_WAIT_MS || tries >= SENDING_TRIES;
          if (!begun && (tired || !passing)) return end('refused', begin(await refusal(response)));
        }
        if (over && answer.run) return;
        wait = Math.max(wait, backOff(tries++));
        tell('reconnecting', { tries, waitMs: wait });
        await pause(wait, (resolve) => { poke = resolve; });
      }
    }
    return new Promise((begin, fail) => {
      signal.addEventListener('abort', () => { fail(signal.reason); abandon(signal.reason); }, { once: true });
      pump(begin).catch((error) => { settle(); fail(error); out.error(error); tell('gone', { error }); });
    });
  }

  async function resumableFetch(input, init) {
    const request = new Request(input, init);
    const { url, method, headers, credentials, signal } = request;
    signal.throwIfAborted();
    const body = ['GET', 'HEAD'].includes(method) ? undefined : await request.arrayBuffer();
    const said = headers.get('Content-Type')?.includes('json') ? parsed(body) : {};
    if (said.type || said.message) base = url;
    if (said.type ? !STREAMING.test(said.type) : !said.message) {
      if (element && said.type === 'threads.get_by_id') await noteActive(said.params?.thread_id);
      return authorised(url, { method, headers, body, credentials, signal });
    }
    headers.set('X-Resumable', '1');
    headers.set('Idempotency-Key', headers.get('Idempotency-Key') ?? randomKey());
    return follow(url, { method, headers, body, credentials }, said, signal);
  }

  /** Asked before a thread is loaded: an answer that ends in between is then not missed. */
  async function noteActive(thread) {
    const response = await authorised(at(`api/conversations/${thread}`), {}).catch(() => null);
    activeBefore.set(thread, response?.ok ? (await response.json()).active_run?.id : undefined);
  }
  resumableFetch.drop = () => answers.forEach((one) => one.drop());
  resumableFetch.attach = (chatkit) => {
    const detached = new AbortController();
    const on = (event, listener) => chatkit.addEventListener(`chatkit.${event}`, listener, { signal: detached.signal });
    on('thread.change', ({ detail }) => answers.forEach((one) => { one.left ||= detail.threadId !== one.thread; }));
    on('thread.load.end', async ({ detail: { threadId } }) => {
      if (base && !activeBefore.has(threadId)) await noteActive(threadId);
      const run = activeBefore.get(threadId);
      activeBefore.delete(threadId);
      if (!run || [...answers].some((one) => one.run === run && !one.left)) return;
      await chatkit.sendCustomAction({ type: 'run.attach', payload: { run_id: run } });
    });
    element = chatkit;
    return () => detached.abort();
  };
  const on = (event, listener) => globalThis.addEventListener?.(event, listener); // a server that renders has none
  ['pagehide', 'pageshow'].forEach((event) => on(event, () => { leaving = event === 'pagehide'; }));
  on('online', () => answers.forEach((one) => one.wake(true)));
  on('visibilitychange', () => document.hidden || answers.forEach((one) => one.wake(false)));
  return resumableFetch;
}
/** A refused request, as a stream with a notice that the component shows to its user. */
async function refusal(response) {
  const { type = 'unknown', title = 'The server could not take it.', detail } = await response.json().catch(() => ({}));
  const notice = { type: 'notice', level: 'warning', message: detail ?? title };
  const said = `data: ${JSON.stringify(notice)}\n\n: end refused\n\n`;
  return new Response(said, { headers: { 'Content-Type': 'text/event-stream', 'X-Problem': type } });
}
