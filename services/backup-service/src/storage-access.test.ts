import { MAX_STORAGE_CLUSTERS, MAX_STORAGE_LABELS } from '@tidemark/limits/limits';
import { describe, expect, it } from 'vitest';
import { mayUse, mayUseStorage, usableByViolations } from './storage-access.ts';

const cluster = (_id: string, labels: Record<string, string> = {}) => ({ _id, labels });
const by = (clusters: string[], labels: Record<string, string> = {}) => ({ clusters, labels });

describe('a storage', () => {
  it('that says nothing may be used by every cluster', () => {
    expect(mayUse(undefined, cluster('c1'))).toBe(true);
  });

  it('may be used by the clusters that it names, whatever their labels', () => {
    expect(mayUse(by(['c1', 'c2']), cluster('c2'))).toBe(true);
    expect(mayUse(by(['c1', 'c2']), cluster('c3'))).toBe(false);
    expect(mayUse(by(['c1'], { team: 'shop' }), cluster('c1', { team: 'other' }))).toBe(true);
  });

  it('may be used by clusters that have all of its labels, with these values', () => {
    const shop = by([], { team: 'shop', env: 'prod' });
    expect(mayUse(shop, cluster('c1', { team: 'shop', env: 'prod', more: 'x' }))).toBe(true);
    for (const labels of [{}, { team: 'shop' }, { team: 'shop', env: 'test' }, { Team: 'shop', env: 'prod' }])
      expect(mayUse(shop, cluster('c1', labels as Record<string, string>)), JSON.stringify(labels)).toBe(false);
  });

  it('without labels chooses nobody by labels, and takes nothing for a label that every object has', () => {
    expect(mayUse(by(['c1']), cluster('c2', { team: 'shop' }))).toBe(false);
    expect(mayUse(by([], { constructor: '' }), cluster('c1'))).toBe(false);
  });
});

describe('the keys of a storage', () => {
  const placedByLimited = { ...cluster('c1'), placedByLimited: true };

  it('go to no PD that an admin of some clusters has set, whoever may use the storage', () => {
    for (const storage of [{}, { sendCredentialsToTikv: true }, { usableBy: by(['c1']) }]) {
      expect(mayUseStorage(storage, placedByLimited), JSON.stringify(storage)).toBe(false);
      expect(mayUseStorage(storage, cluster('c1'))).toBe(true);
    }
  });

  it('are no reason where br hands none over', () => {
    for (const storage of [{ local: { path: '/mnt' } }, { sendCredentialsToTikv: false }])
      expect(mayUseStorage(storage, placedByLimited)).toBe(true);
    expect(mayUseStorage({ local: { path: '/mnt' }, usableBy: by(['c2']) }, placedByLimited)).toBe(false);
  });
});

describe('what somebody says of who may use a storage', () => {
  const fields = (usableBy: Parameters<typeof usableByViolations>[0]) =>
    usableByViolations(usableBy).map(({ field }) => field);

  it('names at least a cluster or a label', () => {
    expect(usableByViolations(by([]))).toEqual([
      { field: 'usableBy', description: 'must name clusters or labels; leave it out for all clusters' },
    ]);
    expect([fields(by(['c1'])), fields(by([], { team: '' }))]).toEqual([[], []]);
  });

  it('names every id and label that can be none', () => {
    expect(fields(by(['c1', 'no id', '']))).toEqual(['usableBy.clusters[1]', 'usableBy.clusters[2]']);
    expect(fields(by([], { '': 'x', team: 'x'.repeat(257), ok: 'x' }))).toEqual([
      'usableBy.labels.',
      'usableBy.labels.team',
    ]);
  });

  it('has a bound', () => {
    const ids = (count: number) => Array.from({ length: count }, (_, index) => `c${index}`);
    const labels = (count: number) => Object.fromEntries(ids(count).map((id) => [id, 'x']));
    expect(fields(by(ids(MAX_STORAGE_CLUSTERS), labels(MAX_STORAGE_LABELS)))).toEqual([]);
    expect(fields(by(ids(MAX_STORAGE_CLUSTERS + 1)))).toEqual(['usableBy.clusters']);
    expect(fields(by([], labels(MAX_STORAGE_LABELS + 1)))).toEqual(['usableBy.labels']);
  });
});
