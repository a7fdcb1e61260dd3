/** Forty made-up clusters, so that somebody who is new sees a fleet: in several zones, with rules, some of them in trouble. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Api, ask } from './registration.ts';

/** A cluster of the demo fleet; always the same ones. */
export interface DemoMember {
  readonly id: string;
  readonly pd: string;
  readonly timeZone: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `H:MM-H:MM` of each day, of its zone; left out, nothing is planned. */
  readonly period?: string;
  /** What demo-br does there (its README). */
  readonly script: Readonly<Record<string, unknown>>;
  /** Whether its first backup begins at once. */
  readonly isStarted: boolean;
}

const COUNT = 40;
const ZONES = [
  ['fra', 'Europe/Berlin'],
  ['iad', 'America/New_York'],
  ['nrt', 'Asia/Tokyo'],
  ['gru', 'America/Sao_Paulo'],
] as const;
const NAMES = ['orders', 'stock', 'billing', 'users', 'search', 'carts', 'events', 'fraud', 'mail', 'prices'] as const;
const FIRST_PD_PORT = 33_000;
const STORAGE = 'local';
/** Clusters that are not well, by their place in the list; how they fail has a name in demo-br. */
const FAILING: Readonly<Record<number, string>> = { 7: 'tikv-permission-denied', 22: 'kv-disk-full' };
const UNPLANNED = [13, 31];
const NOT_STARTED = [18];
const SLOW = [4];

/** Pure. */
export function demoMembers(): DemoMember[] {
  return Array.from({ length: COUNT }, (_, index) => {
    const [site, timeZone] = ZONES[index % ZONES.length] ?? ZONES[0];
    const name = NAMES[Math.floor(index / ZONES.length)] ?? NAMES[0];
    const isSlow = SLOW.includes(index);
    // An hour each, spread over the day: so that something happens at any time.
    const opens = (index * 7) % 24;
    return {
      id: `${name}-${site}`,
      pd: `127.0.0.1:${FIRST_PD_PORT + index}`,
      timeZone,
      labels: {
        env: index % 5 === 4 ? 'test' : 'prod',
        site,
        team: name === 'billing' || name === 'fraud' ? 'money' : 'shop',
      },
      ...(!UNPLANNED.includes(index) && { period: `${opens}:00-${(opens + 2) % 24}:00` }),
      script: {
        seconds: isSlow ? 900 : 6 + (index % 6) * 4,
        regions: 20 + (index % 9) * 20,
        bytesPerFile: 20_000 + (index % 7) * 30_000,
        ...(FAILING[index] !== undefined && { outcome: { kind: 'fail', name: FAILING[index] } }),
      },
      isStarted: !NOT_STARTED.includes(index) && !UNPLANNED.slice(1).includes(index),
    };
  });
}

/**
 * Registers those that are not there yet, with their rules, and starts their first backups. What people changed since stays.
 *
 * @param storage absolute folder of the storage `local`
 * @throws a sentence with what the API answered
 */
export async function registerDemoFleet(api: Api, storage: string, signal: AbortSignal): Promise<void> {
  for (const member of demoMembers()) {
    const { id, pd, timeZone, labels, period, script } = member;
    if ((await ask(api, 'GET', `clusters/${id}`, undefined, signal)) !== 404) continue;
    const folder = join(storage, 'nfs', 'em', 'backup', id);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'demo-br.json'), JSON.stringify(script));
    const cluster = { pd: [pd], version: '8.5.0', storageId: STORAGE, timeZone, labels, purpose: 'scratch' };
    await ask(api, 'PUT', `clusters/${id}`, cluster, signal);
    if (period !== undefined) {
      const days = 'Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday';
      const strategy = { backupDate: days, period, retention: { keepLast: 7, weekly: 4 } };
      await ask(api, 'PUT', `clusters/${id}/strategy`, { strategy }, signal);
    }
    // One whose window is open has begun by itself.
    if (member.isStarted) await ask(api, 'POST', 'backups', { clusterId: id }, signal, [409]);
  }
}
