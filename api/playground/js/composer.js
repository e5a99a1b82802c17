/** The box one writes in: text, files, the model, Send and Stop. */

import { h, icon, iconButton } from './dom.js';
import { file } from './items.js';
import { upload } from './uploads.js';

export class Composer {
  #files = [];
  #busy = false;

  /** `send(text, attachments, model)` gives whether the server took it; `complain(text)` shows what went wrong. */
  constructor({ send, stop, complain, models }) {
    Object.assign(this, { send, stop, complain });
    this.text = h('textarea', { id: 'composer', rows: '1', placeholder: 'Write a message', 'aria-label': 'Message' });
    this.chips = h('div.files', { hidden: true });
    this.picker = h('input', { type: 'file', multiple: true, hidden: true, onchange: () => this.#add(this.picker.files) });
    this.attach = iconButton('attach', 'Attach files', () => this.picker.click());
    this.model = h('select', { 'aria-label': 'Model', hidden: true });
    models.then((names) => this.#choices(names));
    this.button = h('button.primary.icon.send', { type: 'submit' });
    this.box = h('form.box', { onsubmit: (event) => this.#submit(event) }, this.chips, this.text,
      h('div.tools', {}, this.attach, this.picker, this.model, h('span.space'), this.button));
    this.element = h('div.composer', {}, h('div.column', {}, this.box,
      h('p.hint', {}, 'Enter sends · Shift and Enter for a new line · Esc stops')));
    this.text.addEventListener('input', () => this.#grow());
    this.text.addEventListener('keydown', (event) => this.#key(event));
    this.text.addEventListener('paste', (event) => event.clipboardData.files.length && this.#add(event.clipboardData.files));
    this.#drops();
    this.busy = false;
  }

  /** While an answer is coming the button stops it. */
  set busy(busy) {
    this.#busy = busy;
    this.button.replaceChildren(icon(busy ? 'stop' : 'send'));
    this.button.setAttribute('aria-label', busy ? 'Stop' : 'Send');
    this.button.title = busy ? 'Stop' : 'Send';
  }

  focus() {
    this.text.focus();
  }

  /** Put these words in the box and send them. */
  say(text) {
    this.text.value = text;
    this.box.requestSubmit();
  }

  async #submit(event) {
    event.preventDefault();
    if (this.#busy) return this.stop();
    const [text, files] = [this.text.value.trim(), this.#files];
    if (!text && !files.length) return undefined;
    if (files.some((one) => !one.id)) return this.complain('A file is still on its way. Send again in a moment.');
    this.#fill('', []);
    const model = this.model.selectedIndex > 0 ? this.model.value : null;
    // What was not taken comes back, unless something else has been written meanwhile.
    if (!(await this.send(text, files, model)) && !this.text.value) this.#fill(text, files);
    return undefined;
  }

  /** A choice of models; without one, or where the server decides, there is nothing to choose. */
  #choices(names) {
    this.model.hidden = names.length < 2;
    this.model.replaceChildren(...names.map((name) => h('option', { value: name }, name.replace(/^.*\//, '') || 'Usual model')));
  }

  #fill(text, files) {
    this.text.value = text;
    this.#files = files;
    this.#grow();
    this.#show();
  }

  #grow() {
    this.text.style.height = 'auto';
    this.text.style.height = `${this.text.scrollHeight}px`;
  }

  #key(event) {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      if (!this.#busy) this.box.requestSubmit();
    } else if (event.key === 'Escape' && this.#busy) {
      this.stop();
    }
  }

  #drops() {
    const over = (event) => {
      if (!event.dataTransfer.types.includes('Files')) return;
      event.preventDefault();
      this.box.classList.add('dropping');
    };
    this.box.addEventListener('dragover', over);
    this.box.addEventListener('dragleave', () => this.box.classList.remove('dropping'));
    this.box.addEventListener('drop', (event) => {
      event.preventDefault();
      this.box.classList.remove('dropping');
      this.#add(event.dataTransfer.files);
    });
  }

  async #add(list) {
    const added = [...list].map((one) => ({ name: one.name, source: one }));
    this.picker.value = '';
    this.#files = [...this.#files, ...added];
    this.#show();
    for (const one of added) {
      try {
        Object.assign(one, await upload(one.source));
      } catch (error) {
        this.#files = this.#files.filter((other) => other !== one);
        if (error.unsupported) this.attach.hidden = true;
        this.complain(error.unsupported ? 'This server takes no files.' : error.message);
      }
      this.#show();
    }
  }

  #show() {
    const chip = (one) => {
      const remove = iconButton('close', `Remove ${one.name}`, () => {
        this.#files = this.#files.filter((other) => other !== one);
        this.#show();
      }, '.small');
      const element = file(one, remove);
      element.setAttribute('aria-busy', String(!one.id));
      return element;
    };
    this.chips.replaceChildren(...this.#files.map(chip));
    this.chips.hidden = !this.#files.length;
  }
}
