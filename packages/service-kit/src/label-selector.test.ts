import { expect, it } from 'vitest';
import { clusterMatcher, hasLabels } from './label-selector.ts';

it('takes only what has all of the labels, with their values, as its own', () => {
  expect(hasLabels({ env: 'prod', team: 'shop' }, { env: 'prod' })).toBe(true);
  expect(hasLabels({ env: 'prod' }, { env: 'prod', team: 'shop' })).toBe(false);
  expect(hasLabels({ env: 'dev' }, { env: 'prod' })).toBe(false);
  expect(hasLabels({}, {})).toBe(true);
  expect(hasLabels({}, { constructor: 'Object' })).toBe(false);
});

it('finds a text in the id or the name, whatever the case, and nothing in what a damaged record lacks', () => {
  const orders = { id: 'Orders-1', name: 'The shop', labels: { env: 'prod' } };
  const finds = (text: string, labels = {}, cluster: Parameters<ReturnType<typeof clusterMatcher>>[0] = orders) =>
    clusterMatcher(labels, text)(cluster);
  expect([finds(''), finds('oRDER'), finds('SHOP', { env: 'prod' })]).toEqual([true, true, true]);
  expect([finds('stock'), finds('shop', { env: 'dev' })]).toEqual([false, false]);
  const damaged = { id: 'orders-2', name: 7, labels: undefined };
  expect([finds('orders', {}, damaged), finds('7', {}, damaged), finds('', { env: 'prod' }, damaged)]).toEqual([
    ...[true, false, false],
  ]);
});
