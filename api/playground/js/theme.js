/** Dark or light: as the system has it, until one says otherwise. */

import { icon, iconButton } from './dom.js';

const KEY = 'playground.theme';

/** Apply what was chosen before. */
export function applyTheme() {
  const chosen = localStorage.getItem(KEY);
  if (chosen) document.documentElement.dataset.theme = chosen;
}

/** The button that goes to the other one. */
export function themeButton() {
  const dark = () => document.documentElement.dataset.theme === 'dark'
    || (!document.documentElement.dataset.theme && matchMedia('(prefers-color-scheme: dark)').matches);
  const button = iconButton('moon', 'Dark', () => {
    localStorage.setItem(KEY, dark() ? 'light' : 'dark');
    applyTheme();
    show();
  });
  const show = () => {
    button.replaceChildren(icon(dark() ? 'sun' : 'moon'));
    button.title = dark() ? 'Light colours' : 'Dark colours';
    button.setAttribute('aria-label', button.title);
  };
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', show);
  show();
  return button;
}
