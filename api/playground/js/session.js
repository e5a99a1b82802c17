/** Who is signed in, and every request that the page makes. */

import { createResumableFetch } from '../resumable-fetch.js';

const KEY = 'playground.session';
const listeners = { state: new Set(), frame: new Set() };

let session = read();

/** The name of whoever is signed in, or null. */
export const user = () => session?.user ?? null;

/** Called with what the resumable fetch tells: 'state' or 'frame'. */
export function on(kind, listener) {
  listeners[kind].add(listener);
}

export const request = createResumableFetch({
  getToken: ({ refused }) => (refused && session?.dev ? renewed() : session?.token),
  onState: (state) => listeners.state.forEach((listener) => listener(state)),
  onFrame: (frame) => listeners.frame.forEach((listener) => listener(frame)),
});

/** How this system is set up: whether it hands out tokens, the key of the component's domain. */
export async function offers() {
  const response = await fetch('playground.json');
  return response.ok ? response.json() : { dev_token: false };
}

/** The models that a message may ask for, the default one first; that is '' where the server keeps it to itself. */
export async function models() {
  const { data, default: usual } = await json('api/models').catch(() => ({ data: [] }));
  const others = data.map((one) => one.id).filter((id) => id !== usual);
  return [usual ?? '', ...others];
}

/** Sign in by a name, where the system hands out tokens to anyone. */
export async function signIn(name) {
  const { token } = await json('dev/token', { method: 'POST', body: { user: name } });
  keep({ user: name, token, dev: true });
}

/** Sign in with a token from elsewhere. */
export async function signInWith(token) {
  keep({ user: subject(token), token, dev: false });
  await json('api/conversations?limit=1').catch((error) => {
    signOut();
    throw error;
  });
}

export function signOut() {
  session = null;
  localStorage.removeItem(KEY);
}

/** A ChatKit request that is answered with a stream. */
export function stream(type, params, signal) {
  return request('chatkit', { ...posted({ type, params }), signal });
}

/** A ChatKit request that is answered at once. */
export function ask(type, params) {
  return json('chatkit', { method: 'POST', body: { type, params } });
}

/** Any request for JSON. Throws Refused with words for the user. */
export async function json(path, { method = 'GET', body } = {}) {
  const response = await request(path, body ? { ...posted(body), method } : { method }).catch(() => null);
  if (response === null) throw new Refused('offline', 'The server cannot be reached just now.');
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(answer.type, answer.detail ?? answer.title ?? 'The server said no.', response.status);
  return answer;
}

export class Refused extends Error {
  constructor(type, message, status = 0) {
    super(message);
    this.type = type;
    this.status = status;
  }

  /** The server does not know this kind of request. */
  get unsupported() {
    return this.type === 'unknown-type' || this.status === 405;
  }
}

function posted(body) {
  return { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
}

async function renewed() {
  const response = await fetch('dev/token', posted({ user: session.user }));
  if (response.ok) keep({ ...session, token: (await response.json()).token });
  return session.token;
}

function keep(next) {
  session = next;
  localStorage.setItem(KEY, JSON.stringify(next));
}

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY));
  } catch {
    return null;
  }
}

/** The name in a token; only for show, the server alone decides what it is worth. */
function subject(token) {
  try {
    const claims = JSON.parse(atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/')));
    return String(claims.sub ?? claims.id ?? 'you');
  } catch {
    return 'you';
  }
}
