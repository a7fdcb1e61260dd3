import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFileWithin, readFileWithinSync, UnfitError, whyUnread, withinBytes } from './bounded-read.ts';

const MAX = 100_000;

describe.each([
  ['later', (path: string) => readFileWithin(path, MAX)],
  ['at once', async (path: string) => readFileWithinSync(path, MAX)],
])('a file that is read whole %s', (_, read) => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-bounded-'));
    for (const size of [0, 1, MAX - 1, MAX, MAX + 1]) writeFileSync(join(folder, `${size}`), 'x'.repeat(size));
    symlinkSync('1', join(folder, 'link'));
    symlinkSync('/dev/zero', join(folder, 'zero'));
    execFileSync('mkfifo', [join(folder, 'fifo')]);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const lengthOf = async (name: string) => (await read(join(folder, name))).length;
  const why = (name: string) => read(join(folder, name)).then(() => 'read', whyUnread);

  it('is whole up to its bound, also where it says that it is empty', async () => {
    for (const size of [0, 1, MAX - 1, MAX]) expect(await lengthOf(`${size}`)).toBe(size);
    expect(await lengthOf('link')).toBe(1);
    expect((await read('/proc/self/status')).length).toBeGreaterThan(100);
  });

  it('is told why it is not read: what is larger, missing, or no file', async () => {
    expect(await why(`${MAX + 1}`)).toBe('is too large (over 100000 bytes)');
    for (const name of ['zero', 'fifo', '.']) expect(await why(name), name).toBe('is not a regular file');
    expect(await why('missing')).toBe('cannot be read (ENOENT)');
    // It says of itself that it has no bytes.
    expect(await read('/proc/self/smaps').then(() => 'read', whyUnread)).toBe('is too large (over 100000 bytes)');
  });
});

it('the answer of another server is read up to its bound, and what follows is not asked for', async () => {
  let closed = 0;
  const server = createServer((request, response) => {
    const size = Number(request.url?.slice(1));
    response.setHeader('content-type', 'application/json');
    if (size >= 0) response.end(`"${'x'.repeat(size - 2)}"`);
    else {
      const more = setInterval(() => response.write('x'.repeat(50_000)), 5);
      response.on('close', () => {
        clearInterval(more);
        closed += 1;
      });
    }
  });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => void server.close());
  stack.defer(() => server.closeAllConnections());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const ask = async (size: number) => {
    const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/${size}`);
    return withinBytes(response, MAX);
  };
  const text = (await (await ask(MAX)).json()) as string;
  expect(text.length).toBe(MAX - 2);
  for (const size of [MAX + 1, -1]) await expect((await ask(size)).text()).rejects.toThrow(UnfitError);
  await expect.poll(() => closed).toBe(1);
});
