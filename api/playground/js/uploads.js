/** Files on their way to the server, in two phases: announced by the protocol, then sent where it says. */

import { ask, Refused, request } from './session.js';

/** The attachment that the server has made of a file. Throws Refused. */
export async function upload(source) {
  const { name, size } = source;
  const attachment = await ask('attachments.create', { name, size, mime_type: source.type || 'application/octet-stream' });
  const where = attachment.upload_descriptor;
  if (!where) return attachment;
  const response = await request(where.url, { method: where.method, headers: where.headers ?? {}, body: source }).catch(() => null);
  if (response?.ok) return attachment;
  const problem = await response?.json().catch(() => null);
  throw new Refused(problem?.type, problem?.detail ?? `${name} could not be sent.`, response?.status);
}
