/** What `onState` is told of one answer; `runId` and `threadId` are null until the server has named them. */
export type ResumeState = { runId: string | null; threadId: string | null } & (
  | { state: 'streaming' }
  | { state: 'reconnecting'; tries: number; waitMs: number }
  | { state: 'reattached' }
  | { state: 'ended'; status: 'completed' | 'failed' | 'cancelled' | 'none' | 'refused' }
  | { state: 'stopped' }
  | { state: 'left' }
  | { state: 'gone'; error: RunGone }
);

export interface ResumableFetchOptions {
  /**
   * The bearer token to use now, asked for on each try; `refused` is true when the last one was answered with 401.
   * Without a token the request goes out as it is.
   */
  getToken: (reason: { refused: boolean }) => string | null | undefined | Promise<string | null | undefined>;
  /** Told of every turn in an answer's life. */
  onState?: (state: ResumeState) => void;
  /** Told of every server-sent event as it came over the line, keep-alives included: for developers. */
  onFrame?: (frame: { runId: string | null; id: string | undefined; frame: string }) => void;
}

/** As much of `<openai-chatkit>` as `attach` needs. */
export interface AttachableChatKit extends EventTarget {
  readonly isConnected: boolean;
  sendCustomAction(action: { type: string; payload?: Record<string, unknown> }, itemId?: string): Promise<void>;
}

export interface ResumableFetch {
  /** Pass it as `api.fetch`. Requests that are not answered with a stream only get the token. */
  (input: RequestInfo | URL, init?: RequestInit): Promise<Response>;
  /**
   * Takes up a running answer whenever the component has loaded a thread that has one, and tells a thread switch
   * from a Stop. Gives the function that undoes it.
   */
  attach(chatkit: AttachableChatKit): () => void;
  /** Cuts every open line, as a tunnel would: for demonstrations and tests. */
  drop(): void;
}

export function createResumableFetch(options: ResumableFetchOptions): ResumableFetch;

/** The body fails with it when the server no longer knows the run, or no longer lets this user read it. */
export class RunGone extends Error {
  name: 'RunGone';
}
