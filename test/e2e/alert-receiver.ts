/** The ends of the ways out of Tidemark: HTTP servers that alerts and notifications are handed over to. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An alert as Alertmanager tells it. */
export interface ToldAlert {
  readonly status: 'firing' | 'resolved';
  readonly labels: Readonly<Record<string, string>> & { readonly alertname: string };
  readonly annotations: Readonly<Record<string, string>>;
}

export interface AlertReceiver extends AsyncDisposable {
  /** For Alertmanager. */
  readonly url: string;
  /** What was told, in order. */
  readonly told: readonly ToldAlert[];
}

/** A receiver of notifications that answers 503 while it takes nothing. */
export interface DeafReceiver extends AsyncDisposable {
  readonly url: string;
  takes: boolean;
}

export async function startAlertReceiver(): Promise<AlertReceiver> {
  const told: ToldAlert[] = [];
  const listener = await listen((body) => {
    told.push(...(JSON.parse(body) as { readonly alerts: readonly ToldAlert[] }).alerts);
    return 200;
  });
  return { ...listener, told };
}

export async function startDeafReceiver(): Promise<DeafReceiver> {
  const receiver = { takes: false };
  return Object.assign(receiver, await listen(() => (receiver.takes ? 200 : 503)));
}

/** Answers each request with the status that `answer` makes of its body. */
async function listen(answer: (body: string) => number): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    response.writeHead(answer(Buffer.concat(pieces).toString())).end();
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}
