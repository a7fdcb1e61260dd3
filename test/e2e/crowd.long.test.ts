import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BackupRecord, startTidemark, type Tidemark } from './tidemark.ts';

const CROWD = 200;
const ROUNDS = 30;

describe('a crowd', () => {
  let tidemark: Tidemark;
  beforeAll(async () => {
    tidemark = await startTidemark({ ownServers: true, copies: { 'executor-worker': 0 } });
  }, 120_000);
  afterAll(() => tidemark?.[Symbol.asyncDispose]());

  it('of two hundred starts at once ends as two hundred backups, for those who are turned away when they come back as told', async () => {
    const clusters: string[] = [];
    for (let first = 0; first < CROWD; first += 10)
      clusters.push(
        ...(await Promise.all(Array.from({ length: 10 }, (_, one) => tidemark.cluster(`crowd-${first + one}`)))),
      );
    const statuses = new Map<number, number>();
    const start = async (clusterId: string): Promise<string> => {
      for (let round = 1; round <= ROUNDS; round++) {
        const headers = { 'idempotency-key': `crowd-of-${clusterId}` };
        const answer = await tidemark.call<{ backupId: string }>('POST', '/backups', { clusterId }, headers);
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
        if (answer.status === 200) return answer.data.backupId;
        const seconds = Number(answer.headers.get('retry-after'));
        expect(seconds, `an answer ${answer.status} says when to come back`).toBeGreaterThan(0);
        await sleep(seconds * 1_000);
      }
      throw new Error(`no backup of ${clusterId} in ${ROUNDS} rounds`);
    };
    const backups = await Promise.all(clusters.map(start));

    expect(new Set(backups).size).toBe(CROWD);
    expect([...statuses.keys()].filter((status) => ![200, 429, 503].includes(status))).toEqual([]);
    const listed = await tidemark.call<{ backupRecords: BackupRecord[] }>('GET', `/backups?pageSize=${CROWD}`);
    expect(listed.page?.total).toBe(CROWD);
    const started = clusters.map((clusterId, index) => `${clusterId} ${backups[index]}`);
    expect(listed.data.backupRecords.map(({ clusterId, id }) => `${clusterId} ${id}`).sort()).toEqual(started.sort());
  }, 180_000);
});
