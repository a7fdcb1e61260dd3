import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startDemoWrites } from './demo-writes.ts';

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'tidemark-demo-writes-'));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

test('the made-up cluster writes from its first start on, and a later start leaves that as it is', async () => {
  const start = () => startDemoWrites(dataDir, '127.0.0.1:2379', AbortSignal.timeout(30_000));
  const state = () => readFileSync(join(dataDir, 'demo-clusters', '127.0.0.1_2379', 'cluster.json'), 'utf8');
  expect(await start()).toBe('The cluster writes a row into shop.events every 5 s from now on.');
  const { writes, ...others } = JSON.parse(state());
  expect(writes).toMatchObject({ db: 'shop', table: 'events', everyMs: 5_000 });
  expect(await start()).toContain('There is a shop.events already');
  expect(JSON.parse(state())).toEqual({ ...others, writes });
});
