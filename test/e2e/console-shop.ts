/** A console over a shop's four clusters, and what a person does on its pages. */
import { join } from 'node:path';
import { demoCluster } from '@tidemark/demo-br/demo-cluster';
import { performTask } from '@tidemark/demo-br/demo-cluster-task';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { opensLater, startTidemark, type Tidemark } from './tidemark.ts';

/** Of the demo's clusters. */
export const SIZE = { regions: 6, bytesPerFile: 400 };

/** A stack with the console, and the ids of its clusters. */
export interface Shop {
  readonly tidemark: Tidemark;
  /** Has rows, and a rule, as `late` has. */
  readonly source: string;
  readonly late: string;
  /** Empty, as `scratch` is. */
  readonly target: string;
  readonly scratch: string;
}

export async function startShop(): Promise<Shop> {
  const tidemark = await startTidemark({
    console: true,
    copies: { 'executor-worker': 2 },
    env: { gateway: { TIDEMARK_RATE_BURST: '1000' } },
  });
  const signal = AbortSignal.timeout(60_000);
  const source = await tidemark.cluster('orders', { name: 'Orders', pd: ['10.1.0.1:2379'], labels: { env: 'prod' } });
  const target = await tidemark.cluster('orders-dr', { pd: ['10.1.0.2:2379'], labels: { env: 'dr' } });
  const scratch = await tidemark.cluster('scratch', { pd: ['10.1.0.4:2379'] });
  const late = await tidemark.cluster('stock', { pd: ['10.1.0.3:2379'], labels: { env: 'prod' } });
  const order = { verb: 'insert', name: { db: 'shop', table: 'orders' }, handle: 7, value: 'x' } as const;
  await performTask(rowsOf(tidemark, '10.1.0.1:2379'), order, signal);
  for (const pd of ['10.1.0.2:2379', '10.1.0.4:2379'])
    await performTask(rowsOf(tidemark, pd), { verb: 'empty' }, signal);
  for (const id of [source, late]) await tidemark.saveRule(id, 'default', opensLater());
  tidemark.demo({ seconds: 3, progressIntervalSeconds: 0.2, ...SIZE }, source);
  return { tidemark, source, late, target, scratch };
}

/** The rows of the demo's cluster at a PD. */
export const rowsOf = ({ stack }: Tidemark, pd: string) =>
  demoCluster(join(stack.dataDir, 'demo-clusters'), [pd], SIZE);

export const heading = (page: Page) => page.getByRole('heading', { level: 1 });

/** Waits until somebody is logged in, and the page shows what it was opened for. */
export async function isLoaded(page: Page): Promise<void> {
  await heading(page).waitFor();
  await expect.poll(() => heading(page).textContent(), { timeout: 20_000 }).not.toMatch(/^Log in/);
  await expect.poll(() => page.getByText(/^Loading /).count(), { timeout: 20_000 }).toBe(0);
}

/** Presses a button of the open dialog. */
export const confirm = (page: Page, name: string) =>
  page.getByRole('dialog').getByRole('button', { name, exact: true }).click();
