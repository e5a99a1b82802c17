/** A page of another origin that wires the component with the helper, as docs/frontend.md tells. */

import './stand-in.js';

const settings = new URLSearchParams(location.search);
const api = settings.get('api');
const { createResumableFetch } = await import(`${api}/resumable-fetch.js`);

window.chat = document.getElementById('chat');
window.states = [];
window.frames_seen = [];
window.tokens = [settings.get('token'), settings.get('token')]; // the usual one, and the one after a refusal
window.asked = [];
window.resumable = createResumableFetch({
  getToken: ({ refused }) => {
    window.asked.push(refused);
    return window.tokens[Number(refused)];
  },
  onState: (state) => window.states.push(state),
  onFrame: (frame) => window.frames_seen.push(frame),
});
window.errors = [];
window.chat.addEventListener('chatkit.error', ({ detail }) => window.errors.push(`${detail.error.name}: ${detail.error.message}`));
window.chat.addEventListener('chatkit.thread.change', ({ detail }) => { location.hash = detail.threadId ?? ''; });
if (!settings.has('detached')) window.detach = window.resumable.attach(window.chat);
window.chat.setOptions({ api: { url: `${api}/chatkit`, fetch: window.resumable, domainKey: 'none' }, initialThread: location.hash.slice(1) || null });
window.ready = true;
