/** Words about the conversation that are not part of it: errors, notices, what became of the line. */

import { h, icon, announce } from './dom.js';

const PASSING_MS = 5000;

/** A note that stays; `action` is [label, what it does]. */
export function note(level, text, action) {
  announce(text);
  return h(`div.note.${level}`, { role: level === 'danger' ? 'alert' : null },
    icon(level === 'stopped' ? 'stop' : 'alert'), h('span.words', {}, text), action ? h('button.small', { type: 'button', onclick: action[1] }, action[0]) : null);
}

/** A note that goes by itself. */
export function passing(text) {
  announce(text);
  const element = h('div.note.passing', {}, text);
  setTimeout(() => element.remove(), PASSING_MS);
  return element;
}

/** A dialog: resolves to what `form` gives when it is submitted, or null. */
export function dialog(title, body, { confirm = 'Save', danger = false, value = () => true } = {}) {
  return new Promise((resolve) => {
    const close = (result) => {
      element.close();
      element.remove();
      resolve(result);
    };
    const submit = (event) => {
      event.preventDefault();
      close(value());
    };
    const element = h('dialog', { 'aria-labelledby': 'dialog-title', oncancel: () => close(null) },
      h('form', { onsubmit: submit }, h('h2', { id: 'dialog-title' }, title), body,
        h('div.buttons', {}, h('button', { type: 'button', onclick: () => close(null) }, 'Cancel'),
          h(`button.${danger ? 'danger' : 'primary'}`, { type: 'submit' }, confirm))));
    document.body.append(element);
    element.showModal();
  });
}
