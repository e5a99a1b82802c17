/** The page: what is where, and who tells whom. */

import { applyTheme } from './theme.js';
import { chatPage } from './page.js';
import { offers, signOut, user } from './session.js';
import { signInPage } from './signin.js';

applyTheme();

async function start() {
  const app = document.getElementById('app');
  const offered = await offers();
  const show = () => {
    app.replaceChildren(user() ? chatPage(leave) : signInPage(offered, show));
  };
  const leave = () => {
    signOut();
    location.hash = '';
    location.reload();
  };
  show();
}

start();
