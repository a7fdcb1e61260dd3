/** Test support: the command line in this process, with all that it has around it, and a server that answers as a test says. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { stripVTControlCharacters } from 'node:util';
import { runCommand } from '../run-command.ts';

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** A terminal with so many columns for all three streams. */
  readonly columns?: number;
  /** What is typed, once something is asked. */
  readonly typed?: string;
  readonly stop?: AbortController;
  /** Called with all that standard output has so far. */
  readonly onStdout?: (soFar: string) => void;
  /** Called with all that standard error has so far. */
  readonly onStderr?: (soFar: string) => void;
}

export interface Asked {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  // biome-ignore lint/suspicious/noExplicitAny: a test knows what it asked for
  readonly body: any;
}

/** Answers a request: with `data` in the envelope, or by itself. */
export type Handler = (asked: Asked, response: ServerResponse) => object | undefined | Promise<object | undefined>;

export interface CommandLine extends AsyncDisposable {
  readonly url: string;
  /** A folder of its own, in which the token file is. */
  readonly folder: string;
  /** What was asked, in order. */
  readonly asked: readonly Asked[];
  /** By method and path, such as `GET /backups/b1`; what is left out is a 404. */
  readonly answers: Record<string, Handler>;
  run(args: readonly string[], options?: RunOptions): Promise<Outcome>;
  /** Closes every connection, and refuses new ones. */
  goAway(): Promise<void>;
  /** Listens again, at the same port. */
  comeBack(): Promise<void>;
}

/** A failure, as the API answers it. */
export function fail(response: ServerResponse, status: number, message: string, more: object = {}): undefined {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ code: 1, message, data: {}, requestId: 'r1', ...more }));
  return undefined;
}

/** Begins an answer of server-sent events; each event is written at once. */
export function events(response: ServerResponse): (event: string, data: object) => void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.flushHeaders();
  return (event, data) => void response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}

export async function startCommandLine(): Promise<CommandLine> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-cli-'));
  writeFileSync(join(folder, 'token'), 'tdm_secret\n', { mode: 0o600 });
  const asked: Asked[] = [];
  const answers: Record<string, Handler> = {};
  const server = createServer(async (request, response) => {
    const { method = '', url = '', headers } = request;
    const path = url.replace(/^\/api\/v1/, '');
    const body = await text(request);
    const one: Asked = { method, path, headers, body: body === '' ? undefined : JSON.parse(body) };
    asked.push(one);
    const answer = answers[`${method} ${path.split('?')[0]}`];
    const data = answer ? await answer(one, response) : fail(response, 404, `There is no ${path}.`);
    if (data === undefined) return;
    const { page, ...rest } = data as { readonly page?: object };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ code: 0, message: 'OK', data: rest, ...(page && { page }) }));
  });
  const listen = async (port: number) => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };
  const port = await listen(0);
  const url = `http://127.0.0.1:${port}`;
  const goAway = async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  };
  return {
    url,
    folder,
    asked,
    answers,
    goAway,
    comeBack: async () => void (await listen(port)),
    async run(args, { env = {}, columns, typed, stop = new AbortController(), onStderr, onStdout } = {}) {
      const isTTY = columns !== undefined;
      const stdin = Object.assign(new PassThrough(), { isTTY });
      const stdout = collector(columns, onStdout);
      const stderr = collector(columns, (soFar) => {
        if (typed !== undefined && soFar.trimEnd().endsWith(':')) stdin.write(`${typed}\n`);
        onStderr?.(soFar);
      });
      const code = await runCommand(args, {
        env: { XDG_CONFIG_HOME: folder, TIDEMARK_URL: url, TIDEMARK_TOKEN_FILE: 'token', ...env },
        folder,
        repository: folder,
        ...{ stdin, stdout, stderr, stop },
      });
      return { code, stdout: stdout.text(), stderr: stderr.text() };
    },
    async [Symbol.asyncDispose]() {
      if (server.listening) await goAway();
      rmSync(folder, { recursive: true });
    },
  };
}

/** A stream that keeps what is written, as a terminal with so many columns where they are given. */
function collector(columns: number | undefined, onWrite: (soFar: string) => void = () => undefined) {
  let soFar = '';
  const stream = new Writable({
    write(chunk: Buffer, _, done) {
      soFar += chunk.toString('utf8');
      onWrite(soFar);
      done();
    },
  });
  const isTTY = columns !== undefined;
  return Object.assign(stream, { isTTY, ...(isTTY && { columns }), hasColors: () => false, text: () => soFar });
}

/** What a terminal would show in the end: without what steers it. */
export const seen = (output: string): string => stripVTControlCharacters(output);
