/** Who is there: a name where the system hands out tokens, a token from elsewhere where it does not. */

import { h } from './dom.js';
import { signIn, signInWith } from './session.js';

/** The form; `done` is called once somebody is signed in. */
export function signInPage({ dev_token: byName }, done) {
  const problem = h('p.problem', { role: 'alert', hidden: true });
  const field = byName
    ? h('input', { name: 'user', autocomplete: 'username', maxlength: '200', required: true, placeholder: 'ann' })
    : h('input', { name: 'token', type: 'password', autocomplete: 'off', required: true });
  const submit = async (event) => {
    event.preventDefault();
    try {
      await (byName ? signIn : signInWith)(field.value.trim());
      done();
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    }
  };
  const words = byName
    ? 'This is a system on your own machine: any name will do, and each has conversations and a list of its own.'
    : 'This system does not hand out tokens. Paste one that your own sign-in has issued.';
  queueMicrotask(() => field.focus());
  return h('main.sign-in', {}, h('form', { onsubmit: submit },
    h('h1', {}, 'Come in'), h('p', {}, words),
    h('label', {}, byName ? 'Your name' : 'Bearer token', field), problem,
    h('button.primary', { type: 'submit' }, 'Sign in')));
}
