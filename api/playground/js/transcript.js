/** What a conversation looks like: its items, drawn as they change, and the words that are not part of it. */

import { h, announce } from './dom.js';
import { Fold, words } from './fold.js';
import { view } from './items.js';
import { note, passing } from './notices.js';
import { callOf, running, stored } from './toolcalls.js';

export class Transcript {
  #fold = new Fold();
  #views = new Map();
  #calls = new Map();
  #live = [];
  #dirty = new Set();
  #frame = null;
  #progress = null;

  /** `context` is what the items' buttons do; `grown` is called whenever there is more to see. */
  constructor(context, grown) {
    this.context = context;
    this.grown = grown;
    this.tail = h('div.tail');
    this.element = h('div.messages', { role: 'log', 'aria-label': 'Conversation', 'aria-live': 'off' }, this.tail);
  }

  get empty() {
    return this.#fold.items.size === 0;
  }

  /** Show these items and nothing else. */
  load(items) {
    this.#fold.load(items);
    this.#views.clear();
    this.#calls.clear();
    this.#live = [];
    this.tail.replaceChildren();
    this.element.replaceChildren(this.tail);
    for (const item of items) this.#show(item.id);
    this.grown();
  }

  /** Take one event; the item that it changed, if it did and is still there. */
  apply(event) {
    const id = this.#fold.apply(event);
    if (!id) return null;
    this.#show(id);
    const item = this.#fold.items.get(id) ?? null;
    if (item?.type === 'assistant_message' && words(item)) this.progress(null);
    return item;
  }

  /** The user's message that an item answers; the last one, if no item is given. */
  questionBefore(itemId) {
    const ids = [...this.#fold.items.keys()];
    const before = itemId ? ids.slice(0, ids.indexOf(itemId)) : ids;
    return before.reverse().find((id) => this.#fold.items.get(id).type === 'user_message');
  }

  /** Take everything after this item off the screen: it is about to be answered anew. */
  cutAfter(itemId) {
    const ids = [...this.#fold.items.keys()];
    for (const id of ids.slice(ids.indexOf(itemId) + 1)) this.apply({ type: 'thread.item.removed', item_id: id });
  }

  /** Say that something is going on; null takes it back. */
  progress(text) {
    this.#progress?.remove();
    this.#progress = null;
    if (text === null) return;
    const dots = h('span.dots', { 'aria-hidden': 'true' }, h('i'), h('i'), h('i'));
    this.#progress = h('p.progress', {}, dots, h('span', {}, text));
    this.tail.append(this.#progress);
    if (text) announce(text);
    this.grown();
  }

  /** A note below the messages: 'passing' goes by itself, any other level stays until the next answer. */
  say(level, text, action) {
    this.tail.append(level === 'passing' ? passing(text) : note(level, text, action));
    this.grown();
  }

  hush() {
    this.tail.replaceChildren();
    this.#live = [];
  }

  /** Give each workflow the tool calls that its message was stored with. */
  async findCalls(conversation) {
    if (![...this.#fold.items.values()].some((item) => item.type === 'workflow')) return;
    const found = await stored(conversation).catch(() => new Map());
    let waiting = [];
    for (const item of this.#fold.items.values()) {
      if (item.type === 'workflow') waiting.push(item);
      const calls = [...(found.get(item.id) ?? [])];
      if (!calls.length) continue;
      for (const workflow of waiting) this.#give(workflow, calls);
      waiting = [];
    }
  }

  /** The same for a workflow whose answer is still being written. */
  async findLiveCalls(run, workflow) {
    const earlier = this.#live.filter((one) => one.id !== workflow.id);
    this.#live = [...earlier, workflow];
    const seen = earlier.reduce((sum, one) => sum + one.workflow.tasks.length, 0);
    const calls = await running(run, seen + workflow.workflow.tasks.length).catch(() => []);
    this.#give(workflow, calls.slice(seen));
  }

  #give(workflow, calls) {
    const given = workflow.workflow.tasks.map((task) => (task.type === 'custom' ? callOf(task, calls) : undefined));
    if (!given.some(Boolean)) return;
    this.#calls.set(workflow.id, given);
    this.#touch(workflow.id);
  }

  #show(id) {
    const item = this.#fold.items.get(id);
    if (!item) {
      this.#views.get(id)?.remove();
      this.#views.delete(id);
    } else if (this.#views.has(id)) {
      this.#touch(id);
    } else {
      const calls = (one) => this.#calls.get(one.id);
      const element = view(item, { ...this.context, open: this.#fold.open.has(id), calls });
      if (!element) return;
      this.#views.set(id, element);
      this.element.insertBefore(element, this.tail);
      this.grown();
    }
  }

  /** Draw it with the next frame, however often it changes until then. */
  #touch(id) {
    this.#dirty.add(id);
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = null;
      for (const one of this.#dirty) {
        const item = this.#fold.items.get(one);
        if (item) this.#views.get(one)?.update(item, this.#fold.open.has(one));
      }
      this.#dirty.clear();
      this.grown();
    });
  }
}
