/**
 * The real API, and an append-only record of what was asked of it and answered.
 *
 * 1. A request is in the record before it is sent, and its answer when it came; one without an answer has none.
 */
import { appendFileSync } from 'node:fs';
import { pickOf } from './plan.ts';
import type { Answer, Request } from './request.ts';

export interface Answered {
  /** Of HTTP. */
  readonly status: number;
  readonly retryAfterMs: number;
  readonly message: string;
  /** Of a refusal. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly data: never;
}

export interface Client {
  readonly requests: readonly Request[];
  /**
   * Sends something that is not recorded.
   *
   * @param at through which gateway: a fraction of their list
   */
  call(at: number, method: string, path: string, body?: object, headers?: object): Promise<Answered>;
  /** What a call answers that only looks; undefined where it was refused or not answered. */
  look<T>(at: number, method: 'GET' | 'POST', path: string, body?: object): Promise<T | undefined>;
  /**
   * Records a request and its answer; never rejects.
   *
   * @param found takes out of a good answer what is remembered of it
   */
  ask(
    asked: Omit<Request, 'number' | 'sentAt'>,
    send: () => Promise<Answered>,
    found?: (data: never) => Partial<Answer>,
  ): Promise<Answer | undefined>;
}

const ANSWER_MS = 6_000;

/** @param gateways addresses, as host:port */
export function createClient(gateways: readonly string[], token: string, recordFile: string): Client {
  const requests: Request[] = [];
  const note = (event: object) => appendFileSync(recordFile, `${JSON.stringify(event)}\n`);

  const call: Client['call'] = async (at, method, path, body, headers = {}) => {
    const response = await fetch(`http://${pickOf(gateways, at)}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const retryAfterMs = Number(response.headers.get('retry-after') ?? 0) * 1_000;
    return { status: response.status, retryAfterMs, ...((await response.json()) as { message: string; data: never }) };
  };

  return {
    requests,
    call,
    async look<T>(at: number, method: 'GET' | 'POST', path: string, body?: object): Promise<T | undefined> {
      try {
        const { status, data } = await call(at, method, path, body);
        return status === 200 ? data : undefined;
      } catch {
        return undefined; // whoever only looks looks again
      }
    },
    async ask(asked, send, found = () => ({})) {
      const request: Request = { number: requests.length, ...asked, sentAt: Date.now() };
      requests.push(request);
      note(request);
      try {
        const { status, message, data } = await send();
        const answer: Answer = { at: Date.now(), status, message, ...(status === 200 && found(data)) };
        requests[request.number] = { ...request, answer };
        note({ number: request.number, answer });
        return answer;
      } catch (error) {
        note({ number: request.number, unanswered: (error as Error).message });
        return undefined;
      }
    },
  };
}
