/** The conversations: found, opened, renamed, deleted. */

import { h, icon, iconButton } from './dom.js';
import { dialog } from './notices.js';
import { json, user } from './session.js';

const TYPING_MS = 200;

export class Sidebar {
  #current = null;
  #search = '';
  #after = null;
  #asked = 0;

  constructor({ open, fresh, deleted, renamed, leave, close, complain, theme }) {
    Object.assign(this, { open, deleted, renamed, complain });
    this.list = h('ul');
    this.more = h('button.quiet.small', { type: 'button', hidden: true, onclick: () => this.#page() }, 'Show more');
    this.field = h('input', { type: 'search', placeholder: 'Search', 'aria-label': 'Search conversations', oninput: () => this.#typed() });
    this.element = h('aside.sidebar', { 'aria-label': 'Conversations' },
      h('div.top', {},
        h('div.brand', {}, h('img', { src: 'icon.svg', alt: '' }), 'Playground', iconButton('close', 'Close', close, '.small.close')),
        h('button', { type: 'button', onclick: fresh }, icon('plus'), 'New conversation'),
        h('div.search', {}, icon('search'), this.field)),
      h('nav', { 'aria-label': 'Conversations' }, this.list, this.more),
      h('div.who', {}, h('span.name', {}, user()), theme, iconButton('out', 'Sign out', leave)));
  }

  focusSearch() {
    this.field.focus();
  }

  /** Mark the one that is open. */
  show(id) {
    this.#current = id;
    for (const row of this.list.children) mark(row, row.dataset.id === id);
  }

  /** Look what is there. */
  async refresh() {
    this.#after = null;
    await this.#page(true);
  }

  #typed() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.#search = this.field.value.trim();
      this.refresh();
    }, TYPING_MS);
  }

  async #page(anew = false) {
    const asked = ++this.#asked;
    const query = new URLSearchParams({ limit: 40, ...(this.#search && { q: this.#search }), ...(this.#after && !anew && { after: this.#after }) });
    const page = await json(`api/conversations?${query}`).catch((error) => this.complain(error.message));
    if (!page || asked !== this.#asked) return;
    this.#after = page.after;
    this.more.hidden = !page.has_more;
    const rows = page.data.map((one) => this.#row(one));
    if (anew) this.list.replaceChildren(...rows);
    else this.list.append(...rows);
    if (!this.list.children.length) this.list.append(h('li.empty', {}, this.#search ? 'Nothing by that name.' : 'Nothing here yet.'));
  }

  #row(conversation) {
    const { id } = conversation;
    const title = conversation.title ?? 'New conversation';
    const row = h('li.conversation', { 'data-id': id },
      h('a.open', { href: `#/c/${id}`, title, onclick: () => this.open(id) }, title),
      h('span.more', {},
        iconButton('edit', `Rename “${title}”`, () => this.#rename(id, title), '.small'),
        iconButton('trash', `Delete “${title}”`, () => this.#delete(id, title), '.small')));
    mark(row, id === this.#current);
    return row;
  }

  async #rename(id, before) {
    const field = h('input', { value: before, maxlength: '500', required: true, 'aria-label': 'Title' });
    const title = await dialog('Rename the conversation', field, { value: () => field.value.trim() });
    if (!title || title === before) return;
    const renamed = await json(`api/conversations/${id}`, { method: 'PATCH', body: { title } }).catch((error) => this.complain(error.message));
    if (!renamed) return;
    this.renamed(renamed);
    await this.refresh();
  }

  async #delete(id, title) {
    const question = h('p', {}, `“${title}” and everything in it will be gone.`);
    if (!(await dialog('Delete the conversation?', question, { confirm: 'Delete', danger: true }))) return;
    if (!(await json(`api/conversations/${id}`, { method: 'DELETE' }).catch((error) => this.complain(error.message)))) return;
    this.deleted(id);
    await this.refresh();
  }
}

function mark(row, current) {
  row.toggleAttribute('data-current', current);
  const link = row.querySelector('a');
  if (current) link?.setAttribute('aria-current', 'page');
  else link?.removeAttribute('aria-current');
}
