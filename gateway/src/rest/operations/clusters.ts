import { DEFAULT_PAGE_SIZE, MAX_PAGE, MAX_PAGE_SIZE, MAX_PD } from '@tidemark/limits/limits';
import { z } from 'zod';
import { BrOptionsBody } from '../br-options.ts';
import { PURPOSE_NAMES } from '../cluster-purpose.ts';
import type { Operation } from '../operation.ts';
import { SaveQuery } from '../save-query.ts';
import { flag, leftOut, leftOutOrFrom1, required } from '../validate.ts';
import { BrOptions } from './br-options.ts';
import { counted, NoData, OfCluster, PageToken, STORAGE_ID, time, WithLabels } from './common.ts';

const text = (what: string) =>
  leftOut(z.string('must be a text').max(1_024, 'must be at most 1024 characters')).describe(what);
const ClusterPurpose = z
  .enum(PURPOSE_NAMES, 'must be "production", "dr" or "scratch"')
  .meta({ id: 'Purpose', description: 'What a cluster is for.' });
const SOME_PD = `must name 1 to ${MAX_PD} addresses as host:port`;
const Body = z.object({
  name: text('For people; at most 256 characters.'),
  pd: z
    .array(z.string('must be host:port'), 'must be a list of host:port, such as ["10.0.0.1:2379"]')
    .min(1, SOME_PD)
    .max(MAX_PD, SOME_PD)
    .describe('host:port of each PD; the order is kept.'),
  version: text('Such as 8.5.0; decides which `br` runs.'),
  pool: text('Which workers serve it: 1 to 32 small letters, digits or dashes.'),
  storageId: required(STORAGE_ID).describe('Where its backups go.'),
  timeZone: text('IANA name; for strategies that name none.'),
  labels: z
    .record(
      z.string(),
      z.string('must be a text, such as "prod"'),
      'must be an object of labels and their values, such as {"env":"prod"}',
    )
    .nullish()
    .describe('For strategies that choose clusters by labels.'),
  tls: z
    .object(
      { ca: text('The authority’s certificate.'), cert: text('The certificate.'), key: text('Its key.') },
      'must be {"ca","cert","key"}: paths on the worker',
    )
    .nullish()
    .describe('Absolute paths on the worker.'),
  brOptions: BrOptionsBody.describe('Options of `br` for all backups of the cluster.'),
  purpose: leftOut(ClusterPurpose).describe(
    '`production` by default. Into a `scratch` cluster operators restore too, and without having looked at a plan.',
  ),
  restore: z
    .strictObject(
      {
        strictLoss: leftOut(flag()).describe(
          'After a worker was lost in the middle of a restore, nothing goes on until a person says that its host is dead; `false` by default.',
        ),
      },
      'must be {"strictLoss": true or false}',
    )
    .nullish()
    .describe('What restores into the cluster keep to.'),
});

/** A cluster in an answer. */
export const Cluster = z
  .object({
    id: z.string(),
    name: z.string(),
    pd: z.array(z.string()),
    version: z.string(),
    pool: z.string(),
    storageId: z.string(),
    timeZone: z.string().describe('Empty: that of Tidemark.'),
    labels: z.record(z.string(), z.string()),
    tls: z.object({ ca: z.string(), cert: z.string(), key: z.string() }).optional().describe('Paths on the worker.'),
    brOptions: BrOptions.optional(),
    purpose: z.enum([...PURPOSE_NAMES, 'Unknown']),
    restore: z.object({ strictLoss: z.boolean() }).describe('What restores into the cluster keep to.'),
    createTime: time('When it was registered.'),
    updateTime: time('When that last changed.'),
    revision: counted('Grows with every save.'),
  })
  .meta({ id: 'Cluster', description: 'A cluster that Tidemark backs up.' });
export type ClusterView = z.infer<typeof Cluster>;
const OneCluster = z.object({ cluster: Cluster }).meta({ id: 'OneCluster' });

const CLUSTER: ClusterView = {
  id: 'test-tidb',
  name: 'shop',
  pd: ['172.16.5.136:2379'],
  version: '8.5.0',
  pool: 'default',
  storageId: 'local',
  timeZone: 'Asia/Shanghai',
  labels: { env: 'prod' },
  purpose: 'production',
  restore: { strictLoss: false },
  createTime: '2026-01-02T10:00:00.000Z',
  updateTime: '2026-01-02T10:00:00.000Z',
  revision: 1,
};

const Query = z.object({
  page: leftOutOrFrom1(MAX_PAGE).describe('From 1; 0 is left out.'),
  pageSize: leftOutOrFrom1(MAX_PAGE_SIZE).describe(
    `1 to ${MAX_PAGE_SIZE}, where a page is asked for; ${DEFAULT_PAGE_SIZE} by default. 0 is left out.`,
  ),
  ...WithLabels,
  pageToken: leftOut(PageToken).describe(
    'The `pageToken` of an answer with the same filters: the list goes on behind it, and nothing is counted. With `page` it is a 400.',
  ),
});

export const listClusters = {
  id: 'listClusters',
  tag: 'Clusters',
  call: 'listClusters',
  summary: 'All clusters that the caller may see',
  description:
    'By id. All of them (at most 10000), unless `page`, `pageSize` or `pageToken` is sent. With `page` or `pageSize` the whole selection is counted, and `page` is beside the data; with `pageToken` it is not. A parameter that is not known is a 400.',
  query: Query,
  answer: {
    data: z.object({
      clusters: z.array(Cluster),
      pageToken: z.string().optional().describe('Of a page: for the next one; absent behind the last.'),
    }),
    paged: 'if asked for',
    example: { clusters: [CLUSTER] },
  },
} as const satisfies Operation;

export const getCluster = {
  id: 'getCluster',
  tag: 'Clusters',
  call: 'getCluster',
  summary: 'One cluster',
  params: OfCluster,
  answer: { data: OneCluster, example: { cluster: CLUSTER } },
  errors: ['cluster_not_found'],
} as const satisfies Operation;

export const putCluster = {
  id: 'putCluster',
  tag: 'Clusters',
  call: 'putCluster',
  summary: 'Registers a cluster, or changes its registration',
  description:
    'Replaces what was there: what is left out is empty. While a restore has the cluster, its PD, TLS files and pool stay as they are.',
  params: OfCluster,
  query: SaveQuery,
  body: Body,
  bodyExamples: {
    'what is needed': { pd: ['172.16.5.136:2379'], storageId: 'local' },
    'with more': {
      name: 'shop',
      pd: ['172.16.5.136:2379'],
      version: '8.5.0',
      storageId: 'local',
      timeZone: 'Asia/Shanghai',
      labels: { env: 'prod' },
    },
    'for restores that nobody needs': { pd: ['172.16.5.140:2379'], storageId: 'local', purpose: 'scratch' },
  },
  answer: { data: OneCluster, example: { cluster: CLUSTER } },
  errors: ['cluster_not_found', 'cluster_in_use', 'storage_not_found', 'revision_changed', 'conflict'],
} as const satisfies Operation;

export const deleteCluster = {
  id: 'deleteCluster',
  tag: 'Clusters',
  call: 'deleteCluster',
  summary: 'Removes the registration of a cluster',
  description: 'And its strategy; backups stay. Not while a backup is active.',
  params: OfCluster,
  answer: { data: NoData, example: {} },
  errors: ['cluster_not_found', 'cluster_in_use', 'conflict'],
} as const satisfies Operation;
