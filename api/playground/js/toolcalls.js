/** What tools were called with, and what they answered: ChatKit's own events show only a title of it. */

import { events } from './events.js';
import { json, request } from './session.js';

/** The calls of a conversation's finished answers: lists of `{ name, args, result }` by the id of their message. */
export async function stored(conversation) {
  const calls = new Map();
  let after = '';
  do {
    const page = await json(`api/conversations/${conversation}/messages?limit=100${after}`);
    for (const message of page.data) if (message.tool_calls?.length) calls.set(message.id, message.tool_calls);
    after = page.has_more ? `&after=${page.after}` : '';
  } while (after);
  return calls;
}

/** The first `count` calls of a running answer, read from its own log in the simple dialect. */
export async function running(run, count) {
  const leave = new AbortController();
  const response = await request(`runs/${run}/events?dialect=simple`, { signal: leave.signal });
  const started = [], calls = [];
  if (!response.ok) return calls;
  for await (const { data, end } of events(response)) {
    if (data?.type === 'tool_call') started.push(data);
    if (data?.type === 'tool_result') {
      const at = started.findIndex((call) => call.name === data.name);
      const [call] = at === -1 ? [] : started.splice(at, 1);
      calls.push({ name: data.name, args: call?.args, result: data.result });
    }
    if (calls.length >= count || end !== undefined) break;
  }
  leave.abort();
  return calls;
}

/** The call that a task of a workflow shows: the one about the same things, else the next in order. */
export function callOf(task, calls) {
  const about = (call) => Object.values(call.args ?? {}).map(String).join(', ');
  const at = calls.findIndex((call) => (task.content ?? '') === about(call));
  return calls.splice(Math.max(at, 0), 1)[0];
}
