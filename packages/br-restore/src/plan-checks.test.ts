import { describe, expect, it } from 'vitest';
import { type PlanCheck, type PlanFacts, planChecks } from './plan-checks.ts';

/** 2026-11-30T05:00:00Z. */
const TSO = BigInt(Date.parse('2026-11-30T05:00:00Z')) << 18n;

const CATALOGUE = { startTso: 0n, newCollations: true, ofKeys: false };

interface Changes {
  readonly source?: Partial<PlanFacts['source']>;
  readonly target?: Partial<PlanFacts['target']>;
  readonly rest?: Partial<Omit<PlanFacts, 'source' | 'target'>>;
}

const facts = ({ source, target, rest }: Changes = {}): PlanFacts => ({
  source: {
    clusterId: 'orders',
    pd: ['10.0.0.1:2379'],
    tso: TSO,
    tidbClusterId: 7n,
    clusterVersion: '8.5.0',
    catalogue: CATALOGUE,
    sizeBytes: 1_000n,
    tableChecksums: true,
    ...source,
  },
  target: {
    clusterId: 'orders-dr',
    pd: ['10.0.1.1:2379'],
    version: '8.5.0',
    tidbClusterId: 8n,
    newCollations: true,
    ...target,
  },
  brVersion: 'v8.5.0',
  options: {},
  now: new Date('2026-12-01T00:00:00Z'),
  ...rest,
});
/** What br looks at before it writes. */
const FOR_BR: readonly string[] = ['targetEmpty', 'existingTables', 'space'];
const notOk = (changes: Changes) =>
  planChecks(facts(changes)).filter(
    ({ code, level }) => level !== 'ok' && !(level === 'unknown' && FOR_BR.includes(code)),
  );
const found = (changes: Changes) => notOk(changes).map(({ code, level }) => `${code}: ${level}`);

describe('the checks of a plan', () => {
  it('are all well where versions, collations and clusters fit', () => {
    const checks = planChecks(facts());
    expect(checks.map(({ code }) => code)).toEqual([
      ...['sourceKind', 'sameCluster', 'br', 'version', 'collation', 'targetEmpty', 'space', 'checkpoint', 'checksums'],
    ]);
    expect(new Set(checks.map(({ level }) => level))).toEqual(new Set(['ok', 'unknown']));
    expect(notOk({})).toEqual([]);
    for (const { sentence } of checks) expect(sentence).toMatch(/^[A-Zb].*\.$/);
  });

  it.each<readonly [what: string, changes: Changes, expected: readonly string[]]>([
    ['a backup of raw keys', { source: { catalogue: { ...CATALOGUE, ofKeys: true } } }, ['sourceKind: blocked']],
    ['an incremental backup', { source: { catalogue: { ...CATALOGUE, startTso: 1n } } }, ['sourceKind: blocked']],
    ['a backup without data', { source: { sizeBytes: 0n } }, ['sourceKind: warning']],
    ['a snapshot that lies ahead', { rest: { now: new Date('2026-11-30T04:59:59Z') } }, ['snapshot: warning']],
    ['the cluster of the backup', { target: { clusterId: 'orders' } }, ['sameCluster: acknowledge']],
    ['the same cluster under another name', { target: { tidbClusterId: 7n } }, ['sameCluster: acknowledge']],
    [
      'a cluster that shares a PD',
      { target: { pd: ['10.0.1.1:2379', 'http://10.0.0.1:2379/'] } },
      ['sameCluster: acknowledge'],
    ],
    ['a target whose id was never seen', { target: { tidbClusterId: undefined } }, []],
    ['a br that is not known', { rest: { brVersion: undefined } }, []],
    ['a catalogue that was not read', { source: { catalogue: undefined } }, ['collation: unknown']],
    ['a target without version', { target: { version: '' } }, ['br: unknown', 'version: unknown']],
    ['a newer minor version of br', { target: { version: '8.4.0' } }, ['br: warning', 'version: warning']],
    ['TiKV before 8.2', { target: { version: '8.1.0' } }, ['br: blocked', 'version: warning']],
    [
      'a br older than the target',
      { rest: { brVersion: 'v7.5.1' }, source: { clusterVersion: '7.5.1' } },
      ['br: blocked', 'space: warning', 'checkpoint: warning'],
    ],
    ['a backup two majors older', { source: { clusterVersion: '6.5.0' } }, ['version: blocked']],
    ['a backup one major older', { source: { clusterVersion: '7.5.0' } }, []],
    ['a backup one major newer', { source: { clusterVersion: '9.0.0' } }, ['version: acknowledge']],
    ['a backup of a newer minor version', { source: { clusterVersion: '8.6.0' } }, ['version: warning']],
    [
      'collations that nobody knows',
      { source: { catalogue: { ...CATALOGUE, newCollations: undefined } } },
      ['collation: blocked'],
    ],
    ['collations of a target that nobody knows', { target: { newCollations: undefined } }, ['collation: unknown']],
    ['other collations', { target: { newCollations: false } }, ['collation: blocked']],
    ['a backup without checksums and a br that adds them up', { source: { tableChecksums: false } }, []],
    [
      'users into an older version',
      { source: { clusterVersion: '8.5.1' }, rest: { options: { withSystemTables: true } } },
      ['version: warning', 'systemTables: blocked'],
    ],
    ['users', { rest: { options: { withSystemTables: true } } }, ['systemTables: warning']],
    [
      'an option that is not one',
      { rest: { options: { extra: { online: 'true' } } } },
      ['options.brOptions.online: blocked'],
    ],
  ])('of %s', (_, changes, expected) => expect(found(changes)).toEqual(expected));

  const old = (version: string, changes: Changes = {}): Changes => ({
    source: { clusterVersion: version.slice(1), tableChecksums: undefined, ...changes.source },
    target: { version: version.slice(1), ...changes.target },
    rest: { brVersion: version, ...changes.rest },
  });
  it.each<readonly [changes: Changes, expected: readonly string[]]>([
    [
      old('v6.1.0'),
      ['br: blocked', 'targetEmpty: acknowledge', 'space: warning', 'checkpoint: warning', 'checksums: warning'],
    ],
    [old('v6.5.3'), ['targetEmpty: acknowledge', 'space: warning', 'checkpoint: warning', 'checksums: warning']],
    [old('v7.5.1'), ['space: warning', 'checkpoint: warning', 'checksums: warning']],
    [old('v7.5.1', { source: { tableChecksums: true } }), ['space: warning', 'checkpoint: warning']],
    [old('v8.4.0'), ['checksums: warning']],
    [
      old('v7.1.0', { rest: { options: { withSystemTables: true } } }),
      ['space: warning', 'checkpoint: warning', 'checksums: warning', 'systemTables: blocked'],
    ],
  ])('of an old br %#', (changes, expected) => expect(found(changes)).toEqual(expected));

  const part: Changes = { rest: { options: { filter: ['shop.*'] } } };
  it.each<readonly [what: string, changes: Changes, expected: readonly string[]]>([
    ['whose br looks for tables that exist', old('v8.5.5', part), ['targetInUse: warning']],
    ['whose br does not', old('v8.5.4', part), ['existingTables: acknowledge', 'targetInUse: warning']],
    [
      'of a br that is no release',
      old('v9.0.0-beta.2', { ...part, source: { clusterVersion: '8.5.5' } }),
      ['existingTables: acknowledge', 'targetInUse: warning'],
    ],
    [
      'into a target without version',
      { ...part, target: { version: '' }, rest: { ...part.rest, brVersion: undefined } },
      ['version: unknown', 'existingTables: acknowledge', 'targetInUse: warning'],
    ],
    [
      'into the cluster that was backed up',
      old('v8.5.5', { ...part, target: { clusterId: 'orders' } }),
      ['sameCluster: acknowledge', 'targetInUse: warning'],
    ],
    [
      'by a br without a checkpoint',
      old('v7.0.0', part),
      [
        ...['existingTables: acknowledge', 'targetInUse: warning'],
        ...['space: warning', 'checkpoint: warning', 'checksums: warning'],
      ],
    ],
  ])('of a part %s', (_, changes, expected) => {
    expect(found(changes)).toEqual(expected);
    expect(planChecks(facts(changes)).map(({ code }) => code)).not.toContain('targetEmpty');
    for (const { sentence } of notOk(changes)) expect(sentence).not.toMatch(/empty|anew/);
  });

  it('take a br that is not known to be of the version of the target', () => {
    const changes = old('v6.5.3', { rest: { brVersion: undefined } });
    expect(found(changes)).toEqual([
      'targetEmpty: acknowledge',
      'space: warning',
      'checkpoint: warning',
      'checksums: warning',
    ]);
  });

  it('say why in sentences', () => {
    const all: PlanCheck[] = [
      ...notOk({
        source: { clusterVersion: '6.1.0', catalogue: { startTso: 0n, newCollations: false, ofKeys: true } },
      }),
      ...notOk({ rest: { options: { extra: { online: 'true' }, rateLimit: -1 } } }),
      ...notOk(old('v6.5.3')),
    ];
    for (const { sentence } of all) expect(sentence).toMatch(/^["A-Zb].*\.$/);
    expect(all.find(({ code }) => code === 'version')?.sentence).toBe(
      'The backup is of version 6.1.0, the target has 8.5.0: br refuses that.',
    );
  });
});
