/** One request below each bound, one at it and one above it, over REST, Connect and gRPC: the same verdict everywhere. */

import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { rulesOf } from '@tidemark/contract/rules';
import {
  MAX_CONCURRENCY,
  MAX_EXTRA_FLAGS,
  MAX_FILTER,
  MAX_FILTERS,
  MAX_FILTERS_BYTES,
  MAX_LABELS,
  MAX_LABELS_BYTES,
  MAX_PAGE_SIZE,
  MAX_PATH,
  MAX_PD,
  MAX_RULES,
  MAX_SELECTOR,
  MAX_SHORT_TEXT,
  MAX_STORAGE_CLUSTERS,
  MAX_STORAGE_LABELS,
  MAX_TRASH_DAYS,
} from '@tidemark/limits/limits';
import { BackupServiceService, ListBackupsRequest } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import {
  BrOptions,
  Cluster,
  PutClusterRequest,
  PutStorageRequest,
  RegistryServiceService,
  Storage,
  UsableBy,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import {
  Retention,
  SaveFleetStrategyRequest,
  SaveStrategyRequest,
  StrategyServiceService,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTidemark, type Tidemark } from './tidemark.ts';

let tidemark: Tidemark;
let client: Client;
let clusterId: string;
beforeAll(async () => {
  tidemark = await startTidemark({
    env: { gateway: { TIDEMARK_RATE_PER_SECOND: '10000', TIDEMARK_RATE_BURST: '10000' } },
  });
  client = new Client(tidemark.stack.grpc, credentials.createInsecure());
  clusterId = await tidemark.cluster('bounds');
}, 120_000);
afterAll(async () => {
  client?.close();
  await tidemark?.[Symbol.asyncDispose]();
});

/** How a request is made over each protocol; answers "" for a good answer, else the sentence of the refusal. */
type Ask = () => Promise<string>;

async function http(method: string, path: string, body?: unknown): Promise<string> {
  const response = await fetch(`${tidemark.stack.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${tidemark.stack.token}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(30_000),
  });
  const { message = '' } = (await response.json()) as { message?: string };
  return response.status === 200 ? '' : message;
}

function grpc<Request>(
  method: { readonly path: string; readonly requestSerialize: (request: Request) => Buffer },
  request: Request,
): Promise<string> {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${tidemark.stack.token}`);
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      () => '',
      request,
      metadata,
      (error) => resolve(error ? error.details : ''),
    );
  });
}

function cluster(fields: Partial<Pick<Cluster, 'name' | 'labels' | 'pd'>> & { brOptions?: Partial<BrOptions> }): Ask[] {
  const { brOptions, ...rest } = { pd: ['127.0.0.1:2379'], storageId: 'local', ...fields };
  const json = { ...rest, ...(brOptions && { brOptions }) };
  const whole = Cluster.create({
    ...rest,
    id: clusterId,
    ...(brOptions && { brOptions: BrOptions.create(brOptions) }),
  });
  return [
    () => http('PUT', `/api/v1/clusters/${clusterId}`, json),
    () => http('POST', '/tidemark.backup.v1.RegistryService/PutCluster', { cluster: { ...json, id: clusterId } }),
    () => grpc(RegistryServiceService.putCluster, PutClusterRequest.create({ cluster: whole })),
  ];
}

function strategy(fields: { retention?: Partial<Retention>; brOptions?: Partial<BrOptions>; rule?: string }): Ask[] {
  const { retention, brOptions, rule = 'default' } = fields;
  return [
    () => http('PUT', `/api/v1/clusters/${clusterId}/strategies/${rule}`, { strategy: { ...fields, backupDate: '' } }),
    () => http('POST', '/tidemark.strategy.v1.StrategyService/SaveStrategy', { ...fields, rule, clusterId, days: '' }),
    () =>
      grpc(
        StrategyServiceService.saveStrategy,
        SaveStrategyRequest.create({
          clusterId,
          rule,
          days: '',
          ...(retention && { retention: Retention.create(retention) }),
          ...(brOptions && { brOptions: BrOptions.create(brOptions) }),
        }),
      ),
  ];
}

function fleet(selector: Record<string, string>): Ask[] {
  return [
    () => http('PUT', '/api/v1/strategies/bounds', { strategy: { selector } }),
    () => http('POST', '/tidemark.strategy.v1.StrategyService/SaveFleetStrategy', { name: 'bounds', selector }),
    () => grpc(StrategyServiceService.saveFleetStrategy, SaveFleetStrategyRequest.create({ name: 'bounds', selector })),
  ];
}

function storage(fields: { readonly usableBy?: Partial<UsableBy>; readonly trashDays?: number }): Ask[] {
  const { usableBy, ...rest } = fields;
  const whole = Storage.create({
    id: 'bounds',
    location: { $case: 'local', value: { path: '/bounds' } },
    ...rest,
    ...(usableBy && { usableBy: UsableBy.create(usableBy) }),
  });
  return [
    () => http('PUT', '/api/v1/storages/bounds', { type: 'local', path: '/bounds', ...fields }),
    () =>
      http('POST', '/tidemark.backup.v1.RegistryService/PutStorage', {
        storage: { id: 'bounds', local: { path: '/bounds' }, ...fields },
      }),
    () => grpc(RegistryServiceService.putStorage, PutStorageRequest.create({ storage: whole })),
  ];
}

function page(pageSize: number): Ask[] {
  return [
    () => http('GET', `/api/v1/backups?pageSize=${pageSize}`),
    () => http('POST', '/tidemark.backup.v1.BackupService/ListBackups', { pageSize }),
    () => grpc(BackupServiceService.listBackups, ListBackupsRequest.create({ pageSize })),
  ];
}

const ids = (count: number) => Array.from({ length: count }, (_, at) => `c${at}`);
const named = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`l${at}`, 'x']));
/** Labels of so many bytes together: 16 of the same length, the last as long as it takes. */
const labels = (bytes: number) => {
  const names = Array.from({ length: 20 }, (_, at) => `l${String(at).padStart(3, '0')}`);
  const each = Math.floor(bytes / names.length) - 4;
  const rest = bytes - names.length * (each + 4);
  return Object.fromEntries(names.map((name, at) => [name, 'x'.repeat(each + (at === 0 ? rest : 0))]));
};
const filter = (length: number) => `${'x'.repeat(length - 2)}.*`;
const filters = (bytes: number) => {
  const whole = Math.floor(bytes / 256);
  return [...Array.from({ length: whole - 1 }, () => filter(256)), filter(bytes - (whole - 1) * 256)];
};
const key = (length: number) => ({ crypterMethod: 'aes256-ctr', crypterKeyFile: `/${'k'.repeat(length - 1)}` });
const options = (brOptions: Partial<BrOptions>) => [...cluster({ brOptions }), ...strategy({ brOptions })];

it.each<readonly [string, number, string, (size: number) => Ask[]]>([
  ['labels of a cluster', MAX_LABELS, 'labels: ', (size) => cluster({ labels: named(size) })],
  ['bytes of labels', MAX_LABELS_BYTES, 'labels: ', (size) => cluster({ labels: labels(size) })],
  ['characters of a name', MAX_SHORT_TEXT, 'name: ', (size) => cluster({ name: 'x'.repeat(size) })],
  ['PD addresses', MAX_PD, 'pd: ', (size) => cluster({ pd: Array.from({ length: size }, () => '127.0.0.1:2379') })],
  ['filters', MAX_FILTERS, 'brOptions.filters: ', (size) => options({ filters: Array(size).fill('a.*') })],
  ['characters of a filter', MAX_FILTER, 'brOptions.filters[0]: ', (size) => options({ filters: [filter(size)] })],
  ['bytes of filters', MAX_FILTERS_BYTES, 'brOptions.filters: ', (size) => options({ filters: filters(size) })],
  ['threads', MAX_CONCURRENCY, 'brOptions.concurrency: ', (size) => options({ concurrency: size })],
  ['characters of a key file', MAX_PATH, 'brOptions.crypterKeyFile: ', (size) => options(key(size))],
  [
    'kept backups',
    rulesOf('tidemark.strategy.v1.Retention', 'keepLast').max,
    'retention.keepLast: ',
    (size) => strategy({ retention: { keepLast: size } }),
  ],
  ['labels of a selector', MAX_SELECTOR, 'strategy.selector: ', (size) => fleet(named(size))],
  [
    'labels of a storage',
    MAX_STORAGE_LABELS,
    'usableBy.labels: ',
    (size) => storage({ usableBy: { labels: named(size) } }),
  ],
  [
    'clusters of a storage',
    MAX_STORAGE_CLUSTERS,
    'usableBy.clusters: ',
    (size) => storage({ usableBy: { clusters: ids(size) } }),
  ],
  ['days in the bin of a storage', MAX_TRASH_DAYS, 'trashDays: ', (size) => storage({ trashDays: size })],
  ['rows of a page', MAX_PAGE_SIZE, 'pageSize: ', page],
])('%s may be up to %i, and one more is refused by its name', async (_, most, field, requests) => {
  for (const size of [most - 1, most])
    for (const ask of requests(size)) expect(await ask(), `${ask} with ${size}`).toBe('');
  for (const ask of requests(most + 1)) expect(await ask(), `${ask} with ${most + 1}`).toContain(field);
});

it('more flags than there may be are one violation', async () => {
  const extra = Object.fromEntries(Array.from({ length: MAX_EXTRA_FLAGS + 1 }, (_, at) => [`f${at}`, '1']));
  for (const ask of options({ extra })) expect(await ask()).toMatch(/brOptions\.extra: must be at most \d+ flags$/);
});

it('a cluster has so many rules and no more, whichever way they are saved', async () => {
  clusterId = await tidemark.cluster('rules');
  for (let at = 1; at <= MAX_RULES; at += 1) expect(await strategy({ rule: `r${at}` })[at % 3]?.()).toBe('');
  for (const ask of strategy({ rule: 'one-more' }))
    expect(await ask()).toContain('would be one more than the 20 rules');
});
