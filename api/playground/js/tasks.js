/** The user's list, at the side: what the agent's tools have done to it. */

import { h, icon, iconButton } from './dom.js';
import { json } from './session.js';

export class Tasks {
  #seen = null;

  constructor(close) {
    this.body = h('div.body');
    this.element = h('aside.tasks', { 'aria-label': 'Tasks' },
      h('header', {}, h('h2', {}, 'Your list'), iconButton('close', 'Close the list', close, '.small')), this.body);
  }

  /** Look what is on it. */
  async refresh() {
    const tasks = await json('api/tasks').catch(() => null);
    if (tasks === null) return;
    const before = this.#seen;
    this.#seen = new Map(tasks.map((task) => [task.id, task.completed]));
    const fresh = (task) => before !== null && before.get(task.id) !== task.completed;
    const sorted = [...tasks].sort((one, other) => Number(one.completed) - Number(other.completed));
    const rows = sorted.map((task) => row(task, fresh(task)));
    this.body.replaceChildren(rows.length ? h('ul', {}, rows) : h('p.empty', {}, 'Nothing to do. Say “add buy milk”.'));
  }
}

function row(task, fresh) {
  const kind = (task.completed ? '.done' : '') + (fresh ? '.fresh' : '');
  return h(`li.task${kind}`, {}, icon(task.completed ? 'done' : 'circle'), h('span', {}, task.title),
    task.completed ? h('span.hidden-visually', {}, ' (done)') : null);
}
