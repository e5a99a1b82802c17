/** The chat page: the conversation in the middle, and everything around it that listens to it. */

import { Composer } from './composer.js';
import { h, icon, iconButton } from './dom.js';
import { Drawer } from './drawer.js';
import { models, on } from './session.js';
import { Sidebar } from './sidebar.js';
import { Tasks } from './tasks.js';
import { themeButton } from './theme.js';
import { Thread } from './thread.js';

const SUGGESTIONS = ['Add buy milk', 'What is on my list?', 'Think about the sea', 'Tell me a long story'];
const TABS = new BroadcastChannel('playground');

export function chatPage(leave) {
  const title = h('h1', {}, 'New conversation');
  const line = lineState();
  const scroll = h('div.scroll', { tabindex: '0', role: 'region', 'aria-label': 'Messages' });
  const welcome = h('section.welcome', {},
    h('h2', {}, 'What would you like to do?'),
    h('p', {}, 'Ask for something, then pull the plug: reload, go offline, close the tab. The answer goes on without you, and you come back to it where it is.'),
    h('div.suggestions', {}, SUGGESTIONS.map((text) => h('button', { type: 'button', onclick: () => composer.say(text) }, text))));

  const thread = new Thread({
    busy: (busy) => { composer.busy = busy; },
    asked: (id) => TABS.postMessage({ changed: id }),
    created: ({ id, title: name }) => {
      location.replace(`#/c/${id}`);
      head(id, name);
      sidebar.refresh();
      TABS.postMessage({ changed: id });
    },
    renamed: ({ id, title: name }) => {
      head(id, name);
      sidebar.refresh();
    },
    attached: () => thread.transcript.say('passing', 'Re-attached to a running answer'),
    worked: () => tasks.refresh(),
    ended: () => {
      tasks.refresh();
      sidebar.refresh();
      TABS.postMessage({ changed: thread.id });
    },
    grown: () => {
      welcome.hidden = thread.id !== null || thread.busy || !thread.transcript.empty;
      follow();
    },
  });
  const complain = (text) => thread.transcript.say('warning', text);
  const composer = new Composer({
    models: models(),
    send: (text, files, model) => {
      welcome.hidden = pinned = true;
      return thread.say(text, files, model);
    },
    stop: () => thread.stop(),
    complain,
  });
  const sidebar = new Sidebar({
    open: () => menu(false),
    fresh: () => {
      location.hash = '';
      menu(false);
      composer.focus();
    },
    deleted: (id) => { if (id === thread.id) location.hash = ''; },
    renamed: ({ id, title: name }) => { if (id === thread.id) head(id, name); },
    leave,
    close: () => menu(false),
    complain,
    theme: themeButton(),
  });
  const tasks = new Tasks(() => toggle(tasks, tasksButton));
  const drawer = new Drawer(() => toggle(drawer, drawerButton));
  const tasksButton = iconButton('list', 'Your list', () => toggle(tasks, tasksButton));
  const drawerButton = iconButton('code', 'For developers', () => toggle(drawer, drawerButton));
  const menuButton = iconButton('bars', 'Conversations', () => menu(true), '.menu');

  let pinned = true;
  scroll.addEventListener('scroll', () => { pinned = scroll.scrollTop + scroll.clientHeight > scroll.scrollHeight - 80; });
  const follow = () => { if (pinned) scroll.scrollTop = scroll.scrollHeight; };

  function head(id, name) {
    title.textContent = name ?? 'New conversation';
    document.title = name ? `${name} · Playground` : 'Playground';
    sidebar.show(id);
  }

  function toggle(panel, button, shown = panel.element.hidden) {
    panel.element.hidden = !shown;
    panel.follow?.();
    button.setAttribute('aria-pressed', String(shown));
    button.setAttribute('aria-expanded', String(shown));
  }

  function menu(shown) {
    shell.toggleAttribute('data-menu', shown);
    if (!shown) menuButton.focus?.();
  }

  async function open() {
    const id = /^#\/c\/(\w+)$/.exec(location.hash)?.[1] ?? null;
    if (id === thread.id) return;
    pinned = true;
    if (id === null) {
      thread.clear();
      head(null, null);
      return;
    }
    try {
      const conversation = await thread.load(id);
      if (conversation) head(id, conversation.title);
    } catch (error) {
      if (error.status === 401) leave();
      head(null, null);
      complain(error.status === 404 ? 'There is no such conversation.' : error.message);
    }
  }

  function keys(event) {
    if ((event.ctrlKey || event.metaKey) && event.key === 'k') {
      event.preventDefault();
      menu(true);
      sidebar.focusSearch();
    } else if (event.key === 'Escape' && shell.hasAttribute('data-menu')) {
      menu(false);
    } else if (event.key === '/' && !/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName)) {
      event.preventDefault();
      composer.focus();
    }
  }

  const shell = h('div.shell', {}, sidebar.element, h('div.veil', { onclick: () => menu(false) }),
    h('main.chat', {},
      h('header.bar', {}, menuButton, title, line, drawerButton, tasksButton),
      scroll, composer.element),
    tasks.element, drawer.element);
  scroll.append(h('div.column', {}, welcome, thread.transcript.element));

  toggle(tasks, tasksButton, matchMedia('(width > 70rem)').matches);
  toggle(drawer, drawerButton, false);
  on('state', ({ state }) => { if (state === 'reattached') thread.transcript.say('passing', 'Re-attached: nothing was lost'); });
  addEventListener('hashchange', open);
  addEventListener('keydown', keys);
  addEventListener('focus', () => thread.refresh());
  document.addEventListener('visibilitychange', () => document.hidden || thread.refresh());
  TABS.addEventListener('message', ({ data }) => {
    sidebar.refresh();
    tasks.refresh();
    if (data.changed === thread.id) thread.refresh();
  });
  sidebar.refresh();
  tasks.refresh();
  open();
  queueMicrotask(() => composer.focus());
  return shell;
}

/** How the line is, in a word. */
function lineState() {
  const words = { streaming: 'Live', reconnecting: 'Reconnecting', reattached: 'Re-attached' };
  const element = h('span.line', { hidden: true });
  on('state', ({ state }) => {
    element.hidden = !(state in words);
    element.dataset.state = state;
    element.textContent = words[state] ?? '';
  });
  return element;
}
