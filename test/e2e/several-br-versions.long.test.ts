import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEMO_BR } from '@tidemark/local-stack/stack';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTidemark, type Tidemark } from './tidemark.ts';

const VERSIONS = ['v5.4.0', 'v6.5.8', 'v7.5.0', 'v8.1.0', 'v8.5.0'];
/** One of each form of backupmeta and of each way to keep others out; the rest differ in what they print (TIDEMARK_LONG_TESTS=1). */
const RUN = process.env.TIDEMARK_LONG_TESTS === '1' ? VERSIONS : ['v5.4.0', 'v6.5.8', 'v8.1.0'];

describe('a worker with several versions of br', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-versions-'));
  let tidemark: Tidemark;
  const program = (version: string) => {
    const path = join(folder, `br-${version}`);
    writeFileSync(path, `#!/bin/sh\nDEMO_BR_VERSION=${version} exec "${DEMO_BR}" "$@"\n`);
    chmodSync(path, 0o755);
    return path;
  };
  beforeAll(async () => {
    tidemark = await startTidemark({
      br: VERSIONS.map((version) => program(version)),
      copies: { 'executor-worker': 1 },
    });
  }, 120_000);
  afterAll(async () => {
    await tidemark?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  const backUp = async (version: string, fields: object = {}) => {
    const clusterId = await tidemark.cluster(`v${version.replaceAll('.', '-')}`);
    await tidemark.patiently('PUT', `/clusters/${clusterId}`, {
      pd: ['127.0.0.1:2379'],
      version,
      storageId: 'local',
      ...fields,
    });
    tidemark.demo({ seconds: 0.3, clusterVersion: `v${version}` }, clusterId);
    return tidemark.start(clusterId);
  };

  it.each(RUN)('backs a cluster up with its own version (%s), reads it and deletes it', async (version) => {
    const id = await backUp(version.slice(1));
    const record = await tidemark.untilState(id, 'Succeeded', 40);
    expect(record.attempts).toMatchObject([{ outcome: 'succeeded', brVersion: version }]);
    expect(record.progress.percent).toBe(100);
    expect(tidemark.files(record.filePath)).toEqual(expect.arrayContaining(['backupmeta', 'tidemark.json']));
    await tidemark.call('DELETE', `/backups/${id}`);
    await tidemark.until(id, ({ deletion }) => deletion.state === 'Deleted').catch(() => undefined);
    await vi.waitFor(() => expect(tidemark.files(record.filePath)).toEqual([]), { timeout: 20_000 });
  });

  it('says which there are where none fits', async () => {
    const record = await tidemark.untilState(await backUp('9.9.0'), 'Failed');
    expect(record.reason).toMatchObject({ code: 'NO_FITTING_BR' });
    for (const version of VERSIONS) expect(record.reason?.message).toContain(version);
  });

  it('encrypts where that is asked for, and reads the metadata back with the key', async () => {
    const key = join(folder, 'key');
    writeFileSync(key, 'ab'.repeat(32), { mode: 0o600 });
    const brOptions = { crypterMethod: 'aes256-ctr', crypterKeyFile: key };
    const id = await backUp('8.5.0', { brOptions });
    const record = await tidemark.untilState(id, 'Succeeded', 40);
    expect(JSON.stringify(record)).not.toContain('abababab');
    expect(Number(record.backupTso)).toBeGreaterThan(0);
  });
});
