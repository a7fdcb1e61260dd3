import { describe, expect, it } from 'vitest';
import { type GivenRestoreOptions, restoreOptionsViolations } from './restore-options.ts';

const violationsOf = (options: GivenRestoreOptions, brVersion?: string): Record<string, string> =>
  Object.fromEntries(
    restoreOptionsViolations(options, brVersion).map(({ field, description }) => [field, description]),
  );

describe('options of a restore', () => {
  it('may be given from an allow-list', () => {
    const options: GivenRestoreOptions = {
      rateLimit: 100,
      loadStats: false,
      placementPolicies: 'ignore',
      waitTiFlashReady: true,
      filter: ['shop.*', '!shop.tmp'],
      extra: { 'tikv-max-restore-concurrency': '64', 'checksum-concurrency': '8' },
    };
    expect(violationsOf(options)).toEqual({});
    expect(violationsOf(options, 'v8.5.0')).toEqual({});
    expect(violationsOf({})).toEqual({});
    expect(violationsOf({ withSystemTables: true })).toEqual({});
  });

  it.each([
    ['filter', 'is "filter"'],
    ['db', 'is "filter"'],
    ['table', 'is "filter"'],
    ['checksum', 'stays on'],
    ['check-requirements', 'stays on'],
    ['use-checkpoint', 'stays on'],
    ['online', 'in use'],
    ['no-schema', 'tables that exist'],
    ['with-sys-table', '"withSystemTables"'],
    ['ratelimit', '"rateLimit"'],
    ['crypter.key', 'everybody on the worker'],
    ['restored-ts', 'point in time'],
    ['--pd', 'set by Tidemark'],
    ['--checksum-concurrency', 'without dashes'],
    ['s3.endpoint', 'possible are tikv-max-restore-concurrency'],
    ['toString', 'possible are'],
  ])('may not be given beside it: %s', (name, why) => {
    const extra = JSON.parse(`{${JSON.stringify(name)}:"1"}`) as Record<string, string>;
    expect(violationsOf({ extra })).toEqual({ [`brOptions.${name}`]: expect.stringContaining(why) });
  });

  it.each([
    [{ rateLimit: -1 }, 'rateLimit'],
    [{ rateLimit: 1.5 }, 'rateLimit'],
    [{ placementPolicies: 'STRICT' }, 'placementPolicies'],
    [{ filter: ['shop.*', '@rules'] }, 'filter[1]'],
    [{ filter: ['shop.*'], withSystemTables: true }, 'withSystemTables'],
    [{ extra: { 'checksum-concurrency': '0' } }, 'brOptions.checksum-concurrency'],
    [{ extra: { 'checksum-concurrency': '4 --online' } }, 'brOptions.checksum-concurrency'],
  ])('%j are refused under their name', (options, field) => {
    expect(Object.keys(violationsOf(options))).toEqual([field]);
  });

  it.each([
    [{ loadStats: false }, 'v7.5.1', { loadStats: expect.stringContaining('v7.5.1') }],
    [{ loadStats: true }, 'v7.5.1', {}],
    [
      { extra: { 'tikv-max-restore-concurrency': '1' } },
      'v7.5.1',
      { 'brOptions.tikv-max-restore-concurrency': expect.stringContaining('came with v8.0.0') },
    ],
    [{ extra: { concurrency: '1' } }, 'v7.5.1', {}],
    [
      { extra: { concurrency: '1' } },
      'v8.0.0',
      { 'brOptions.concurrency': expect.stringContaining('tikv-max-restore-concurrency') },
    ],
  ])('%j with br %s', (options, brVersion, found) => {
    expect(violationsOf(options, brVersion)).toEqual(found);
  });

  it('that are too many are one violation, and none of them is looked at', () => {
    const extra = Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`no-${at}`, '1']));
    expect(violationsOf({ extra })).toEqual({ brOptions: 'must be at most 32 flags' });
  });
});
