/**
 * Stands in for <openai-chatkit>, which comes from a CDN: it asks, listens and aborts the way the component's published
 * types say (@openai/chatkit 1.9), and keeps a list of everything in a stream that would have been shown wrongly.
 */

export class StandIn extends HTMLElement {
  items = new Map();
  violations = [];
  notices = [];
  threadId = null;
  configured = false;
  #options;
  #abort = null;

  setOptions(options) {
    this.#options = options;
    this.configured = true;
    this.#tell('ready');
    this.setThreadId(options.initialThread ?? null);
  }

  async setThreadId(threadId) {
    this.#abort?.abort();
    this.#abort = null;
    this.threadId = threadId;
    this.items.clear();
    this.#draw();
    this.#tell('thread.change', { threadId });
    if (!threadId) return;
    this.#tell('thread.load.start', { threadId });
    const thread = await (await this.#send('threads.get_by_id', { thread_id: threadId })).json();
    if (this.threadId !== threadId) return;
    this.items = new Map(thread.items.data.map((item) => [item.id, { item, open: false }]));
    this.#draw();
    this.#tell('thread.load.end', { threadId });
  }

  sendUserMessage({ text }) {
    const input = { content: [{ type: 'input_text', text }], attachments: [], inference_options: {} };
    return this.threadId
      ? this.#stream('threads.add_user_message', { thread_id: this.threadId, input })
      : this.#stream('threads.create', { input });
  }

  sendCustomAction(action, itemId) {
    return this.#stream('threads.custom_action', { thread_id: this.threadId, item_id: itemId ?? null, action });
  }

  /** What its Stop button does. */
  stop() {
    this.#abort?.abort();
  }

  /** What a person reads of the answers. */
  get answers() {
    const messages = [...this.items.values()].filter(({ item }) => item.type === 'assistant_message');
    return messages.map(({ item }) => (item.content ?? []).map((part) => part.text).join(''));
  }

  #send(type, params, signal) {
    const { url, fetch } = this.#options.api;
    return fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ type, params }), signal });
  }

  async #stream(type, params) {
    const mine = this.#abort = new AbortController();
    this.#tell('response.start');
    try {
      const response = await this.#send(type, params, mine.signal);
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let text = ''; ;) {
        const { value, done } = await reader.read();
        if (done) break;
        const frames = (text + value).split('\n\n');
        text = frames.pop();
        for (const frame of frames) {
          const data = /^data: (.+)$/m.exec(frame)?.[1];
          if (data && this.#abort === mine) this.#take(JSON.parse(data), type);
        }
      }
    } catch (error) {
      if (error.name !== 'AbortError') this.#tell('error', { error });
    }
    this.#tell('response.end');
  }

  #take(event, request) {
    const known = this.items.get(event.item?.id ?? event.item_id);
    const wrong = (what) => this.violations.push(`${what}: ${JSON.stringify(event)}`);
    switch (event.type) {
      case 'thread.created':
        if (request !== 'threads.create') wrong('a thread that was there is created');
        this.threadId = event.thread.id;
        this.#tell('thread.change', { threadId: event.thread.id });
        break;
      case 'thread.item.added':
        if (known) wrong('an item is added twice');
        this.items.set(event.item.id, { item: event.item, open: true });
        break;
      case 'thread.item.done':
      case 'thread.item.replaced':
        this.items.set(event.item.id, { item: event.item, open: false });
        break;
      case 'thread.item.removed':
        this.items.delete(event.item_id);
        break;
      case 'thread.item.updated':
        if (!known?.open) wrong('an item that is not open is updated');
        else this.#update(known.item, event.update);
        break;
      case 'notice':
      case 'error':
        this.notices.push(event.message);
        break;
      default:
    }
    this.#draw();
  }

  #update(item, update) {
    if (update.type === 'assistant_message.content_part.text_delta') {
      item.content[update.content_index].text += update.delta;
    } else if (update.type.startsWith('assistant_message.content_part.') && update.content) {
      item.content[update.content_index] = update.content;
    }
  }

  #draw() {
    this.textContent = this.answers.join('\n');
    this.toggleAttribute('data-open', [...this.items.values()].some(({ open }) => open));
  }

  #tell(name, detail = null) {
    this.dispatchEvent(new CustomEvent(`chatkit.${name}`, { detail }));
  }
}

customElements.define('stand-in-chatkit', StandIn);
