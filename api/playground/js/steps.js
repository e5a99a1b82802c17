/** What the agent does before it answers: its thoughts, and its tool calls, which open to arguments and results. */

import { h, icon } from './dom.js';

/** A workflow's element; `context.calls(item)` gives what its tools were called with, as far as is known. */
export function steps(item, context) {
  const element = h('section.message.steps', { 'aria-label': 'What the agent did' });
  element.update = (now) => {
    const known = context.calls?.(now) ?? [];
    const shown = now.workflow.tasks.map((task, index) => ({
      title: titleOf(task),
      about: task.type === 'thought' ? null : task.content ?? task.title_query,
      thought: task.type === 'thought' ? task.content : null,
      status: task.status_indicator,
      call: known[index],
    }));
    const open = new Set([...element.querySelectorAll('details[open]')].map((one) => one.dataset.index));
    element.replaceChildren(...summaryOf(now.workflow), ...shown.map((one, index) => step(one, index, open.has(String(index)))));
  };
  element.update(item);
  return element;
}

/** Steps that are no workflow. */
steps.of = (list) => h('section.steps', {}, list.map((one, index) => step(one, index, false)));

function titleOf(task) {
  return task.title || { thought: 'Thinking', web_search: 'Searching', file: 'Files', image: 'An image' }[task.type] || 'A step';
}

function summaryOf({ summary }) {
  if (!summary) return [];
  const text = summary.title ?? (summary.duration ? `Worked for ${summary.duration} s` : '');
  return text ? [h('p.summary', {}, text)] : [];
}

function step({ title, about, thought, status, call }, index, open) {
  const state = status === 'loading' ? icon('loading', 'state') : icon(thought ? 'circle' : 'done', 'state');
  const line = [state, h('span.name', {}, title), about ? h('span.about', {}, about) : null];
  const kind = status === 'loading' ? '.loading' : '';
  if (!call) return h(`div.step${kind}`, {}, h('div.plain', {}, line), thought ? h('p.thought', {}, thought) : null);
  return h(`details.step${kind}`, { open, 'data-index': index },
    h('summary', {}, line, icon('chevron', 'chevron')), h('div.detail', {}, detail(call)));
}

function detail(call) {
  return [
    part(`Called ${call.name} with`, call.args ?? {}),
    call.result === undefined || call.result === null ? null : part('It answered', call.result),
  ];
}

function part(title, value) {
  const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2);
  return h('div', {}, h('h3', {}, title), h('pre', { tabindex: '0' }, text));
}
