import {
  DEFAULT_PAGE_SIZE,
  MAX_CONCURRENT_BACKUPS,
  MAX_MANIFEST_KEY,
  MAX_MANIFEST_KEYS,
  MAX_PAGE,
  MAX_PAGE_SIZE,
  MAX_SHORT_TEXT,
  MAX_STORAGE_CLUSTERS,
  MAX_STORAGE_LABELS,
  MAX_TRASH_DAYS,
} from '@tidemark/limits/limits';
import { z } from 'zod';
import type { Operation } from '../operation.ts';
import { SaveQuery } from '../save-query.ts';
import { flag, Id, leftOut, leftOutOrFrom1, required, wholeNumber } from '../validate.ts';
import { counted, NoData, OfStorage, STORAGE_ID, time } from './common.ts';

const text = (what: string) =>
  leftOut(z.string('must be a text').max(1_024, 'must be at most 1024 characters')).describe(what);
/** Which clusters may use a storage. */
export const UsableBy = z
  .strictObject(
    {
      clusters: z
        .array(required(Id), 'must be a list of ids of clusters, such as ["orders","stock"]')
        .max(MAX_STORAGE_CLUSTERS, `must be at most ${MAX_STORAGE_CLUSTERS} ids of clusters`)
        .nullish()
        .describe(`Ids, also of clusters that are not registered yet; at most ${MAX_STORAGE_CLUSTERS}.`),
      labels: z
        .record(
          z.string(),
          z.string('must be a text, such as "shop"'),
          'must be an object of labels and their values, such as {"team":"shop"}',
        )
        .nullish()
        .describe(
          `Labels that a cluster must all have; at most ${MAX_STORAGE_LABELS}, of at most ${MAX_SHORT_TEXT} characters.`,
        ),
    },
    'must be an object such as {"clusters":["orders"],"labels":{"team":"shop"}}, or null for all clusters',
  )
  .meta({ id: 'StorageUsableBy' })
  .nullish();
const Common = {
  usableBy: UsableBy.describe(
    'Which clusters may use it: those that are named, and those that have all of the labels. Left out or null: all of them.',
  ),
  root: leftOut(
    z.string('must be a text').max(MAX_SHORT_TEXT, `must be at most ${MAX_SHORT_TEXT} characters`),
  ).describe('First part of the path of every backup; `nfs/em/backup` by default.'),
  maxConcurrent: leftOut(wholeNumber(0, MAX_CONCURRENT_BACKUPS)).describe(
    'How many backups may run against it at once, at most 1000; 0 is unlimited.',
  ),
  trashDays: leftOut(wholeNumber(0, MAX_TRASH_DAYS)).describe(
    'For how many days deleted good backups stay in its bin, at most 365; 0, the default, is not at all. It holds for what is deleted from then on.',
  ),
  manifestKeys: z
    .array(
      z.string('must be a text').max(MAX_MANIFEST_KEY, `must be at most ${MAX_MANIFEST_KEY} characters`),
      'must be a list of public keys in PEM form',
    )
    .max(MAX_MANIFEST_KEYS, `must be at most ${MAX_MANIFEST_KEYS} keys`)
    .nullish()
    .describe(
      `Public Ed25519 keys in PEM form by which the \`tidemark.json\` of its backups may be signed, at most ${MAX_MANIFEST_KEYS}. With any, a verification wants a good signature, and a rebuild takes nothing without one.`,
    ),
  gone: leftOut(z.boolean('must be true or false')).describe(
    'Whether the storage is gone for good: its backups can be forgotten, and none is started; `false` by default.',
  ),
  sendCredentialsToTikv: z
    .boolean('must be true or false')
    .nullish()
    .describe('Whether `br` hands its credentials to TiKV; `true` by default.'),
  credentials: z
    .union(
      [
        z
          .strictObject({ envPrefix: z.string() })
          .meta({ id: 'CredentialsInEnvironment', title: 'variables of the workers that begin with a prefix' }),
        z.strictObject({ file: z.string() }).meta({ id: 'CredentialsInFile', title: 'a file of the workers' }),
      ],
      'must be {"envPrefix": "PROD_"} or {"file": "/path/on/the/worker"}, and never a credential itself',
    )
    .meta({ id: 'StorageCredentials' })
    .nullish()
    .describe('Where the workers find its secrets: the prefix of their variables, or a file. Never a secret itself.'),
};
const prefix = text('Folder below it; may be empty.');
const endpoint = text('Scheme and host, such as `https://minio.example:9000`; empty: the maker’s own.');
const storageClass = text('Such as `STANDARD_IA`.');
/** What a body says of a storage. */
export const StorageFields = z.discriminatedUnion(
  'type',
  [
    z
      .object({
        ...Common,
        type: z.literal('local'),
        path: z
          .string('must be an absolute folder')
          .max(1_024, 'must be at most 1024 characters')
          .describe('An absolute folder, mounted on every worker and every TiKV.'),
      })
      .meta({ id: 'LocalStorage', title: 'a folder' }),
    z
      .object({
        ...Common,
        type: z.literal('s3'),
        bucket: z.string('must be the name of a bucket'),
        prefix,
        region: text('Such as `eu-central-1`.'),
        endpoint,
        provider: text('In the words of `br`, such as `aws`, `alibaba` or `ceph`.'),
        storageClass,
        sse: text('`AES256` or `aws:kms`.'),
        sseKmsKeyId: text('For `aws:kms`.'),
        acl: text('Such as `private`.'),
        forcePathStyle: z.boolean('must be true or false').nullish().describe('`true` by default.'),
        roleArn: text('A role to take.'),
        externalId: text('For that role.'),
      })
      .meta({ id: 'S3Storage', title: 'Amazon S3 and what speaks its protocol' }),
    z
      .object({
        ...Common,
        type: z.literal('azure'),
        container: z.string('must be the name of a container'),
        prefix,
        accountName: text('The storage account.'),
        endpoint,
        accessTier: text('Such as `Cool`.'),
        encryptionScope: text('The scope to encrypt with.'),
      })
      .meta({ id: 'AzureStorage', title: 'Azure Blob Storage' }),
    z
      .object({
        ...Common,
        type: z.literal('gcs'),
        bucket: z.string('must be the name of a bucket'),
        prefix,
        endpoint,
        storageClass,
        predefinedAcl: text('Such as `private`.'),
      })
      .meta({ id: 'GcsStorage', title: 'Google Cloud Storage' }),
  ],
  'must be "local", "s3", "azure" or "gcs"',
);
/** Or as `br` writes it. */
export const StorageUrl = z
  .object({
    ...Common,
    url: z
      .string('must be a text, such as s3://bucket/prefix?region=eu-central-1')
      .max(2_048, 'must be at most 2048 characters')
      .describe('As `br` writes it, at most 2048 characters; without secrets.'),
  })
  .meta({ id: 'UrlStorage', title: 'the URL of br' });

/** A storage in an answer. */
export const Storage = z
  .object({
    id: z.string(),
    type: z.enum(['local', 's3', 'azure', 'gcs', '']),
    path: z.string().optional(),
    bucket: z.string().optional(),
    container: z.string().optional(),
    prefix: z.string().optional(),
    region: z.string().optional(),
    endpoint: z.string().optional(),
    provider: z.string().optional(),
    storageClass: z.string().optional(),
    sse: z.string().optional(),
    sseKmsKeyId: z.string().optional(),
    acl: z.string().optional(),
    forcePathStyle: z.boolean().optional(),
    roleArn: z.string().optional(),
    externalId: z.string().optional(),
    accountName: z.string().optional(),
    accessTier: z.string().optional(),
    encryptionScope: z.string().optional(),
    predefinedAcl: z.string().optional(),
    credentials: z
      .object({ envPrefix: z.string().optional(), file: z.string().optional() })
      .optional()
      .describe('Where the workers find its secrets.'),
    sendCredentialsToTikv: z.boolean().optional(),
    root: z.string(),
    maxConcurrent: counted('0 is unlimited.'),
    trashDays: counted('For how many days deleted good backups stay in its bin; 0 is not at all.'),
    manifestKeys: z.array(z.string()).describe('Public keys by which manifests may be signed.'),
    bin: z
      .object({ backups: counted('How many backups.'), sizeBytes: counted('What they take.') })
      .optional()
      .describe('What lies in its bin; not in the answer to a change.'),
    gone: z.boolean().describe('Whether somebody said that it is gone for good.'),
    usableBy: z
      .object({ clusters: z.array(z.string()), labels: z.record(z.string(), z.string()) })
      .optional()
      .describe('Which clusters may use it; all of them where it is not there.'),
    createTime: time('When it was registered.'),
    updateTime: time('When that last changed.'),
    revision: counted('Grows with every save.'),
  })
  .meta({ id: 'Storage', description: 'Where backups are written. What it has beside `root` depends on its type.' });
export type StorageView = z.infer<typeof Storage>;
const OneStorage = z.object({ storage: Storage }).meta({ id: 'OneStorage' });

const STORAGE: StorageView = {
  id: 'local',
  type: 'local',
  path: '/mnt/nfs',
  root: 'nfs/em/backup',
  maxConcurrent: 0,
  trashDays: 7,
  manifestKeys: [],
  bin: { backups: 1, sizeBytes: 1_572_864 },
  gone: false,
  createTime: '2026-01-02T10:00:00.000Z',
  updateTime: '2026-01-02T10:00:00.000Z',
  revision: 1,
};

const ListQuery = z.object({
  page: leftOutOrFrom1(MAX_PAGE).describe('From 1; 0 is left out.'),
  pageSize: leftOutOrFrom1(MAX_PAGE_SIZE).describe(
    `1 to ${MAX_PAGE_SIZE}, where a page is asked for; ${DEFAULT_PAGE_SIZE} by default. 0 is left out.`,
  ),
});

export const listStorages = {
  id: 'listStorages',
  tag: 'Storages',
  call: 'listStorages',
  summary: 'All storages',
  description:
    'By id. All of them, unless `page` or `pageSize` is sent: then `page` is beside the data. A parameter that is not known is a 400.',
  query: ListQuery,
  answer: {
    data: z.object({ storages: z.array(Storage) }),
    paged: 'if asked for',
    example: { storages: [STORAGE] },
  },
} as const satisfies Operation;

export const getStorage = {
  id: 'getStorage',
  tag: 'Storages',
  call: 'getStorage',
  summary: 'One storage',
  params: OfStorage,
  answer: { data: OneStorage, example: { storage: STORAGE } },
  errors: ['storage_not_found'],
} as const satisfies Operation;

export const putStorage = {
  id: 'putStorage',
  tag: 'Storages',
  call: 'putStorage',
  summary: 'Registers a storage, or changes its registration',
  description:
    'Replaces what was there. Secrets are never sent: the workers have them, and `credentials` says where. `usableBy` that would leave out a cluster or a rule that writes to the storage is a 409 that names them.',
  params: OfStorage,
  query: SaveQuery,
  body: z.union([...StorageFields.options, StorageUrl]),
  bodyExamples: {
    'a folder': { type: 'local', path: '/mnt/nfs' },
    'a bucket': { type: 's3', bucket: 'backups', region: 'eu-central-1', credentials: { envPrefix: 'PROD_' } },
    'with a bin': { type: 'local', path: '/mnt/nfs', trashDays: 7 },
    'for the clusters of a team': { type: 's3', bucket: 'shop', usableBy: { labels: { team: 'shop' } } },
    'as br writes it': { url: 's3://backups/tidb?region=eu-central-1' },
  },
  answer: { data: OneStorage, example: { storage: STORAGE } },
  errors: ['storage_in_use', 'revision_changed', 'conflict'],
} as const satisfies Operation;

export const deleteStorage = {
  id: 'deleteStorage',
  tag: 'Storages',
  call: 'deleteStorage',
  summary: 'Removes the registration of a storage',
  description: 'Not while a cluster names it or backups lie in it.',
  params: OfStorage,
  answer: { data: NoData, example: {} },
  errors: ['storage_not_found', 'storage_in_use', 'conflict'],
} as const satisfies Operation;

const Pool = leftOut(z.string('must be a text').max(32, 'must be at most 32 characters')).describe(
  'The workers that are to do it; at most 32 characters.',
);
/** Taken in the query and in the body. */
const Declared = {
  adopt: leftOut(flag()).describe(
    'Whether what is there now is the storage, whatever marker it was known by before; `false` by default.',
  ),
  moved: leftOut(flag()).describe(
    'Whether the files that lay where the storage was before were moved to where it is now, which the worker must find; `false` by default, and not together with `adopt`.',
  ),
};
const CheckBody = z.object({ pool: Pool, ...Declared });
const CheckQuery = z.object(Declared);
const RebuildBody = z.object({
  pool: Pool,
  apply: leftOut(z.boolean('must be true or false')).describe('Whether records are made; else it only looks.'),
});

const Step = z.object({ name: z.string(), ok: z.boolean(), message: z.string(), seconds: z.number() });

/** What workers found at a storage. */
export const StorageCheck = z
  .object({
    id: z.string(),
    kind: z.enum(['probe', 'rebuildDryRun', 'rebuild', 'unknown']),
    storageId: z.string(),
    pool: z.string(),
    state: z.enum(['Queued', 'Running', 'Done', 'Unknown']),
    ok: z.boolean().describe('Once done: whether every step was fine.'),
    steps: z.array(Step).describe('At most the first 1000.'),
    totalSteps: counted('How many there were in all.'),
    worker: z.string(),
    workers: z
      .array(
        z.object({
          worker: z.string(),
          state: z.enum(['Queued', 'Running', 'Done', 'Unknown']),
          ok: z.boolean().describe('Once done: whether every step was fine.'),
          steps: z.array(Step).describe('What this worker found.'),
        }),
      )
      .optional()
      .describe('Of a probe: each worker of the pool that is present; `worker` is one of them.'),
    createdBy: z.string(),
    createTime: time('When it was asked for.'),
    endTime: time('When it was done.'),
  })
  .meta({ id: 'StorageCheck', description: 'A probe of a storage, or a rebuild of lost records from its files.' });
export type CheckView = z.infer<typeof StorageCheck>;
const OneCheck = z.object({ check: StorageCheck }).meta({ id: 'OneStorageCheck' });

const CHECK: CheckView = {
  id: 'Jx3Wm0r8S5mVQ1Yb7c9d2A',
  kind: 'probe',
  storageId: 'local',
  pool: 'default',
  state: 'Done',
  ok: true,
  steps: [{ name: 'write', ok: true, message: 'A file was written.', seconds: 0.01 }],
  totalSteps: 1,
  worker: 'executor-worker-1',
  createdBy: 'console',
  createTime: '2026-01-02T10:00:00.000Z',
  endTime: '2026-01-02T10:00:00.120Z',
};

export const checkStorage = {
  id: 'checkStorage',
  tag: 'Storages',
  call: 'checkStorage',
  summary: 'Has a worker try a storage',
  description:
    'Waits up to 30 s for the worker; a check that takes longer is answered as it is, and can be asked for. With `moved`, backups that lie at older places of the storage are looked for, and found from then on, where it is now: once all of the newest ten good backups from there were found here under their paths, or, where none is on record, its marker.',
  params: OfStorage,
  query: CheckQuery,
  body: CheckBody,
  bodyExamples: { 'any worker': {}, 'the files were moved': { moved: true } },
  answer: { data: OneCheck, example: { check: CHECK } },
  errors: ['storage_not_found', 'conflict'],
} as const satisfies Operation;

export const rebuildRecords = {
  id: 'rebuildRecords',
  tag: 'Storages',
  call: 'rebuildRecords',
  summary: 'Has a worker rebuild lost records',
  description: 'From the manifests that lie beside the files of each backup. Answers at once; ask for the check.',
  params: OfStorage,
  body: RebuildBody,
  bodyExamples: { 'only look': {}, 'make records': { apply: true } },
  answer: { data: OneCheck, example: { check: { ...CHECK, kind: 'rebuildDryRun', state: 'Queued', ok: false } } },
  errors: ['storage_not_found', 'conflict'],
} as const satisfies Operation;

export const getStorageCheck = {
  id: 'getStorageCheck',
  tag: 'Storages',
  call: 'getStorageCheck',
  summary: 'How a check of a storage goes',
  description: 'Checks are kept for a day.',
  params: z.object({
    storageId: STORAGE_ID,
    checkId: Id.meta({ description: 'The check.', examples: ['Jx3Wm0r8S5mVQ1Yb7c9d2A'] }),
  }),
  answer: { data: OneCheck, example: { check: CHECK } },
  errors: ['check_not_found'],
} as const satisfies Operation;
