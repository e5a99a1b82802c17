/** What each kind of item looks like. A view is an element that can be brought up to date. */

import { h, icon, iconButton, announce } from './dom.js';
import { words } from './fold.js';
import { render } from './markdown.js';
import { steps } from './steps.js';

/** The element of an item, or null for one that shows nothing; `context` says what can be done with it. */
export function view(item, context) {
  const make = KINDS[item.type];
  return make ? make(item, context) : null;
}

const KINDS = {
  user_message: userMessage,
  assistant_message: assistantMessage,
  workflow: steps,
  task: (item, context) => steps({ ...item, workflow: { type: 'custom', tasks: [item.task] } }, context),
  client_tool_call: clientToolCall,
  generated_image: generatedImage,
  widget: widget,
  structured_input: structuredInput,
};

function article(kind, label, ...children) {
  const element = h(`article.message.${kind}`, { 'aria-label': label }, ...children);
  element.update = () => {};
  return element;
}

function userMessage(item, context) {
  const files = (item.attachments ?? []).map(file);
  const tools = h('div.actions', {}, iconButton('copy', 'Copy', () => copy(words(item)), '.small'));
  return article('user', 'You said',
    item.quoted_text ? h('p.quoted', {}, item.quoted_text) : null,
    files.length ? h('div.files', {}, files) : null,
    words(item) ? h('p.words', {}, words(item)) : null,
    context.actions ? tools : null);
}

/** An attachment, with its picture where it is one. */
export function file(attachment, remove) {
  const picture = attachment.preview_url && h('img', { src: attachment.preview_url, alt: '' });
  return h('span.file', {}, picture || icon('file'), h('span.name', {}, attachment.name), remove);
}

function assistantMessage(item, context) {
  const prose = h('div.prose');
  const sources = h('div.files');
  const tools = h('div.actions', { hidden: true });
  const element = article('assistant', 'The answer', prose, sources, tools);
  element.update = (now, open) => {
    render(prose, words(now));
    prose.hidden = !words(now);
    sources.replaceChildren(...(now.content ?? []).flatMap((part) => part.annotations ?? []).map(source));
    element.toggleAttribute('data-open', open);
    element.setAttribute('aria-busy', String(open));
    if (!open && tools.hidden && words(now)) {
      tools.hidden = false;
      tools.append(...actions(now, context));
    }
  };
  element.update(item, context.open);
  return element;
}

function source({ source: { title, url } }) {
  const safe = /^https?:/i.test(url ?? '') ? url : null;
  const name = title || url || 'Source';
  return safe ? h('a.file', { href: safe, target: '_blank', rel: 'noopener noreferrer' }, icon('file'), name) : h('span.file', {}, icon('file'), name);
}

function actions(item, context) {
  const rate = (kind, button, other) => async () => {
    if (!(await context.rate(item.id, kind))) return;
    button.setAttribute('aria-pressed', 'true');
    other.setAttribute('aria-pressed', 'false');
    announce('Thank you for your feedback');
  };
  const good = iconButton('thumb', 'A good answer', () => rate('positive', good, bad)(), '.small');
  const bad = iconButton('thumb', 'A bad answer', () => rate('negative', bad, good)(), '.small.turned');
  return [
    iconButton('copy', 'Copy', () => copy(words(item)), '.small'),
    ...(context.can('feedback') ? [good, bad] : []),
    ...(context.can('retry') ? [iconButton('retry', 'Answer again', () => context.retry(item.id), '.small')] : []),
  ];
}

async function copy(text) {
  await navigator.clipboard?.writeText(text).catch(() => {});
  announce('Copied');
}

function clientToolCall(item) {
  const element = article('assistant', 'A tool of the page');
  element.update = (now) => {
    const call = { name: now.name, args: now.arguments, result: now.output };
    element.replaceChildren(steps.of([{ title: now.name, call, status: now.status === 'pending' ? 'loading' : 'complete' }]));
  };
  element.update(item);
  return element;
}

function generatedImage(item) {
  const element = article('assistant', 'A picture');
  element.update = (now) => {
    const picture = now.image && h('img', { src: now.image.url, alt: 'Made by the model' });
    element.replaceChildren(picture || h('p.progress', {}, 'Drawing …'));
  };
  element.update(item);
  return element;
}

/** Widgets are the component's: here only their words are shown. */
function widget(item) {
  const element = article('assistant', 'A widget');
  element.update = (now) => {
    const text = now.copy_text || texts(now.widget).join('\n');
    element.replaceChildren(h('div.note', {}, icon('list'), h('span.words', {}, text || 'A widget, which only the ChatKit component can draw.')));
  };
  element.update(item);
  return element;
}

function texts(node) {
  if (Array.isArray(node)) return node.flatMap(texts);
  if (!node || typeof node !== 'object') return [];
  const own = ['value', 'label', 'title'].map((name) => node[name]).filter((text) => typeof text === 'string');
  return [...own, ...texts(node.children)];
}

function structuredInput(item, context) {
  const element = article('assistant', 'Questions');
  element.update = (now) => element.replaceChildren(now.status === 'pending' ? questions(now, context) : answers(now));
  element.update(item);
  return element;
}

function answers(item) {
  const said = (input) => input.answer?.values?.join(', ') || 'skipped';
  return h('dl.note', {}, item.inputs.map((input) => h('div', {}, h('dt', {}, input.question), h('dd', {}, said(input)))));
}

function questions(item, context) {
  const form = h('form.questions', {}, item.inputs.map(question), h('button.primary', { type: 'submit' }, 'Answer'));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const given = new FormData(form);
    const values = (input) => given.getAll(input.id).filter(Boolean);
    const submitted = item.inputs.map((input) => [input.id, { values: values(input), skipped: !values(input).length }]);
    context.answer(item.id, { status: 'answered', answers: Object.fromEntries(submitted) });
  });
  return form;
}

function question(input) {
  if (input.type !== 'multiple_choice') return h('label', {}, input.question, h('input', { name: input.id }));
  const type = input.multiple ? 'checkbox' : 'radio';
  return h('fieldset', {}, h('legend', {}, input.question),
    input.options.map(({ value }) => h('label', {}, h('input', { type, name: input.id, value }), value)));
}
