/** One conversation: loaded, spoken in, followed live, taken up again after a reload. */

import { announce } from './dom.js';
import { events } from './events.js';
import { ask, json, request, stream } from './session.js';
import { Transcript } from './transcript.js';

const RETRY = 'threads.retry_after_item';
const FEEDBACK = 'items.feedback';

/** What the resumable fetch takes for the component: the word that the user has gone to another thread. */
class Switch extends EventTarget {
  isConnected = true;

  tell(threadId) {
    this.dispatchEvent(new CustomEvent('chatkit.thread.change', { detail: { threadId } }));
  }
}

export class Thread {
  id = null;
  #run = null;
  #last = null;
  #abort = null;
  #stopping = false;
  #retried = null;
  #unsupported = new Set();
  #switch = new Switch();

  /** `told` hears of what others show as well: busy, asked, created, renamed, attached, worked, ended, grown. */
  constructor(told) {
    this.told = told;
    this.transcript = new Transcript({
      can: (what) => !this.#unsupported.has(what === 'retry' ? RETRY : FEEDBACK),
      retry: (itemId) => this.busy || this.retry(itemId),
      answer: (itemId, input) => this.#follow('threads.add_structured_input', { thread_id: this.id, item_id: itemId, input }),
      rate: (itemId, kind) => this.#rate(itemId, kind),
    }, () => told.grown());
    request.attach(this.#switch);
  }

  get busy() {
    return this.#abort !== null;
  }

  /** Show this conversation from the start, and take up its running answer where it is. Throws Refused. */
  async load(id) {
    this.clear(id);
    // How it stands is asked first: an answer that ends in between is then taken up all the same.
    const conversation = await json(`api/conversations/${id}`);
    const items = await allItems(id);
    if (this.id !== id || this.busy) return null;
    this.transcript.load(items);
    this.transcript.findCalls(id);
    if (conversation.active_run) this.#attach(conversation.active_run.id);
    else this.#standing(conversation.last_run);
    return conversation;
  }

  /** Look again: something may have been asked here from another tab or machine. */
  async refresh() {
    const { id } = this;
    if (!id || this.busy) return;
    const { active_run: active, last_run: last } = await json(`api/conversations/${id}`).catch(() => ({}));
    if (this.id !== id || this.busy) return;
    // What was asked there may also have taken back what is shown here.
    if (active || (last && last.id !== this.#last)) await this.load(id);
  }

  /** Say something; whether the server took it. */
  say(text, attachments, model) {
    const content = text ? [{ type: 'input_text', text }] : [];
    const input = { content, attachments: attachments.map((one) => one.id), inference_options: model ? { model } : {} };
    return this.id
      ? this.#follow('threads.add_user_message', { thread_id: this.id, input })
      : this.#follow('threads.create', { input });
  }

  /** Have the question before this item answered again; the last one, if no item is given. */
  retry(itemId) {
    const question = this.transcript.questionBefore(itemId);
    this.#retried = question;
    return this.#follow(RETRY, { thread_id: this.id, item_id: question });
  }

  /** End the answer for everyone; what it has said so far stays. */
  async stop() {
    if (!this.busy || this.#stopping) return;
    this.#stopping = true;
    this.transcript.progress('Stopping …');
    if (!this.#run) this.#abort.abort();
    else await json(`runs/${this.#run}/cancel`, { method: 'POST' }).catch((error) => this.transcript.say('warning', error.message));
    this.#stopping = false;
  }

  /** Look at nothing; an answer that was being followed goes on without us. */
  clear(next = null) {
    const abort = this.#abort;
    this.#finish();
    this.#switch.tell(undefined);
    abort?.abort();
    this.#run = this.#last = null;
    this.id = next;
    this.transcript.load([]);
  }

  #attach(run) {
    const action = { type: 'run.attach', payload: { run_id: run } };
    return this.#follow('threads.custom_action', { thread_id: this.id, action }, run);
  }

  async #follow(type, params, attached = null) {
    const mine = this.#abort = new AbortController();
    const current = () => this.#abort === mine;
    this.#run = attached;
    this.transcript.hush();
    this.transcript.progress('');
    this.told.busy(true);
    let taken = false;
    try {
      const response = await stream(type, params, mine.signal);
      if (!current()) return true;
      this.#run = response.headers.get('X-Run-Id') || attached;
      if (response.headers.get('X-Problem') === 'unknown-type') this.#unsupported.add(type);
      if (attached) this.told.attached();
      else if (this.id) this.told.asked(this.id);
      for await (const { data, end } of events(response)) {
        if (!current()) return true;
        taken ||= data?.type.startsWith('thread.item.') ?? false;
        if (data) this.#event(data);
        if (end !== undefined) this.#ended(end);
      }
    } catch (error) {
      if (current() && error.name === 'AbortError') this.transcript.say('stopped', 'Stopped');
      else if (current()) this.transcript.say('danger', error.message, ['Reload', () => this.load(this.id)]);
    }
    if (current()) this.#finish();
    return taken;
  }

  #event(event) {
    switch (event.type) {
      case 'thread.created':
        this.id = event.thread.id;
        this.told.created(event.thread, this.#run);
        break;
      case 'thread.updated':
        this.told.renamed(event.thread);
        break;
      case 'progress_update':
        this.transcript.progress(event.text);
        break;
      case 'notice':
        this.transcript.say(event.level, event.message);
        break;
      case 'error':
        this.transcript.say('danger', event.message ?? 'Something went wrong while answering.', event.allow_retry ? this.#again : null);
        break;
      default:
        this.#item(event);
    }
  }

  #item(event) {
    if (this.#retried && event.type === 'thread.item.replaced' && event.item.id === this.#retried) {
      this.transcript.cutAfter(this.#retried);
      this.#retried = null;
    }
    const item = this.transcript.apply(event);
    if (item?.type !== 'workflow') return;
    if (event.update?.type === 'workflow.task.updated') this.told.worked();
    if (event.type === 'thread.item.done' && item.workflow.type !== 'reasoning') this.transcript.findLiveCalls(this.#run, item);
  }

  get #again() {
    return ['Try again', () => this.busy || this.retry()];
  }

  async #rate(itemId, kind) {
    try {
      await ask(FEEDBACK, { thread_id: this.id, item_ids: [itemId], kind });
      return true;
    } catch (error) {
      if (error.unsupported) this.#unsupported.add(FEEDBACK);
      this.transcript.say('warning', error.unsupported ? 'This server takes no feedback.' : error.message);
      return false;
    }
  }

  #ended(status) {
    if (status === 'cancelled') this.transcript.say('stopped', 'Stopped');
    if (status === 'completed') announce('The answer is complete');
    if (status !== 'refused') this.#last = this.#run;
    this.told.ended(status);
    if (this.id) this.transcript.findCalls(this.id);
  }

  /** How the last answer ended, for who comes later. */
  #standing(last) {
    this.#last = last?.id ?? null;
    if (last?.status === 'cancelled') this.transcript.say('stopped', 'Stopped');
    if (last?.status === 'failed') this.transcript.say('danger', 'The last answer failed.', this.#again);
  }

  #finish() {
    const wasBusy = this.busy;
    this.#abort = null;
    this.transcript.progress(null);
    if (wasBusy) this.told.busy(false);
    this.told.grown();
  }
}

async function allItems(thread) {
  const items = [];
  for (let after; ;) {
    const page = await ask('items.list', { thread_id: thread, limit: 100, order: 'asc', ...(after ? { after } : {}) });
    items.push(...page.data);
    if (!page.has_more) return items;
    after = page.after;
  }
}
