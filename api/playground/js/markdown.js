/** Markdown as DOM, block by block, so that a growing answer only touches its last block. */

import { h, iconButton, announce } from './dom.js';
import { inline } from './inline.js';

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^\s`]*)[^`]*$/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;
const RULE = /^ {0,3}(?:(?:\*\s*){3,}|(?:-\s*){3,}|(?:_\s*){3,})$/;
const QUOTE = /^ {0,3}> ?/;
const BULLET = /^( *)([-*+]|\d{1,9}[.)])( +|$)/;
const TABLE_LINE = /^ {0,3}\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;
const DEEPEST = 8;

/** Show `text` in `element`, which keeps the blocks that have not changed since the last time. */
export function render(element, text) {
  const shown = (element.blocks ??= []);
  const wanted = blocks(text);
  let same = 0;
  while (same < shown.length && same < wanted.length && shown[same] === wanted[same].source) same += 1;
  while (element.childNodes.length > same) element.lastChild.remove();
  for (const block of wanted.slice(same)) element.append(block.make());
  element.blocks = wanted.map((block) => block.source);
}

/** The blocks of a text: what each was made from, and how to make it. */
function blocks(text, depth = 0) {
  const lines = text.replace(/\r\n?/g, '\n').replace(/\t/g, '    ').split('\n');
  const found = [];
  let at = 0;
  while (at < lines.length) {
    if (!lines[at].trim()) {
      at += 1;
      continue;
    }
    const [length, make] = block(lines.slice(at), depth);
    found.push({ source: lines.slice(at, at + length).join('\n'), make });
    at += length;
  }
  return found;
}

/** [how many lines the first block takes, what makes it]. */
function block(lines, depth) {
  const fence = FENCE.exec(lines[0]);
  if (fence) return code(lines, fence);
  const heading = HEADING.exec(lines[0]);
  if (heading) return [1, () => h(`h${heading[1].length}`, {}, inline(heading[2]))];
  if (RULE.test(lines[0])) return [1, () => h('hr')];
  if (depth < DEEPEST && QUOTE.test(lines[0])) return quote(lines, depth);
  if (depth < DEEPEST && BULLET.test(lines[0])) return list(lines, depth);
  if (lines.length > 1 && lines[0].includes('|') && TABLE_LINE.test(lines[1])) return table(lines);
  const length = 1 + count(lines.slice(1), (line) => line.trim() && !interrupts(line));
  return [length, () => h('p', {}, inline(lines.slice(0, length).map((line) => line.trimStart()).join('\n')))];
}

const interrupts = (line) => FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || BULLET.test(line);

function count(lines, holds) {
  const end = lines.findIndex((line) => !holds(line));
  return end === -1 ? lines.length : end;
}

function nested(text, depth) {
  return blocks(text, depth + 1).map((one) => one.make());
}

function code(lines, [, mark, language]) {
  const end = new RegExp(`^ {0,3}${mark[0]}{${mark.length},}\\s*$`);
  const inside = count(lines.slice(1), (line) => !end.test(line));
  const text = lines.slice(1, 1 + inside).join('\n');
  const copy = async () => {
    await navigator.clipboard?.writeText(text);
    announce('Copied');
  };
  const make = () => h('pre', { tabindex: '0', 'aria-label': language ? `${language} code` : 'code' },
    h('code', {}, text), iconButton('copy', 'Copy the code', copy, '.small.copy'));
  return [Math.min(inside + 2, lines.length), make];
}

function quote(lines, depth) {
  const length = count(lines, (line) => QUOTE.test(line));
  const inside = lines.slice(0, length).map((line) => line.replace(QUOTE, '')).join('\n');
  return [length, () => h('blockquote', {}, nested(inside, depth))];
}

function list(lines, depth) {
  const [, indent, mark] = BULLET.exec(lines[0]);
  const ordered = /\d/.test(mark);
  const items = [];
  let at = 0;
  while (at < lines.length) {
    const bullet = BULLET.exec(lines[at]);
    const deeper = lines[at].search(/\S/) > indent.length + 1;
    if (bullet && !deeper && /\d/.test(bullet[2]) === ordered) items.push([lines[at].slice(bullet[0].length)]);
    else if (deeper || (lines[at].trim() && lines[at - 1]?.trim() && !interrupts(lines[at]))) items.at(-1).push(lines[at]);
    else if (!lines[at].trim() && continues(lines.slice(at + 1), indent.length, ordered)) items.at(-1).push('');
    else break;
    at += 1;
  }
  const start = ordered && Number.parseInt(mark, 10) !== 1 ? { start: Number.parseInt(mark, 10) } : {};
  return [at, () => h(ordered ? 'ol' : 'ul', start, items.map((item) => h('li', {}, listItem(item, depth))))];
}

/** Whether a list goes on after a blank line. */
function continues(lines, indent, ordered) {
  const next = lines.find((line) => line.trim());
  const bullet = next && BULLET.exec(next);
  return Boolean(next) && (next.search(/\S/) > indent + 1 || Boolean(bullet && /\d/.test(bullet[2]) === ordered));
}

function listItem(lines, depth) {
  const margin = Math.min(...lines.slice(1).filter((line) => line.trim()).map((line) => line.search(/\S/)));
  const text = [lines[0], ...lines.slice(1).map((line) => line.slice(Number.isFinite(margin) ? margin : 0))].join('\n');
  const made = nested(text, depth);
  const tight = made.length > 0 && made[0].tagName === 'P' && !text.includes('\n\n');
  return tight ? [...made[0].childNodes, ...made.slice(1)] : made;
}

function table(lines) {
  const length = 2 + count(lines.slice(2), (line) => line.includes('|'));
  const cells = (line) => line.trim().replace(/^\||\|$/g, '').split(/(?<!\\)\|/).map((cell) => inline(cell.trim()));
  const row = (tag, line) => h('tr', {}, cells(line).map((cell) => h(tag, {}, cell)));
  const make = () => h('div.table', { tabindex: '0' }, h('table', {},
    h('thead', {}, row('th', lines[0])), h('tbody', {}, lines.slice(2, length).map((line) => row('td', line)))));
  return [length, make];
}
