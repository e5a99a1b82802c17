/** The inline part of markdown, as DOM nodes. Nothing a model says becomes markup: text stays text. */

import { h } from './dom.js';

const LINKS = /^(https?:|mailto:)/i;

const RULES = [
  [/^\\([\\`*_{}[\]()#+\-.!~|<>])/, (m) => m[1]],
  [/^(`+)([^`]|[^`][\s\S]*?[^`])\1(?!`)/, (m) => h('code', {}, m[2].replace(/\n/g, ' ').replace(/^ (.*[^ ].*) $/, '$1'))],
  [/^!?\[((?:[^[\]\\]|\\.|\[[^\]]*\])*)\]\(\s*<?([^\s<>()]*(?:\([^\s()]*\)[^\s<>()]*)*)>?(?:\s+["'(][^)]*["')])?\s*\)/, link],
  [/^<((?:https?:\/\/|mailto:)[^\s<>]+)>/i, (m) => anchor(m[1], [m[1]])],
  [/^https?:\/\/[^\s<>"'`\]]*[^\s<>"'`\].,:;!?*_~)]/i, (m) => anchor(m[0], [m[0]])],
  [/^\*\*\*(?=\S)([^*]*[^\s*])\*\*\*/, (m) => h('strong', {}, h('em', {}, inline(m[1])))],
  [/^(\*\*|__)(?=\S)([\s\S]*?\S)\1/, (m) => h('strong', {}, inline(m[2]))],
  [/^~~(?=\S)([\s\S]*?\S)~~/, (m) => h('del', {}, inline(m[1]))],
  [/^\*(?=[^\s*])([^*]*[^\s*])\*(?!\*)/, (m) => h('em', {}, inline(m[1]))],
  [/^_(?=[^\s_])([^_]*?[^\s_])_(?![\w_])/, (m) => h('em', {}, inline(m[1]))],
  [/^(?: {2,}|\\)\n/, () => h('br')],
];

/** Where a rule could begin: everything up to there is plain text. */
const PLAIN = /^(?:[^\\`*_~[!<\nh ]+|[\s\S])/;

/** The nodes and strings of one run of text. */
export function inline(text) {
  const nodes = [];
  let rest = text, plain = '', before = '';
  while (rest) {
    const [match, make] = first(rest, before);
    if (match) {
      if (plain) nodes.push(plain);
      plain = '';
      nodes.push(make(match));
      before = match[0].at(-1);
      rest = rest.slice(match[0].length);
    } else {
      const [piece] = PLAIN.exec(rest);
      plain += piece;
      before = piece.at(-1);
      rest = rest.slice(piece.length);
    }
  }
  if (plain) nodes.push(plain);
  return nodes;
}

function first(text, before) {
  const insideWord = /[\p{L}\p{N}]/u.test(before);
  for (const [pattern, make] of RULES) {
    if (insideWord && (text[0] === '_' || text[0] === 'h')) continue;
    const match = pattern.exec(text);
    if (match) return [match, make];
  }
  return [];
}

/** An image is shown as a link: a picture from elsewhere would tell its server who is reading. */
function link(match) {
  return anchor(match[2], inline(match[1] || match[2]));
}

function anchor(address, children) {
  if (!LINKS.test(address)) return h('span', {}, children);
  return h('a', { href: address, target: '_blank', rel: 'noopener noreferrer nofollow' }, children);
}
