import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { answeredAt, isAway, noteAnswer, watchedFetch } from './connection.ts';

const GIVEN_UP = new Error('it took too long');
const ask = watchedFetch((reason) => reason === GIVEN_UP);

afterEach(noteAnswer);

async function serve(listener: RequestListener) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Asks what answers nothing, and stops asking for a reason once it was heard. */
async function askInVain(reason: Error, meanwhile: () => void = () => undefined): Promise<void> {
  const stop = new AbortController();
  await using silent = await serve(() => {
    meanwhile();
    stop.abort(reason);
  });
  await expect(ask(silent.url, { signal: stop.signal })).rejects.toThrow();
}

it('is away once nobody listens, and no more once anything is answered, an error too', async () => {
  let url: string;
  {
    await using gone = await serve(() => undefined);
    url = gone.url;
  }
  const before = answeredAt.value;
  await expect(ask(url)).rejects.toThrow();
  expect(isAway.value).toBe(true);
  expect(answeredAt.value).toBe(before);
  await using busy = await serve((_, response) => response.writeHead(503).end());
  expect((await ask(busy.url)).status).toBe(503);
  expect(isAway.value).toBe(false);
});

it('is away once a call waited in vain for as long as it may', async () => {
  await askInVain(GIVEN_UP);
  expect(isAway.value).toBe(true);
});

it('is not away because a page was left', async () => {
  await askInVain(new Error('nobody wants to know'));
  expect(isAway.value).toBe(false);
});

it('is not away because one call takes long while another is answered', async () => {
  await askInVain(GIVEN_UP, () => {
    answeredAt.value = Date.now() + 1;
  });
  expect(isAway.value).toBe(false);
});
