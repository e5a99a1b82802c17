/** A thread's items, as its events make them: what the page shows is always this fold of what it was told. */

export class Fold {
  /** Items by id, in order; `open` holds the ids that are still being written. */
  items = new Map();
  open = new Set();

  /** Start from a thread as it was loaded. */
  load(items) {
    this.items = new Map(items.map((item) => [item.id, item]));
    this.open.clear();
  }

  /** Take one event; the id of the item that it changed, if it changed one. */
  apply(event) {
    switch (event.type) {
      case 'thread.item.added':
        return this.#put(event.item, true);
      case 'thread.item.done':
      case 'thread.item.replaced':
        return this.#put(event.item, false);
      case 'thread.item.removed':
        this.items.delete(event.item_id);
        this.open.delete(event.item_id);
        return event.item_id;
      case 'thread.item.updated': {
        const item = this.items.get(event.item_id);
        if (item) update(item, event.update);
        return event.item_id;
      }
      default:
        return null;
    }
  }

  #put(item, open) {
    this.items.set(item.id, item);
    this.open[open ? 'add' : 'delete'](item.id);
    return item.id;
  }
}

function update(item, change) {
  switch (change.type) {
    case 'assistant_message.content_part.added':
    case 'assistant_message.content_part.done':
      part(item, change.content_index);
      item.content[change.content_index] = change.content;
      break;
    case 'assistant_message.content_part.text_delta':
      part(item, change.content_index).text += change.delta;
      break;
    case 'assistant_message.content_part.annotation_added':
      (part(item, change.content_index).annotations ??= []).splice(change.annotation_index, 0, change.annotation);
      break;
    case 'workflow.task.added':
    case 'workflow.task.updated':
      item.workflow.tasks[change.task_index] = change.task;
      break;
    case 'widget.root.updated':
      item.widget = change.widget;
      break;
    case 'generated_image.updated':
      item.image = change.image;
      break;
    default:
      break;
  }
}

function part(item, index) {
  item.content ??= [];
  while (item.content.length <= index) item.content.push({ type: 'output_text', text: '', annotations: [] });
  return item.content[index];
}

/** The words in an item, for reading, copying and comparing. */
export function words(item) {
  return (item.content ?? []).map((one) => one.text ?? '').join('');
}
