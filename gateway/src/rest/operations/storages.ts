import { z } from 'zod';
import type { Operation } from '../operation.ts';
import { Id, leftOut, wholeNumber } from '../validate.ts';
import { counted, Nothing, OfStorage, STORAGE_ID, time } from './common.ts';

const text = (what: string) =>
  leftOut(z.string('must be a text').max(1_024, 'must be at most 1024 characters')).describe(what);
const Common = {
  root: leftOut(z.string('must be a text').max(256, 'must be at most 256 characters')).describe(
    'First part of the path of every backup; `nfs/em/backup` by default.',
  ),
  maxConcurrent: leftOut(wholeNumber(0, 1_000)).describe(
    'How many backups may run against it at once, at most 1000; 0 is unlimited.',
  ),
  sendCredentialsToTikv: z
    .boolean('must be true or false')
    .nullish()
    .describe('Whether `br` hands its credentials to TiKV; `true` by default.'),
  credentials: z
    .union(
      [z.strictObject({ envPrefix: z.string() }), z.strictObject({ file: z.string() })],
      'must be {"envPrefix": "PROD_"} or {"file": "/path/on/the/worker"}, and never a credential itself',
    )
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
    createTime: time('When it was registered.'),
    updateTime: time('When that last changed.'),
  })
  .meta({ id: 'Storage', description: 'Where backups are written. What it has beside `root` depends on its type.' });
export type StorageView = z.infer<typeof Storage>;
const OneStorage = z.object({ storage: Storage });

const STORAGE: StorageView = {
  id: 'local',
  type: 'local',
  path: '/mnt/nfs',
  root: 'nfs/em/backup',
  maxConcurrent: 0,
  createTime: '2026-01-02T10:00:00.000Z',
  updateTime: '2026-01-02T10:00:00.000Z',
};

export const listStorages = {
  id: 'listStorages',
  tag: 'Storages',
  call: 'listStorages',
  summary: 'All storages',
  answer: { data: z.object({ storages: z.array(Storage) }), example: { storages: [STORAGE] } },
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
  description: 'Secrets are never sent: the workers have them, and `credentials` says where.',
  params: OfStorage,
  body: z.union([...StorageFields.options, StorageUrl]),
  bodyExamples: {
    'a folder': { type: 'local', path: '/mnt/nfs' },
    'a bucket': { type: 's3', bucket: 'backups', region: 'eu-central-1', credentials: { envPrefix: 'PROD_' } },
    'as br writes it': { url: 's3://backups/tidb?region=eu-central-1' },
  },
  answer: { data: OneStorage, example: { storage: STORAGE } },
  errors: ['storage_in_use', 'conflict'],
} as const satisfies Operation;

export const deleteStorage = {
  id: 'deleteStorage',
  tag: 'Storages',
  call: 'deleteStorage',
  summary: 'Removes the registration of a storage',
  description: 'Not while a cluster names it or backups lie in it.',
  params: OfStorage,
  answer: { data: Nothing, example: {} },
  errors: ['storage_not_found', 'storage_in_use', 'conflict'],
} as const satisfies Operation;

const Pool = leftOut(z.string('must be a text').max(32, 'must be at most 32 characters')).describe(
  'The workers that are to do it; at most 32 characters.',
);
const CheckBody = z.object({ pool: Pool });
const RebuildBody = z.object({
  pool: Pool,
  apply: leftOut(z.boolean('must be true or false')).describe('Whether records are made; else it only looks.'),
});

/** What a worker found at a storage. */
export const StorageCheck = z
  .object({
    id: z.string(),
    kind: z.enum(['probe', 'rebuildDryRun', 'rebuild', 'unknown']),
    storageId: z.string(),
    pool: z.string(),
    state: z.enum(['Queued', 'Running', 'Done', 'Unknown']),
    ok: z.boolean().describe('Once done: whether every step was fine.'),
    steps: z
      .array(z.object({ name: z.string(), ok: z.boolean(), message: z.string(), seconds: z.number() }))
      .describe('At most the first 1000.'),
    totalSteps: counted('How many there were in all.'),
    worker: z.string(),
    createdBy: z.string(),
    createTime: time('When it was asked for.'),
    endTime: time('When it was done.'),
  })
  .meta({ id: 'StorageCheck', description: 'A probe of a storage, or a rebuild of lost records from its files.' });
export type CheckView = z.infer<typeof StorageCheck>;
const OneCheck = z.object({ check: StorageCheck });

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
  description: 'Waits up to 30 s for the worker; a check that takes longer is answered as it is, and can be asked for.',
  params: OfStorage,
  body: CheckBody,
  bodyExamples: { 'any worker': {} },
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
