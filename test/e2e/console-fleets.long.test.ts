/**
 * The console over whole fleets: the demo's, and ten thousand clusters. With TIDEMARK_SCREENSHOTS=docs/console it draws its pictures of
 * docs/console.md anew.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { registerDemoFleet } from '@tidemark/local-stack/demo-fleet';
import { MongoClient } from 'mongodb';
import { afterAll, describe, expect, inject, it } from 'vitest';
import {
  clusterDocument,
  finishedBackup,
  insertAll,
  openWindow,
  type StoredDocument,
  strategyDocument,
} from '../documents.ts';
import { expectCalm, shoot, startBrowser, type TestBrowser } from './browser.ts';
import { heading, isLoaded } from './console-shop.ts';
import { startTidemark } from './tidemark.ts';

const found = await startBrowser();
if (typeof found === 'string') console.warn(`The console is not tried: ${found}`);
const browser = found as TestBrowser;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

afterAll(() => (typeof found === 'string' ? undefined : browser[Symbol.asyncDispose]()));

describe.skipIf(typeof found === 'string')('a fleet', () => {
  it('of the demo is drawn for the manual', async () => {
    await using tidemark = await startTidemark({
      console: true,
      copies: { 'executor-worker': 2 },
      env: { all: { TIDEMARK_SLOTS: '4' } },
    });
    await registerDemoFleet(tidemark.stack, tidemark.stack.storage, AbortSignal.timeout(300_000));
    const failed = () => tidemark.call<{ backupRecords: { id: string }[] }>('GET', '/backups?state=Failed');
    await expect
      .poll(async () => (await failed()).data.backupRecords.length, { timeout: 300_000, interval: 2_000 })
      .toBe(2);
    await using tab = await browser.open(tidemark.stack.url, { token: tidemark.stack.token });
    const { page } = tab;
    await isLoaded(page);
    await expect.poll(() => heading(page).textContent()).toMatch(/^\d+ of 41 clusters have no good backup in time$/);
    await page.locator('.card .mark', { hasText: 'Failed' }).first().waitFor();
    await sleep(2_000);
    await shoot(page, 'fleet');
    const { data } = await tidemark.call<{ backupRecords: { id: string; clusterId: string }[] }>(
      'GET',
      '/backups?state=Running',
    );
    const running = data.backupRecords[0];
    for (const [path, name] of [
      ['/clusters/orders-fra', 'cluster'],
      [`/backups/${running?.id}`, 'backup'],
      ['/clusters/orders-fra/rules/default', 'rule'],
    ] as const) {
      await page.goto(`${tidemark.stack.url}${path}`);
      await isLoaded(page);
      await sleep(2_500);
      await shoot(page, name);
    }
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.goto(tidemark.stack.url);
    await isLoaded(page);
    await sleep(2_000);
    await shoot(page, 'fleet-dark');
    expectCalm(tab);
  }, 600_000);

  it('of 10,000 clusters is there within a second, and is scrolled, paged and filtered without holding up the page for a tenth of one', async () => {
    const size = 10_000;
    await using tidemark = await startTidemark({
      console: true,
      copies: { 'executor-worker': 0 },
      register: false,
      env: { 'scheduler-service': { TIDEMARK_FLEET_REBUILD_SECONDS: '10' } },
    });
    await fill(tidemark.database, size);
    const counted = async () => {
      const { data } = await tidemark.call<{ counts?: { inTime: number; veryLate: number } }>(
        'GET',
        '/fleet?pageSize=1',
      );
      return (data.counts?.inTime ?? 0) + (data.counts?.veryLate ?? 0);
    };
    await expect.poll(counted, { timeout: 600_000, interval: 1_000 }).toBe(size);
    await using tab = await browser.open(tidemark.stack.url, { token: tidemark.stack.token });
    const { page } = tab;
    const sentence = '1,000 of 10,000 clusters have no good backup in time';
    const firstMs = Number(
      await page.evaluate(
        `new Promise((resolve) => { const look = () => document.querySelector('h1')?.textContent === '${sentence}' && document.querySelector('table') ? resolve(performance.now()) : requestAnimationFrame(look); look(); })`,
      ),
    );
    await page.evaluate(
      'window.longest = 0; new PerformanceObserver((list) => { for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration); }).observe({ type: "longtask" })',
    );
    const rows = page.getByRole('table', { name: 'Clusters' }).getByRole('row');
    expect(await rows.count()).toBe(51);
    for (let pages = 0; pages < 5; pages += 1) {
      const first = await rows.nth(1).textContent();
      await page.getByRole('link', { name: 'Next page' }).click();
      await expect.poll(() => rows.nth(1).textContent()).not.toBe(first);
      for (const way of [4_000, -4_000]) await page.mouse.wheel(0, way);
    }
    await page.getByLabel(/Only clusters with this/).fill('000007');
    await page.getByRole('button', { name: 'Filter' }).click();
    await expect.poll(() => rows.count()).toBe(2);
    await page
      .locator('.verdicts')
      .getByRole('link', { name: /In time/ })
      .click();
    await expect.poll(() => heading(page).textContent()).toBe('This cluster is safe');
    await page.getByRole('link', { name: 'Without the verdict inTime' }).click();
    await page.getByLabel(/Only clusters with this/).fill('');
    await page.getByRole('button', { name: 'Filter' }).click();
    await expect.poll(() => rows.count()).toBe(51);
    const longest = Number(await page.evaluate('window.longest'));
    console.log(`First answer after ${firstMs.toFixed(0)} ms; longest task ${longest.toFixed(0)} ms.`);
    expect(firstMs).toBeLessThanOrEqual(1_000);
    expect(longest).toBeLessThanOrEqual(100);
    expectCalm(tab);
  }, 1_800_000);
});

async function fill(database: string, size: number): Promise<void> {
  const mongo = new MongoClient(inject('mongodbUrl'));
  try {
    const signal = AbortSignal.timeout(900_000);
    const db = mongo.db(database);
    const collection = (name: string) => db.collection<StoredDocument>(name);
    const clusterId = (index: number) => `cluster-${String(index).padStart(6, '0')}`;
    const now = Date.now();
    await insertAll(collection('clusters'), size, (index) => clusterDocument(clusterId(index), 'bench'), signal);
    const planned = (index: number) => strategyDocument(clusterId(index), openWindow(new Date(now + DAY_MS / 2)));
    await insertAll(collection('strategies'), size, planned, signal);
    const ended = (index: number) => new Date(now - (index % 10 === 0 ? 200 : 10) * HOUR_MS);
    const backup = (index: number) =>
      finishedBackup(`backup-${String(index).padStart(14, '0')}`, clusterId(index), 'Succeeded', ended(index));
    await insertAll(collection('backups'), size, backup, signal);
  } finally {
    await mongo.close();
  }
}
