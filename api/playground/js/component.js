/** OpenAI's own component, wired to this system with the resumable fetch: what docs/frontend.md shows, running. */

import { h } from './dom.js';
import { applyTheme } from './theme.js';
import { models, offers, on, request, user } from './session.js';
import { signInPage } from './signin.js';

const SCRIPT = 'https://cdn.platform.openai.com/deployments/chatkit/chatkit.js';
const KEY = 'component.thread';

applyTheme();

async function start() {
  const app = document.getElementById('app');
  const offered = await offers();
  const show = () => {
    if (!offered.domain_key) app.replaceChildren(missing());
    else if (user()) embed(app, offered);
    else app.replaceChildren(signInPage(offered, show));
  };
  show();
}

function missing() {
  return h('main.missing', {}, h('h1', {}, 'No domain key'),
    h('p', {}, 'OpenAI’s ChatKit component is shown here once this address is registered with OpenAI and its key is set as CHATKIT_DOMAIN_KEY.'),
    h('p', {}, 'The ', h('a', { href: './' }, 'playground'), ' needs no key.'));
}

async function embed(app, { domain_key: domainKey }) {
  const choice = (await models()).filter(Boolean);
  const line = h('span', { role: 'status' });
  const chatkit = h('openai-chatkit');
  app.replaceChildren(h('main.component', {}, h('div.words', {}, h('a', { href: './' }, 'Playground'), line), chatkit));
  on('state', ({ state }) => { line.textContent = { reconnecting: 'Reconnecting', reattached: 'Re-attached: nothing was lost' }[state] ?? ''; });
  if (!(await load())) {
    line.textContent = 'The component could not be loaded from its CDN.';
    return;
  }
  await customElements.whenDefined('openai-chatkit');
  request.attach(chatkit);
  chatkit.addEventListener('chatkit.thread.change', ({ detail }) => localStorage.setItem(KEY, detail.threadId ?? ''));
  chatkit.setOptions({
    api: { url: new URL('chatkit', location.href).href, domainKey, fetch: request, uploadStrategy: { type: 'two_phase' } },
    initialThread: localStorage.getItem(KEY) || null,
    theme: matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light',
    history: { enabled: true, showDelete: true, showRename: true },
    threadItemActions: { feedback: true, retry: true },
    composer: {
      attachments: { enabled: true },
      ...(choice.length > 1 && { models: choice.map((id, index) => ({ id, label: id, default: index === 0 })) }),
    },
  });
}

function load() {
  return new Promise((resolve) => {
    const script = h('script', { src: SCRIPT, onload: () => resolve(true), onerror: () => resolve(false) });
    document.head.append(script);
  });
}

start();
