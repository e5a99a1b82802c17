/** Server-sent events out of a response's body, as they come. */

/** Each frame of the stream: `{ id, data, end }`; `data` is parsed JSON where there is any. */
export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (let text = ''; ;) {
      const { value, done } = await reader.read();
      if (done) return;
      const frames = (text + value).split('\n\n');
      text = frames.pop();
      yield* frames.map(parsed);
    }
  } finally {
    reader.releaseLock();
  }
}

/** One frame's parts. */
export function parsed(frame) {
  const id = /^id: ?(.+)$/m.exec(frame)?.[1];
  const end = /^: end ?(\w*)/m.exec(frame)?.[1];
  const data = /^data: ?(.+)$/m.exec(frame)?.[1];
  return { id, end, comment: frame.startsWith(':') ? frame.slice(1).trim() : undefined, data: data && object(data) };
}

function object(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
