/** Building the page: elements from plain values, never from markup. */

/** `h('button.primary', { onclick, 'aria-label': '…' }, 'text', child, null)`. */
export function h(selector, properties = {}, ...children) {
  const [tag, ...classes] = selector.split('.');
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(' ');
  for (const [name, value] of Object.entries(properties)) set(element, name, value);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** One property: a listener, a boolean or text attribute; null takes it away. */
export function set(element, name, value) {
  if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
  else if (name === 'value') element.value = value;
  else if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? '' : value);
}

const PATHS = {
  alert: 'M12 8v5m0 3.2v.1M12 3.5 2.8 19.5h18.4z',
  attach: 'm20 11-8.6 8.6a5 5 0 0 1-7-7l8.5-8.6a3.3 3.3 0 0 1 4.7 4.7l-8.5 8.5a1.7 1.7 0 0 1-2.4-2.4L14.5 7',
  bars: 'M4 7h16M4 12h16M4 17h10',
  check: 'm5 12.5 4.5 4.5L19 7.5',
  chevron: 'm9 6 6 6-6 6',
  circle: 'M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16z',
  close: 'm6 6 12 12M18 6 6 18',
  code: 'm8 7-5 5 5 5m8-10 5 5-5 5',
  copy: 'M9 9h10v10H9zM5 15V5h10',
  done: 'M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zm-3.5 8.2 2.5 2.5 4.6-5',
  thumb: 'M6.5 20h-2v-9h4l4-7.5c1.5.4 2.2 1.5 2 3L14 9.5h5c1.2 0 1.8.9 1.6 2l-1.3 6.5c-.2 1.2-1 2-2.2 2H8.5',
  edit: 'm4 20 .8-4L16 4.8 19.2 8 8 19.2zM14 7l3 3',
  file: 'M7 3.5h7l4 4v13H7zM14 3.5v4h4',
  list: 'M9 7h11M9 12h11M9 17h11M4.5 7h.1M4.5 12h.1M4.5 17h.1',
  loading: 'M12 4a8 8 0 1 1-8 8',
  moon: 'M20 14.5A8.2 8.2 0 1 1 9.5 4a6.6 6.6 0 0 0 10.5 10.5z',
  out: 'M14 8V5H5v14h9v-3m-4-4h11m-3.5-3.5L21 12l-3.5 3.5',
  plus: 'M12 5v14M5 12h14',
  retry: 'M19.5 12a7.5 7.5 0 1 1-2.2-5.3L19.5 9m0-4.5V9H15',
  search: 'M10.5 4.5a6 6 0 1 0 0 12 6 6 0 0 0 0-12zm4.5 10.5 5 5',
  send: 'M12 19V5m-6 6 6-6 6 6',
  stop: 'M8 8h8v8H8z',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zm0-5v1.5m0 15V21M3 12h1.5m15 0H21M5.6 5.6l1.1 1.1m10.6 10.6 1.1 1.1m0-12.8-1.1 1.1M6.7 17.3l-1.1 1.1',
  trash: 'M5 7h14M10 7V4.5h4V7m-7.5 0 .9 12.5h9.2L17.5 7M10.5 11v5m3-5v5',
};

/** An icon; it says nothing to a screen reader, its button does. */
export function icon(name, extra = '') {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  for (const [key, value] of Object.entries({ viewBox: '0 0 24 24', class: `glyph ${extra}`, 'aria-hidden': 'true' })) {
    svg.setAttribute(key, value);
  }
  const stroke = { fill: 'none', stroke: 'currentColor', 'stroke-width': '1.7', 'stroke-linecap': 'round', 'stroke-linejoin': 'round' };
  for (const [key, value] of Object.entries({ d: PATHS[name], ...stroke })) path.setAttribute(key, value);
  svg.append(path);
  return svg;
}

/** A button that is only an icon, named for those who do not see it. */
export function iconButton(name, label, onclick, extra = '') {
  return h(`button.icon.quiet${extra}`, { type: 'button', 'aria-label': label, title: label, onclick }, icon(name));
}

/** Tell a screen reader. */
export function announce(text) {
  document.getElementById('announcer').textContent = text;
}
