/** For developers: the raw events of the line with their ids, and a button that cuts it. */

import { h, iconButton } from './dom.js';
import { parsed } from './events.js';
import { on, request } from './session.js';

const KEPT = 500;

export class Drawer {
  #count = 0;
  #pinned = true;

  constructor(close) {
    this.facts = h('span.facts', {}, 'No answer yet');
    const scrolled = () => { this.#pinned = this.list.scrollTop + this.list.clientHeight > this.list.scrollHeight - 40; };
    this.list = h('ol', { tabindex: '0', 'aria-label': 'Events', onscroll: scrolled });
    this.element = h('section.drawer', { 'aria-label': 'For developers', hidden: true },
      h('header', {}, h('h2', {}, 'Events'), this.facts,
        h('button.small', { type: 'button', onclick: () => request.drop() }, 'Cut the line'),
        h('button.small', { type: 'button', onclick: () => this.list.replaceChildren() }, 'Clear'),
        iconButton('close', 'Close the drawer', close, '.small')),
      this.list);
    on('frame', ({ runId, frame }) => this.#frame(runId, parsed(frame)));
    on('state', (state) => this.#state(state));
  }

  #frame(run, { id, data, comment }) {
    this.#count += 1;
    this.facts.textContent = `${run ?? ''} · ${this.#count} events${id ? ` · at ${id}` : ''}`;
    this.#add(id ?? '–', data?.type ?? comment ?? '', data ? JSON.stringify(data) : '');
  }

  #state({ state, runId, tries, waitMs, status }) {
    const more = [status, tries && `try ${tries}`, waitMs && `in ${Math.round(waitMs)} ms`].filter(Boolean).join(', ');
    this.#add('line', state, `${runId ?? ''} ${more}`, '.line-event');
  }

  #add(id, type, data, kind = '') {
    this.list.append(h(`li${kind}`, {}, h('span.id', {}, id), h('span.type', {}, type), h('span.data', {}, data)));
    while (this.list.children.length > KEPT) this.list.firstChild.remove();
    this.follow();
  }

  /** Shown again, it stands at the newest event. */
  follow() {
    if (this.#pinned) this.list.scrollTop = this.list.scrollHeight;
  }
}
